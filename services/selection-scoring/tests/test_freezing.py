"""A round is frozen before it opens; a change afterwards is refused."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders_selection_scoring import LATER, POOL, SOON, VOTERS, Board, Watch, a_profile
from hypothesis import given
from hypothesis import strategies as st

from oker_contracts.selection.candidates_frozen_v1 import CandidatesFrozenV1
from oker_contracts.selection.round_frozen_v1 import RoundFrozenV1
from oker_decision.canonical import digest
from oker_testkit.bus import TestBus
from selection_scoring.domain import freezing

pytestmark = pytest.mark.usefixtures("pool")


async def test_the_hash_of_a_round_covers_all_that_its_result_depends_on(bus: TestBus, board: Board) -> None:
    answer = await board.freeze()
    await bus.settled()

    assert answer.status_code == 201
    (fact,) = await bus.announced(RoundFrozenV1)
    (part,) = await bus.announced(CandidatesFrozenV1)
    assert answer.json()["frozen_sha256"] == fact.frozen_sha256 == digest(fact.content)
    assert fact.content["candidates_sha256"] == digest([row.model_dump() for row in part.candidates])
    assert [(row.project_id, row.version) for row in part.candidates] == [(name, 3) for name in POOL]
    assert fact.content["procedure"] == "oker/1"
    assert [row["weight"] for row in fact.content["criteria"]] == ["2/5", "1/5", "1/5", "1/5"]


async def test_the_same_round_again_changes_nothing_whatever_the_order(bus: TestBus, board: Board) -> None:
    first = await board.freeze(candidates=list(POOL))
    again = await board.freeze(candidates=list(POOL)[::-1], electorate=list(VOTERS)[::-1])
    await bus.settled()

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert len(await bus.announced(RoundFrozenV1)) == 1
    assert len(await bus.announced(CandidatesFrozenV1)) == 1


async def test_two_freezings_at_the_same_moment_are_one(bus: TestBus, board: Board) -> None:
    answers = await asyncio.gather(*(board.freeze() for _ in range(4)))
    await bus.settled()

    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len(await bus.announced(RoundFrozenV1)) == 1


async def test_the_whole_pool_is_that_of_the_freezing_in_the_versions_of_then(bus: TestBus, board: Board) -> None:
    first = await board.freeze()
    await bus.publish(a_profile("nachzuegler"))
    await bus.publish(a_profile("bahnstadt", version=9, profile={"title": "Umgebaut"}))
    await bus.settled()
    again = await board.freeze()

    assert again.status_code == 200
    assert again.json() == first.json()


async def test_rounds_that_are_frozen_at_the_same_moment_do_not_share_a_project(board: Board) -> None:
    await board.say("GET", "/criteria-sets", ("b-1", "board"))
    rounds = [Board(board.http, board.token, f"runde-{number}") for number in range(6)]
    answers = await asyncio.gather(*(row.freeze(candidates=["bahnstadt"]) for row in rounds))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]


@pytest.mark.parametrize(
    "said",
    [
        {"quorum": 3},
        {"candidates": ["bahnstadt"]},
        {"title": "Andere Runde"},
        {"discussion_spread": 3},
        {"selection": {"method": "seats", "seats": 2}},
        {"ballots_until": (datetime.now(UTC) + timedelta(days=99)).isoformat()},
    ],
)
async def test_a_change_after_the_freezing_is_refused(bus: TestBus, board: Board, said: dict[str, Any]) -> None:
    await board.freeze()

    assert (await board.freeze(**said)).status_code == 409
    await bus.settled()
    assert len(await bus.announced(RoundFrozenV1)) == 1


async def test_a_project_is_in_one_running_round_at_a_time(board: Board) -> None:
    await board.freeze(candidates=["bahnstadt"])
    other = Board(board.http, board.token, "runde-2027")

    taken = await other.freeze(candidates=["bahnstadt", "handyparken"])
    rest = await other.freeze()
    assert taken.status_code == 409
    assert "bahnstadt" in taken.json()["detail"]
    assert "runde-2026" in taken.json()["detail"]
    assert rest.json()["content"]["candidates"] == 2
    await board.step("cancellation", {"reason": "Verschoben."})
    third = Board(board.http, board.token, "runde-2028")
    assert (await third.freeze(candidates=["bahnstadt"])).status_code == 201


async def test_a_project_that_left_the_pool_for_a_round_is_told_with_the_round(bus: TestBus, board: Board) -> None:
    await board.freeze(candidates=["bahnstadt"])
    await bus.publish(a_profile("bahnstadt", version=4, state="in_selection", previous_state="eligible"))
    await bus.settled()

    answer = await Board(board.http, board.token, "runde-2027").freeze(candidates=["bahnstadt"])
    assert answer.status_code == 409
    assert "bahnstadt is in the round runde-2026" in answer.json()["detail"]


async def test_the_whole_pool_waits_for_the_projects_of_a_cancelled_round(
    bus: TestBus, board: Board, watch: Watch
) -> None:
    await board.freeze(candidates=list(POOL[:2]))
    for name in POOL[:2]:
        await bus.publish(a_profile(name, version=4, state="in_selection", previous_state="eligible"))
    await bus.settled()
    await board.step("cancellation", {"reason": "Verschoben."})
    await bus.publish(a_profile("handyparken", version=5, previous_state="in_selection"))
    await bus.settled()

    other = Board(board.http, board.token, "runde-2027")
    early = await other.freeze()
    assert early.status_code == 409
    assert "not back in the pool yet: bahnstadt." in early.json()["detail"]
    watch.ahead = timedelta(minutes=11)
    later = await other.freeze()
    assert (later.status_code, later.json()["content"]["candidates"]) == (201, 2)


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"candidates": ["bahnstadt", "mondlandung"]}, "$.candidates[1]"),
        ({"candidates": ["bahnstadt", "bahnstadt"]}, "$.candidates[1]"),
        ({"quorum": 4}, "$.quorum"),
        ({"electorate": ["board-1", "board-1"], "quorum": 1}, "$.electorate[1]"),
        ({"min_assessments": 3}, "$.min_assessments"),
        ({"voices": [{"voice": "board", "title": "Board", "weight": "1/2"}]}, "$.voices"),
        ({"voices": [{"voice": "forum", "title": "Forum", "weight": "1"}]}, "$.voices"),
        ({"criteria_set": {"set": "unbekannt"}}, "$.criteria_set"),
        ({"criteria_set": {"set": "strategie-2020", "version": 7}}, "$.criteria_set"),
        ({"ballots_until": "2020-01-01T00:00:00Z", "assessments_until": "2020-01-01T00:00:00Z"}, "$.ballots_until"),
        ({"assessments_until": "2020-01-01T00:00:00Z"}, "$.assessments_until"),
        ({"assessments_until": LATER, "ballots_until": SOON}, "$.assessments_until"),
        ({"selection": {"method": "greedy", "budget_eur": 1, "line": "investiv"}}, "$.voices"),
        (
            {"selection": {"method": "portfolio", "exclusions": [["bahnstadt", "mondlandung"]]}},
            "$.selection.exclusions",
        ),
        (
            {
                "selection": {
                    "method": "portfolio",
                    "budgets": [{"line": "investiv", "limit_eur": 1}],
                    "minimum_per_field": {"mobilitaet": 1},
                }
            },
            "$.selection.minimum_per_field.mobilitaet",
        ),
        (
            {"comparisons": {"promethee_ii": {"functions": {"buergernutzen": {"shape": "usual"}}}}},
            "$.comparisons.promethee_ii.functions",
        ),
    ],
)
async def test_a_faulty_round_is_refused_with_its_path(board: Board, said: dict[str, Any], path: str) -> None:
    answer = await board.freeze(**said)

    assert answer.status_code == 422, answer.text
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
        {"selection": {"method": "seats", "seats": 10**30}},
        {"selection": {"method": "seats", "seats": True}},
        {"selection": {"method": "lottery"}},
        {"surprise": 1},
        {"voices": [{"voice": "board", "title": "Board", "weight": "0.4"}]},
        {"voices": [{"voice": "board", "title": "Board", "weight": "9" * 5000}]},
        {"ballots_until": "2026-03-01"},
        {"ballots_until": 1767225600},
        {"robustness": {"samples": 10**9, "seed": 1}},
    ],
)
async def test_what_is_no_round_at_all_is_refused(board: Board, said: dict[str, Any]) -> None:
    assert (await board.freeze(**said)).status_code == 422


async def test_an_empty_pool_is_said(bus: TestBus, board: Board) -> None:
    for name in POOL:
        await bus.publish(a_profile(name, version=4, state="stopped", previous_state="eligible"))
    await bus.settled()

    answer = await board.freeze()
    assert answer.status_code == 409
    assert "The pool is empty" in answer.json()["detail"]


async def test_the_candidates_of_a_round_are_shown(board: Board) -> None:
    await board.freeze()
    shown = (await board.say("GET", "/rounds/runde-2026/candidates?limit=2", ("b-1", "board"))).json()

    assert [row["project_id"] for row in shown] == ["bahnstadt", "handyparken"]
    (line,) = (await board.say("GET", "/rounds", ("b-1", "board"))).json()
    assert (line["round_id"], line["stage"]) == ("runde-2026", "frozen")


@given(st.lists(st.integers(1, 60)), st.integers(1, 5), st.integers(60, 200))
def test_parts_hold_all_rows_in_order_and_none_is_too_large(sizes: list[int], rows: int, room: int) -> None:
    found = freezing.parts(list(enumerate(sizes)), sizes, rows, room)

    assert [row for part in found for row in part] == list(enumerate(sizes))
    assert all(0 < len(part) <= rows and sum(size for _, size in part) <= room for part in found)


@given(st.randoms(use_true_random=False))
def test_equal_content_has_an_equal_hash_whatever_the_order(chance: Any) -> None:
    def shuffled(rows: list[Any]) -> list[Any]:
        return chance.sample(rows, len(rows))  # type: ignore[no-any-return]

    def content(order: Any, pair: Any) -> dict[str, Any]:
        asked = {
            **dict.fromkeys(("round_id", "title", "comparisons", "robustness", "min_assessments"), 0),
            **{"discussion_spread": 2, "quorum": 1, "may_end_early": True},
            "voices": [{"voice": "board", "weight": "2/2"}],
            "assessors": order(["a", "b", "c"]),
            "electorate": order(["v", "w", "x"]),
            "assessments_until": datetime(2026, 3, 1, 12, tzinfo=UTC),
            "ballots_until": datetime(2026, 3, 1, 12, tzinfo=UTC),
            "selection": {
                "method": "portfolio",
                "budgets": order([{"line": "a", "limit_eur": 1}, {"line": "b", "limit_eur": 2}]),
                "exclusions": order([pair(["p", "q"]), pair(["r", "q"])]),
                "dependencies": order([{"project": "p", "needs": "q"}, {"project": "p", "needs": "r"}]),
                "part_funding": order([{"project": "p", "share": "1/2"}, {"project": "q", "share": "2/4"}]),
            },
        }
        return freezing.content(
            asked, dict.fromkeys(("set", "version", "criteria", "scale_min", "scale_max"), 1), 1, ""
        )

    assert digest(content(shuffled, shuffled)) == digest(content(list, list))
