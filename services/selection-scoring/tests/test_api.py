"""Rounds over HTTP: opening, ballots, who may do what."""

import asyncio
from typing import Any

import pytest
from builders_selection_scoring import POOL, Token, a_body, a_registered_project, scores
from httpx import AsyncClient, Response

from oker_contracts.selection.ballot_cast_v1 import BallotCastV1
from oker_contracts.selection.round_opened_v1 import RoundOpenedV1
from oker_testkit.bus import TestBus

pytestmark = pytest.mark.usefixtures("pool")


@pytest.fixture
async def pool(bus: TestBus) -> None:
    """Three projects are in the pool."""
    for project_id in POOL:
        await bus.publish(a_registered_project(project_id))
    await bus.settled()


class Rounds:
    """The API as its users call it."""

    def __init__(self, http: AsyncClient, token: Token) -> None:
        self.http = http
        self.token = token

    async def open(self, **said: Any) -> Response:
        return await self.http.post("/rounds", json=a_body(**said), headers=self.token("cdo-1", "cdo"))

    async def cast(self, voter: str, project_id: str, said: Any, round_id: str = "runde-2026") -> Response:
        path = f"/rounds/{round_id}/ballots/{project_id}"
        return await self.http.put(path, json={"scores": said}, headers=self.token(voter, "board"))

    async def close(self) -> Response:
        return await self.http.post("/rounds/runde-2026/closing", headers=self.token("cdo-1", "cdo"))

    async def show(self) -> dict[str, Any]:
        answer = await self.http.get("/rounds/runde-2026", headers=self.token("a-1", "auditor"))
        said: dict[str, Any] = answer.json()
        return said


@pytest.fixture
def rounds(http: AsyncClient, token: Token) -> Rounds:
    """The API as its users call it."""
    return Rounds(http, token)


async def test_a_round_is_opened_and_frozen_in_one_step(bus: TestBus, rounds: Rounds) -> None:
    answer = await rounds.open()
    await bus.settled()

    assert answer.status_code == 201
    (opened,) = await bus.announced(RoundOpenedV1)
    assert opened.candidates == list(POOL)
    assert [row.weight for row in opened.criteria] == ["2/5", "1/5", "1/5", "1/5"]
    assert (opened.scale_min, opened.scale_max) == (1, 5)
    assert answer.json()["frozen_sha256"] == opened.frozen_sha256
    shown = await rounds.show()
    assert (shown["closed"], shown["ballots"], shown["complete_voters"]) == (False, 0, 0)


async def test_the_same_round_again_changes_nothing(bus: TestBus, rounds: Rounds) -> None:
    first = await rounds.open(candidates=list(POOL))
    again = await rounds.open(candidates=list(POOL)[::-1])
    await bus.settled()

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert len(await bus.announced(RoundOpenedV1)) == 1


async def test_two_openings_at_the_same_moment_are_one(bus: TestBus, rounds: Rounds) -> None:
    answers = await asyncio.gather(*(rounds.open() for _ in range(4)))
    await bus.settled()

    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len(await bus.announced(RoundOpenedV1)) == 1


async def test_the_whole_pool_is_the_pool_of_the_opening(bus: TestBus, rounds: Rounds) -> None:
    first = await rounds.open()
    await bus.publish(a_registered_project("nachzuegler"))
    await bus.settled()
    again = await rounds.open()

    assert again.status_code == 200
    assert again.json() == first.json()


async def test_another_content_under_the_same_id_is_a_conflict(bus: TestBus, rounds: Rounds) -> None:
    await rounds.open()

    assert (await rounds.open(quorum=3)).status_code == 409
    assert (await rounds.open(candidates=["bahnstadt"])).status_code == 409
    await bus.settled()
    assert len(await bus.announced(RoundOpenedV1)) == 1


async def test_weights_can_be_given_exactly(bus: TestBus, rounds: Rounds) -> None:
    criteria = [
        {"criterion": "buergernutzen", "title": "Bürgernutzen", "weight": "4/6"},
        {"criterion": "teilhabe", "title": "Teilhabe", "weight": "1/3"},
    ]
    await rounds.open(criteria=criteria)
    await bus.settled()

    (opened,) = await bus.announced(RoundOpenedV1)
    assert [(row.criterion, row.weight) for row in opened.criteria] == [
        ("buergernutzen", "2/3"),
        ("teilhabe", "1/3"),
    ]


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"candidates": ["bahnstadt", "mondlandung"]}, "$.candidates[1]"),
        ({"quorum": 4}, "$.quorum"),
        ({"electorate": ["board-1", "board-1"], "quorum": 1}, "$.electorate[1]"),
        ({"criteria": [{"criterion": "a", "title": "A", "weight": "1/2"}]}, "$.criteria"),
    ],
)
async def test_a_faulty_round_is_refused_with_its_path(rounds: Rounds, said: dict[str, Any], path: str) -> None:
    answer = await rounds.open(**said)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["path"]) == ("field_value_invalid", path)


