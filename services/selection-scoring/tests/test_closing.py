"""A round is closed: quorum, exact result, and the same result from the events alone."""

import asyncio
from itertools import permutations
from typing import Any

import pytest
from builders_selection_scoring import POOL, VOTERS, Board
from httpx import AsyncClient

from oker_contracts.selection.assessment_given_v1 import AssessmentGivenV1
from oker_contracts.selection.ballot_cast_v2 import BallotCastV2
from oker_contracts.selection.candidates_frozen_v1 import CandidatesFrozenV1
from oker_contracts.selection.recusal_declared_v1 import RecusalDeclaredV1
from oker_contracts.selection.result_recorded_v1 import ResultRecordedV1
from oker_contracts.selection.round_closed_v1 import RoundClosedV1
from oker_contracts.selection.round_frozen_v1 import RoundFrozenV1
from oker_decision.model import Tally
from oker_decision.result import compute, fingerprint
from oker_testkit.bus import TestBus

pytestmark = pytest.mark.usefixtures("pool")
Key = tuple[str, str, str]


async def recomputed(bus: TestBus, reverse: bool = False) -> dict[str, Any]:
    """The result by the library, from nothing but the events."""
    (frozen,) = await bus.announced(RoundFrozenV1)
    candidates = [row.model_dump() for part in await bus.announced(CandidatesFrozenV1) for row in part.candidates]
    recused = {(row.holder, row.project_id) for row in await bus.announced(RecusalDeclaredV1)}
    said: list[tuple[Key, int, dict[str, int]]] = []
    for row in await bus.announced(BallotCastV2):
        said.append(((row.voice, row.voter, row.project_id), row.version, row.scores))
    for row in await bus.announced(AssessmentGivenV1):
        said.append((("assessments", row.assessor, row.project_id), row.version, row.scores))
    newest: dict[Key, tuple[int, dict[str, int]]] = {}
    for key, version, scores in reversed(said) if reverse else said:
        if (key[1], key[2]) not in recused and version > newest.get(key, (0, {}))[0]:
            newest[key] = (version, scores)
    order = [row["criterion"] for row in frozen.content["criteria"]]
    grouped: dict[str, dict[str, list[list[int]]]] = {}
    for (voice, _, project_id), (_, scores) in newest.items():
        grouped.setdefault(voice, {}).setdefault(project_id, []).append([scores[name] for name in order])
    tallies = {voice: {name: tally(rows) for name, rows in row.items()} for voice, row in grouped.items()}
    return compute(frozen.content, candidates, tallies)


def tally(rows: list[list[int]]) -> Tally:
    columns = list(zip(*rows, strict=True))
    return Tally(
        len(rows),
        tuple(map(sum, columns)),
        tuple(map(min, columns)),
        tuple(map(max, columns)),
        tuple(sum(score * score for score in column) for column in columns),
    )


async def announced_result(bus: TestBus) -> dict[str, Any]:
    (closed,) = await bus.announced(RoundClosedV1)
    parts = await bus.announced(ResultRecordedV1)
    assert [part.part for part in parts] == list(range(1, closed.parts + 1))
    return {"lines": [line for part in parts for line in part.lines], **closed.summary}


async def test_the_result_is_announced_once_and_a_second_closing_shows_it(bus: TestBus, board: Board) -> None:
    await board.vote()
    await board.cast_all()
    first = await board.step("closing")
    again = await board.say("POST", "/rounds/runde-2026/closing", ("cdo-2", "cdo"))
    await bus.settled()

    assert first.status_code == 200
    assert again.json() == first.json()
    (closed,) = await bus.announced(RoundClosedV1)
    assert (closed.closed_by, closed.complete_voters, closed.judgements) == ("cdo-1", 3, 9)
    lines = (await announced_result(bus))["lines"]
    assert [(row["rank"], row["project_id"], row["score"], row["ballots"], row["outcome"]) for row in lines] == [
        (1, "bahnstadt", "56/15", 3, "selected"),
        (2, "stadtlexikon", "18/5", 3, "rejected"),
        (3, "handyparken", "34/15", 3, "rejected"),
    ]


