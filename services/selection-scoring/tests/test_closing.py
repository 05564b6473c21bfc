"""A round is closed: quorum, ranking, decision, and the same ranking from the events alone."""

import asyncio
from typing import Any

import pytest
import rfc8785
from builders_selection_scoring import POOL, VOTERS, Token, a_body, a_registered_project, scores
from httpx import AsyncClient

from oker_contracts.selection.ballot_cast_v1 import BallotCastV1
from oker_contracts.selection.decision_taken_v1 import DecisionTakenV1
from oker_contracts.selection.round_opened_v1 import RoundOpenedV1
from oker_testkit.bus import TestBus
from selection_scoring import domain

SAID = {
    "bahnstadt": [(5, 3, 4, 2), (4, 4, 4, 4), (5, 5, 1, 1)],
    "handyparken": [(2, 3, 3, 3), (3, 3, 2, 5), (1, 1, 1, 1)],
    "stadtlexikon": [(4, 4, 2, 5), (5, 5, 5, 3), (2, 3, 3, 2)],
}


@pytest.fixture
async def cdo(bus: TestBus, http: AsyncClient, token: Token) -> dict[str, str]:
    """A round over three projects is open; the headers of the CDO."""
    for project_id in POOL:
        await bus.publish(a_registered_project(project_id))
    await bus.settled()
    headers = token("cdo-1", "cdo")
    assert (await http.post("/rounds", json=a_body(), headers=headers)).status_code == 201
    return headers


async def cast(http: AsyncClient, token: Token, voter: str, project_id: str, *said: int) -> int:
    path = f"/rounds/runde-2026/ballots/{project_id}"
    answer = await http.put(path, json={"scores": scores(*said)}, headers=token(voter, "board"))
    return answer.status_code


async def cast_all(http: AsyncClient, token: Token, voters: tuple[str, ...] = VOTERS) -> None:
    for number, voter in enumerate(voters):
        for project_id in POOL:
            assert await cast(http, token, voter, project_id, *SAID[project_id][number]) == 200


async def close(http: AsyncClient, headers: dict[str, str]) -> tuple[int, Any]:
    answer = await http.post("/rounds/runde-2026/closing", headers=headers)
    return answer.status_code, answer.json()


def recomputed(opened: RoundOpenedV1, ballots: list[BallotCastV1]) -> list[tuple[int, str, str, int, bool]]:
    ranking = domain.recompute(opened.model_dump(mode="json"), [ballot.model_dump(mode="json") for ballot in ballots])
    return [(row.rank, row.project_id, str(row.score), row.ballots, row.selected) for row in ranking]


def decided(decision: DecisionTakenV1) -> list[tuple[int, str, str, int, bool]]:
    return [(row.rank, row.project_id, row.score, row.ballots, row.selected) for row in decision.ranking]


async def test_the_decision_is_announced_once_with_the_exact_ranking(
    bus: TestBus, http: AsyncClient, token: Token, cdo: dict[str, str]
) -> None:
    await cast_all(http, token)
    first = await close(http, cdo)
    again = await close(http, token("cdo-2", "cdo"))
    await bus.settled()

    assert first[0] == 200
    assert again == first
    (decision,) = await bus.announced(DecisionTakenV1)
    assert decided(decision) == [
        (1, "bahnstadt", "56/15", 3, True),
        (2, "stadtlexikon", "18/5", 3, False),
        (3, "handyparken", "34/15", 3, False),
    ]
    assert (decision.title, decision.decided_by) == ("Auswahlrunde 2026", "cdo-1")
    assert decision.ranking[0].title == "Projekt bahnstadt"
    shown = await http.get("/rounds/runde-2026/decision", headers=token("o-1", "officer"))
    assert DecisionTakenV1.model_validate_json(shown.text) == decision


