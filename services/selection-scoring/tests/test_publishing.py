"""A decision leaves the house: its file is verified without the platform, and the log shows what was taken from it."""

import json
from typing import Any

import pytest
from builders_selection_scoring import ASSESSORS, POOL, VOTERS, Board, Token
from httpx import AsyncClient

from oker_contracts import Contract
from oker_contracts.selection.assessment_given_v1 import AssessmentGivenV1
from oker_contracts.selection.ballot_cast_v2 import BallotCastV2
from oker_contracts.selection.candidates_frozen_v1 import CandidatesFrozenV1
from oker_contracts.selection.criteria_recorded_v1 import CriteriaRecordedV1
from oker_contracts.selection.decision_taken_v2 import DecisionTakenV2
from oker_contracts.selection.recusal_declared_v1 import RecusalDeclaredV1
from oker_contracts.selection.result_recorded_v1 import ResultRecordedV1
from oker_contracts.selection.round_closed_v1 import RoundClosedV1
from oker_contracts.selection.round_frozen_v1 import RoundFrozenV1
from oker_contracts.selection.round_moved_v1 import RoundMovedV1
from oker_contracts.selection.votes_counted_v1 import VotesCountedV1
from oker_decision.chain import follow
from oker_decision.file import verify
from oker_testkit.bus import TestBus

pytestmark = pytest.mark.usefixtures("pool")
MODELS: tuple[type[Contract], ...] = (
    *(CriteriaRecordedV1, RoundFrozenV1, CandidatesFrozenV1, RoundMovedV1, RecusalDeclaredV1, AssessmentGivenV1),
    *(BallotCastV2, VotesCountedV1, RoundClosedV1, ResultRecordedV1, DecisionTakenV2),
)
FORUM = {"voice": "forum", "title": "Smart-City-Forum", "kind": "votes", "weight": "1/10"}
BOARD = {"voice": "board", "title": "Smart-City-Board", "kind": "scores", "weight": "9/10"}
SEVEN = [{"approves": ["handyparken"], "people": 7}]


async def decided(board: Board) -> list[bytes]:
    """Play a round with a recusal, a changed ballot, counted votes and an override; the lines of its file."""
    await board.open(voices=[BOARD, FORUM])
    for assessor in ASSESSORS:
        for project_id in POOL:
            await board.assess(assessor, project_id, 4, 3, 3, 3, comment="Größe: „gut“ \u2028 👍")
    await board.step("ballots-opening", {})
    votes = {"ballots": SEVEN, "advice": ""}
    counted = await board.say("PUT", f"/rounds/{board.round_id}/voices/forum/votes", ("unit-1", "unit"), votes)
    assert counted.status_code == 200, counted.text
    await board.cast("board-1", "bahnstadt", (1, 1, 1, 1))
    await board.cast_all()
    await board.recuse(("board-2", "board"), "handyparken")
    closed = await board.step("closing")
    assert closed.status_code == 200, closed.text
    overrides = [{"project_id": "handyparken", "decided": "deferred", "reason": "Erst 2027."}]
    answer = await board.decide(overrides=overrides)
    assert answer.status_code == 200, answer.text
    return await the_file(board)


async def the_file(board: Board) -> list[bytes]:
    answer = await board.say("GET", f"/rounds/{board.round_id}/decision-file", ("somebody", "auditor"))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/jsonl"
    return answer.content.splitlines(keepends=True)


async def the_log(http: AsyncClient, token: Token, role: str = "auditor", limit: int = 1000) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["number"] if found else 0
        answer = await http.get("/log", params={"after": after, "limit": limit}, headers=token("a-1", role))
        assert answer.status_code == 200, answer.text
        if not answer.json():
            return found
        found += answer.json()


async def test_the_file_of_a_decision_is_verified_by_the_library_alone(board: Board) -> None:
    found = verify(await decided(board))

    assert found.faults == ()
    assert found.figures is not None
    assert (found.figures.candidates, found.figures.recusals, found.figures.overrides) == (3, 1, 1)
    assert found.figures.given == {"assessments": 6, "board": 10}
    assert found.figures.counted == {"assessments": 6, "board": 8}
    assert found.figures.not_counted == {"recused": 1}
    assert found.figures.replaced == 1
    assert found.figures.complete_voters == len(VOTERS)


async def test_a_changed_score_in_the_file_is_named(board: Board) -> None:
    lines = await decided(board)
    number = next(n for n, line in enumerate(lines) if b"ballot_cast" in line)
    said = json.loads(lines[number])
    before = said["data"]["scores"]["aussenwirkung"]
    said["data"]["scores"]["aussenwirkung"] = 6 - before if before != 3 else 4
    lines[number] = json.dumps(said).encode()

    (fault,) = verify(lines).faults

    place = (fault.line, fault.field, fault.computed)
    assert place == (number + 1, "$.data.scores.aussenwirkung", before)


async def test_the_facts_in_the_file_are_those_that_were_announced(board: Board, bus: TestBus) -> None:
    lines = [json.loads(line) for line in (await decided(board))[1:]]
    await bus.settled()

    said = [fact.model_dump_json() for model in MODELS for fact in await bus.announced(model)]
    announced = [json.loads(fact) for fact in said]
    assert len(lines) == len(announced)
    assert all(line["data"] in announced for line in lines)


@pytest.mark.parametrize("role", ["forum", "advisory_board", "officer", "dezernent", "partner"])
async def test_who_said_what_is_handed_to_those_only_who_publish_it(board: Board, role: str) -> None:
    lines = await decided(board)
    headers = board.token("x-1", role, **({"partner": "verkehr"} if role == "partner" else {}))

    answer = await board.http.get(f"/rounds/{board.round_id}/decision-file", headers=headers)

    assert b"assessor-1" in b"".join(lines)
    assert answer.status_code == 403
    assert b"assessor-1" not in answer.content


async def test_there_is_no_file_before_the_decision(board: Board) -> None:
    await board.vote()

    answer = await board.say("GET", f"/rounds/{board.round_id}/decision-file", ("a-1", "auditor"))

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_log_is_a_chain_that_ends_where_the_file_says(board: Board, http: AsyncClient, token: Token) -> None:
    head = json.loads((await decided(board))[0])["log_sha256"]

    entries = await the_log(http, token, limit=2)

    chain = follow(entries, known_head=head)
    assert (chain.broken, chain.head, chain.seen) == (None, head, True)
    assert [entry["type"].split(".")[1] for entry in entries] == [
        "criteria_recorded",
        "round_frozen",
        "round_moved",
        "round_moved",
        "round_closed",
        "decision_taken",
    ]


async def test_who_may_not_read_the_facts_of_the_log_still_sees_that_it_holds(
    board: Board, http: AsyncClient, token: Token
) -> None:
    await board.freeze()

    entries = await the_log(http, token, role="forum")

    assert all("data" not in entry for entry in entries)
    assert follow(entries).broken is None


async def test_the_file_of_a_second_round_carries_the_hashes_of_what_was_between(
    board: Board, http: AsyncClient, token: Token
) -> None:
    first = await decided(board)
    lines = await decided(Board(http, token, "runde-2027"))

    assert verify(lines).faults == ()
    assert sum(json.loads(line).get("type") == "log" for line in lines) == 5
    assert verify(first).holds