async def test_the_result_is_recomputed_from_the_events_alone_in_any_order(bus: TestBus, board: Board) -> None:
    await board.open(min_assessments=0)
    for number, assessor in enumerate(("assessor-1", "assessor-2")):
        for project_id in POOL:
            await board.assess(assessor, project_id, 2 + number, 3, 3, 5)
    await board.step("ballots-opening", {})
    await board.cast_all()
    assert (await board.cast("board-3", "handyparken", (5, 5, 5, 5))).status_code == 200
    assert (await board.recuse(("board-1", "board"), "bahnstadt")).status_code == 200
    await board.step("closing")
    await bus.settled()

    result = await announced_result(bus)
    (closed,) = await bus.announced(RoundClosedV1)
    assert result == await recomputed(bus) == await recomputed(bus, reverse=True)
    assert closed.result_sha256 == fingerprint(result)
    assert closed.judgements == 10 + 6 + 1


async def test_a_recused_ballot_does_not_count(bus: TestBus, board: Board) -> None:
    await board.vote()
    await board.cast_all()
    await board.recuse(("cdo-1", "cdo"), "bahnstadt", holder="board-1")
    closed = await board.step("closing")

    assert closed.json()["complete_voters"] == 3
    line = next(row for row in (await board.result())["lines"] if row["project_id"] == "bahnstadt")
    assert (line["ballots"], line["means"]["buergernutzen"]) == (2, "9/2")


async def test_a_member_who_is_recused_is_done_with_that_candidate(board: Board) -> None:
    await board.vote()
    await board.recuse(("board-3", "board"), "stadtlexikon")
    await board.cast_all(VOTERS[:2])
    for project_id in POOL[:2]:
        await board.cast("board-3", project_id, (1, 1, 1, 1))

    assert (await board.show())["complete_voters"] == 3
    assert (await board.step("closing")).status_code == 200


async def test_without_a_quorum_a_round_stays_open(bus: TestBus, board: Board) -> None:
    await board.vote(electorate=["board-1", "board-2"], quorum=2)
    await board.cast_all(("board-1",))
    await board.cast("board-2", "bahnstadt", (5, 5, 5, 5))

    answer = await board.step("closing")
    assert answer.status_code == 409
    assert "Members who are done: 1 of 2" in answer.json()["detail"]
    await bus.settled()
    assert await bus.announced(RoundClosedV1) == []
    await board.cast_all(("board-1", "board-2"))
    assert (await board.step("closing")).status_code == 200


async def test_after_the_closing_nothing_is_taken(bus: TestBus, board: Board) -> None:
    await board.vote()
    await board.cast_all()
    await board.step("closing")

    assert (await board.cast("board-1", "handyparken", (5, 5, 5, 5))).status_code == 409
    assert (await board.recuse(("board-1", "board"), "handyparken")).status_code == 409
    await bus.settled()
    assert len(await bus.announced(BallotCastV2)) == 9


async def test_a_ballot_at_the_moment_of_closing_is_counted_or_refused(bus: TestBus, board: Board) -> None:
    """Every ballot that was answered with 200 is in the result, every other one is answered with 409."""
    await board.vote()
    await board.cast_all()

    async def again(number: int, voter: str, project_id: str) -> int:
        return (await board.cast(voter, project_id, [number % 5 + 1] * 4)).status_code

    racing = [again(number, voter, name) for number in range(5) for voter in VOTERS for name in POOL]
    casts = asyncio.gather(*racing[:30])
    closing = asyncio.create_task(board.step("closing"))
    statuses = [*await casts, *await asyncio.gather(*racing[30:])]
    assert (await closing).status_code == 200
    await bus.settled()

    assert set(statuses) <= {200, 409}
    assert len(await bus.announced(BallotCastV2)) <= 9 + statuses.count(200)
    assert await announced_result(bus) == await recomputed(bus)


async def test_two_closings_at_the_same_moment_are_one(bus: TestBus, board: Board) -> None:
    await board.vote()
    await board.cast_all()
    answers = await asyncio.gather(*(board.step("closing") for _ in range(3)))
    await bus.settled()

    assert [answer.status_code for answer in answers] == [200] * 3
    assert len(await bus.announced(RoundClosedV1)) == 1


async def test_the_weight_of_a_voice_is_that_which_was_frozen(board: Board) -> None:
    voices = [
        {"voice": "board", "title": "Board", "weight": "1/2"},
        {"voice": "citizens", "title": "Bürgerschaft", "kind": "votes", "weight": "1/2"},
    ]
    await board.vote(voices=voices)
    await board.cast_all()
    ballots = [{"approves": ["handyparken"], "people": 10}, {"approves": ["bahnstadt"], "people": 5}]
    path = "/rounds/runde-2026/voices/citizens/votes"
    assert (await board.say("PUT", path, ("u-1", "unit"), {"ballots": ballots})).status_code == 200
    await board.step("closing")

    lines = {row["project_id"]: row for row in (await board.result())["lines"]}
    assert lines["handyparken"]["voices"] == {"board": "34/15", "citizens": "5"}
    assert lines["handyparken"]["score"] == "109/30"
    assert lines["bahnstadt"]["voices"]["citizens"] == "3"