async def test_the_ranking_is_recomputed_from_the_events_alone(
    bus: TestBus, http: AsyncClient, token: Token, cdo: dict[str, str]
) -> None:
    await cast_all(http, token)
    assert await cast(http, token, "board-3", "handyparken", 5, 5, 5, 5) == 200
    await close(http, cdo)
    await bus.settled()

    (opened,) = await bus.announced(RoundOpenedV1)
    ballots = await bus.announced(BallotCastV1)
    (decision,) = await bus.announced(DecisionTakenV1)
    assert len(ballots) == 10
    assert recomputed(opened, ballots) == recomputed(opened, ballots[::-1]) == decided(decision)


async def test_the_fingerprints_are_recomputed_from_the_events_alone(
    bus: TestBus, http: AsyncClient, token: Token, cdo: dict[str, str]
) -> None:
    await cast_all(http, token)
    await close(http, cdo)
    await bus.settled()

    (opened,) = await bus.announced(RoundOpenedV1)
    (decision,) = await bus.announced(DecisionTakenV1)
    said = opened.model_dump(mode="json")
    ballots = domain.counted(said, [row.model_dump(mode="json") for row in await bus.announced(BallotCastV1)])
    round = domain.opened_from(said)
    assert domain.freeze(round.round, rfc8785.dumps, round.opened_at) == round
    assert decision.frozen_sha256 == opened.frozen_sha256
    assert decision.ballots_sha256 == domain.ballots_fingerprint(ballots, rfc8785.dumps)


async def test_without_a_quorum_a_round_stays_open(
    bus: TestBus, http: AsyncClient, token: Token, cdo: dict[str, str]
) -> None:
    await cast_all(http, token, ("board-1",))
    assert await cast(http, token, "board-2", "bahnstadt", 5, 5, 5, 5) == 200

    status, said = await close(http, cdo)
    assert status == 409
    assert said["detail"] == "Members who have scored every candidate: 1; the quorum is 2."
    await bus.settled()
    assert await bus.announced(DecisionTakenV1) == []
    await cast_all(http, token, ("board-1", "board-2"))
    assert (await close(http, cdo))[0] == 200


async def test_after_the_closing_no_ballot_is_taken(
    bus: TestBus, http: AsyncClient, token: Token, cdo: dict[str, str]
) -> None:
    await cast_all(http, token)
    await close(http, cdo)

    assert await cast(http, token, "board-1", "handyparken", 5, 5, 5, 5) == 409
    await bus.settled()
    assert len(await bus.announced(BallotCastV1)) == 9
    shown = await http.get("/rounds/runde-2026", headers=cdo)
    assert (shown.json()["closed"], shown.json()["complete_voters"]) == (True, 3)


async def test_a_ballot_at_the_moment_of_closing_is_counted_or_refused(
    bus: TestBus, http: AsyncClient, token: Token, cdo: dict[str, str]
) -> None:
    """Every ballot that was answered with 200 is in the decision, every other one is answered with 409."""
    await cast_all(http, token)
    racing = [
        cast(http, token, voter, project_id, *(number % 5 + 1 for _ in range(4)))
        for number in range(5)
        for voter in VOTERS
        for project_id in POOL
    ]
    casts = asyncio.gather(*racing[:30])
    closing = asyncio.create_task(close(http, cdo))
    rest = asyncio.gather(*racing[30:])
    statuses = [*await casts, *await rest]
    assert (await closing)[0] == 200
    await bus.settled()

    assert set(statuses) <= {200, 409}
    (opened,) = await bus.announced(RoundOpenedV1)
    (decision,) = await bus.announced(DecisionTakenV1)
    said = opened.model_dump(mode="json")
    events = [row.model_dump(mode="json") for row in await bus.announced(BallotCastV1)]
    assert recomputed(opened, await bus.announced(BallotCastV1)) == decided(decision)
    counted = domain.ballots_fingerprint(domain.counted(said, events), rfc8785.dumps)
    assert counted == decision.ballots_sha256