@pytest.mark.parametrize(
    "said",
    [
        {"title": "Runde\x00"},
        {"title": ""},
        {"round_id": "Runde 2026"},
        {"candidates": []},
        {"electorate": []},
        {"quorum": 0},
        {"quorum": "2"},
        {"seats": 10**30},
        {"seats": True},
        {"surprise": 1},
        {"criteria": [{"criterion": "a", "title": "A", "weight": "0.4"}]},
        {"criteria": [{"criterion": "a", "title": "A", "weight": "1/0"}]},
        {"criteria": [{"criterion": "a", "title": "A", "weight": "9" * 5000}]},
    ],
)
async def test_what_is_no_round_at_all_is_refused(rounds: Rounds, said: dict[str, Any]) -> None:
    assert (await rounds.open(**said)).status_code == 422


async def test_a_ballot_is_cast_and_announced(bus: TestBus, rounds: Rounds) -> None:
    opened = (await rounds.open()).json()
    answer = await rounds.cast("board-1", "bahnstadt", scores(5, 4, 3, 2))
    await bus.settled()

    assert answer.status_code == 200
    (cast,) = await bus.announced(BallotCastV1)
    assert (cast.voter, cast.project_id, cast.version) == ("board-1", "bahnstadt", 1)
    assert cast.scores == scores(5, 4, 3, 2)
    assert cast.frozen_sha256 == opened["frozen_sha256"]


async def test_changed_scores_are_a_new_version_and_the_same_are_nothing(bus: TestBus, rounds: Rounds) -> None:
    await rounds.open()
    said = [scores(5, 4, 3, 2), scores(5, 4, 3, 2), scores(1, 4, 3, 2)]
    answers = [(await rounds.cast("board-1", "bahnstadt", row)).json() for row in said]
    await bus.settled()

    assert [answer["version"] for answer in answers] == [1, 1, 2]
    assert answers[0] == answers[1]
    assert [row.version for row in await bus.announced(BallotCastV1)] == [1, 2]
    assert (await rounds.show())["ballots"] == 1


@pytest.mark.parametrize(
    ("said", "code", "path"),
    [
        ({"buergernutzen": 3}, "field_missing", "$.scores.kosten-nutzen-verhaeltnis"),
        ({**scores(1, 2, 3, 4), "glanz": 5}, "field_value_invalid", "$.scores.glanz"),
        (scores(6, 2, 3, 4), "number_out_of_range", "$.scores.buergernutzen"),
    ],
)
async def test_faulty_scores_are_refused_with_their_path(
    bus: TestBus, rounds: Rounds, said: dict[str, int], code: str, path: str
) -> None:
    await rounds.open()
    answer = await rounds.cast("board-1", "bahnstadt", said)
    await bus.settled()

    assert answer.status_code == 422
    assert (answer.json()["code"], answer.json()["path"]) == (code, path)
    assert await bus.announced(BallotCastV1) == []


@pytest.mark.parametrize("score", ["5", 4.5, True, None, 10**30])
async def test_a_score_is_a_whole_number_on_the_scale(rounds: Rounds, score: Any) -> None:
    await rounds.open()

    answer = await rounds.cast("board-1", "bahnstadt", {**scores(1, 2, 3, 4), "aussenwirkung": score})
    assert answer.status_code == 422


async def test_who_is_not_in_the_electorate_has_no_vote(bus: TestBus, rounds: Rounds) -> None:
    await rounds.open()
    answer = await rounds.cast("board-9", "bahnstadt", scores(5, 5, 5, 5))
    await bus.settled()

    assert answer.status_code == 403
    assert await bus.announced(BallotCastV1) == []


async def test_what_does_not_exist_is_not_found(rounds: Rounds) -> None:
    await rounds.open(candidates=["bahnstadt"])

    assert (await rounds.cast("board-1", "handyparken", scores(1, 1, 1, 1))).status_code == 404
    assert (await rounds.cast("board-1", "bahnstadt", scores(1, 1, 1, 1), "no-round")).status_code == 404
    assert (await rounds.http.get("/rounds/no-round", headers=rounds.token("c", "cdo"))).status_code == 404
    decision = await rounds.http.get("/rounds/runde-2026/decision", headers=rounds.token("c", "cdo"))
    assert decision.status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "roles"),
    [
        ("POST", "/rounds", ["board", "unit"]),
        ("PUT", "/rounds/runde-2026/ballots/bahnstadt", ["cdo", "unit"]),
        ("POST", "/rounds/runde-2026/closing", ["board", "unit"]),
        ("GET", "/rounds/runde-2026", ["partner"]),
    ],
)
async def test_each_role_does_its_own_part_only(
    http: AsyncClient, token: Token, method: str, path: str, roles: list[str]
) -> None:
    assert (await http.request(method, path, json={})).status_code == 401
    assert (
        await http.request(method, path, json={}, headers=token("x-1", *roles, partner="verkehr"))
    ).status_code == 403


async def test_the_pool_is_shown(http: AsyncClient, token: Token) -> None:
    shown = (await http.get("/candidates", headers=token("board-1", "board"))).json()

    assert [row["project_id"] for row in shown] == list(POOL)