async def test_citizens_select_under_a_budget(board: Board) -> None:
    voices = [
        {"voice": "board", "title": "Board", "weight": "1"},
        {"voice": "citizens", "title": "Bürgerschaft", "kind": "votes", "weight": "0"},
    ]
    await board.vote(voices=voices, selection={"method": "greedy", "budget_eur": 50_000, "line": "investiv"})
    await board.cast_all()
    ballots = [{"approves": ["handyparken"], "people": 3}, {"approves": ["bahnstadt"], "people": 1}]
    await board.say("PUT", "/rounds/runde-2026/voices/citizens/votes", ("u-1", "unit"), {"ballots": ballots})
    closed = await board.step("closing")

    assert closed.status_code == 200, closed.text
    outcomes = {row["project_id"]: row["outcome"] for row in (await board.result())["lines"]}
    assert outcomes == {"handyparken": "selected", "bahnstadt": "rejected", "stadtlexikon": "rejected"}


async def test_a_whole_country_of_citizens_is_counted_at_once(board: Board) -> None:
    voices = [
        {"voice": "board", "title": "Board", "weight": "1"},
        {"voice": "citizens", "title": "Bürgerschaft", "kind": "votes", "weight": "0"},
    ]
    rules = {"method": "equal_shares", "budget_eur": 100_000, "line": "investiv"}
    await board.vote(voices=voices, selection=rules)
    await board.cast_all()
    ballots = [{"approves": list(names), "people": 10_000_000} for names in (*permutations(POOL), POOL[:1])]
    await board.say("PUT", "/rounds/runde-2026/voices/citizens/votes", ("u-1", "unit"), {"ballots": ballots})
    closed = await board.step("closing")

    assert closed.status_code == 200, closed.text
    assert sum(row["outcome"] == "selected" for row in (await board.result())["lines"]) == 2


async def test_a_search_without_an_end_is_said_and_can_be_tried_again(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    await board.vote(selection={"method": "portfolio", "budgets": [{"line": "investiv", "limit_eur": 60_000}]})
    await board.cast_all()
    with monkeypatch.context() as patch:
        patch.setattr("oker_decision.portfolio.highs.SECONDS", 0.0)
        answer = await board.step("closing")

    assert answer.status_code == 503, answer.text
    assert "again" in answer.json()["detail"]
    assert (await board.show())["stage"] == "ballot"
    assert (await board.step("closing")).status_code == 200


async def test_a_round_is_closed_or_cancelled_but_not_both_at_once(bus: TestBus, board: Board) -> None:
    await board.vote()
    await board.cast_all()
    closing, cancelling = await asyncio.gather(
        board.step("closing"), board.step("cancellation", {"reason": "Der Haushalt fehlt."})
    )
    await bus.settled()

    assert cancelling.status_code == 200
    assert (await board.show())["stage"] == "cancelled"
    assert (closing.status_code == 200) == (len(await bus.announced(RoundClosedV1)) == 1)
    assert (await board.decide()).status_code == 409


async def test_the_result_is_shown_to_all_after_the_decision_and_to_few_before(board: Board) -> None:
    await board.vote()
    await board.cast_all()
    await board.step("closing")
    path = "/rounds/runde-2026/result"

    assert (await board.say("GET", path, ("o-1", "officer"))).status_code == 403
    page = (await board.say("GET", f"{path}?limit=2", ("b-1", "board"))).json()
    rest = (await board.say("GET", f"{path}?limit=2&after={page['next']}", ("b-1", "board"))).json()
    assert ([row["rank"] for row in page["lines"]], [row["rank"] for row in rest["lines"]]) == ([1, 2], [3])
    assert rest["next"] is None
    await board.decide()
    assert (await board.say("GET", path, ("o-1", "officer"))).status_code == 200


async def test_the_service_answers_while_it_computes(http: AsyncClient, board: Board) -> None:
    await board.vote(robustness={"samples": 10_000, "seed": 1})
    await board.cast_all()
    closing = asyncio.create_task(board.step("closing"))
    healthy = 0
    while not (await asyncio.wait([closing], timeout=0.001))[0]:
        healthy += (await http.get("/health/live")).status_code == 200

    assert closing.result().status_code == 200
    assert healthy > 3
