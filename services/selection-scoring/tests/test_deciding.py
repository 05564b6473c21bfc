"""The computed result and the board's decision stand side by side."""

import asyncio
from typing import Any

import pytest
from builders_selection_scoring import Board

from oker_contracts.selection.decision_taken_v2 import DecisionTakenV2
from oker_testkit.bus import TestBus
from selection_scoring.domain.deciding import Computed, Override, decide

pytestmark = pytest.mark.usefixtures("pool")
LATER = {"project_id": "bahnstadt", "decided": "deferred", "reason": "Erst nach dem Umbau."}
INSTEAD = {"project_id": "stadtlexikon", "decided": "selected", "reason": "Rückt nach."}


@pytest.fixture
async def closed(board: Board) -> Board:
    """A round in which bahnstadt was computed as selected."""
    await board.vote()
    await board.cast_all()
    assert (await board.step("closing")).status_code == 200
    return board


async def test_a_decision_without_overrides_follows_the_result(bus: TestBus, closed: Board) -> None:
    answer = await closed.decide()
    await bus.settled()

    assert answer.status_code == 200, answer.text
    (fact,) = await bus.announced(DecisionTakenV2)
    line, *others = fact.lines
    assert [(row.rank, row.decided) for row in others] == [(2, "rejected"), (3, "rejected")]
    assert (line.project_id, line.title, line.score, line.computed, line.decided) == (
        "bahnstadt",
        "Projekt bahnstadt",
        "56/15",
        "selected",
        "selected",
    )
    assert (fact.candidates, fact.decided_by) == (3, "cdo-1")
    assert fact.result_sha256 == (await closed.result())["result_sha256"]
    shown = await closed.say("GET", "/rounds/runde-2026/decision", ("o-1", "officer"))
    assert DecisionTakenV2.model_validate_json(shown.text) == fact


async def test_overrides_stand_beside_what_was_computed_with_their_reason(bus: TestBus, closed: Board) -> None:
    staffing = [{"project_id": "stadtlexikon", "kind": "release", "holder": "officer-1", "full_time_equivalents": 0.5}]
    answer = await closed.decide(overrides=[LATER, INSTEAD], staffing=staffing, note="Einstimmig.")
    await bus.settled()

    assert answer.status_code == 200, answer.text
    (fact,) = await bus.announced(DecisionTakenV2)
    assert [(row.project_id, row.computed, row.decided, row.share, row.reason) for row in fact.lines] == [
        ("bahnstadt", "selected", "deferred", "0", "Erst nach dem Umbau."),
        ("stadtlexikon", "rejected", "selected", "1", "Rückt nach."),
        ("handyparken", "rejected", "rejected", "0", ""),
    ]
    assert (fact.staffing[0].full_time_equivalents, fact.note) == (0.5, "Einstimmig.")


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        ([{**LATER, "reason": ""}], "$.overrides[0].reason"),
        ([{**LATER, "reason": "  \n"}], "$.overrides[0].reason"),
        ([LATER, {**INSTEAD, "project_id": "mondlandung"}], "$.overrides[1].project_id"),
        ([LATER, LATER], "$.overrides[1].project_id"),
        ([{**LATER, "decided": "selected"}], "$.overrides[0].decided"),
        ([{**INSTEAD, "decided": "rejected"}], "$.overrides[0].decided"),
    ],
)
async def test_a_faulty_override_is_refused_with_its_path(
    bus: TestBus, closed: Board, overrides: list[Any], path: str
) -> None:
    answer = await closed.decide(overrides=overrides)
    await bus.settled()

    assert (answer.status_code, answer.json()["path"]) == (422, path)
    assert await bus.announced(DecisionTakenV2) == []


async def test_the_same_decision_again_changes_nothing_and_another_is_a_conflict(bus: TestBus, closed: Board) -> None:
    first = await closed.decide(overrides=[LATER])
    again = await closed.decide(overrides=[LATER])
    other = await closed.decide(overrides=[INSTEAD])
    await bus.settled()

    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 409)
    assert again.json() == first.json()
    assert len(await bus.announced(DecisionTakenV2)) == 1


async def test_of_two_decisions_at_the_same_moment_one_stands(bus: TestBus, closed: Board) -> None:
    bodies = [{"note": "Die eine."}, {"note": "Die andere."}, {"note": "Die eine."}]
    answers = await asyncio.gather(*(closed.decide(**body) for body in bodies))
    await bus.settled()

    [decision] = await bus.announced(DecisionTakenV2)
    for answer, body in zip(answers, bodies, strict=True):
        assert answer.status_code == (200 if body["note"] == decision.note else 409)


async def test_nobody_decides_without_the_hash_of_the_result_they_saw(bus: TestBus, closed: Board) -> None:
    nothing = await closed.step("decision", {})
    other = await closed.step("decision", {"result_sha256": "ab" * 32})
    await bus.settled()

    assert (nothing.status_code, nothing.json()["path"]) == (422, "$.result_sha256")
    assert other.status_code == 409
    assert "send its result_sha256" in other.json()["detail"]
    assert (await closed.show())["stage"] == "closed"
    assert await bus.announced(DecisionTakenV2) == []


async def test_staffing_is_for_candidates_of_the_round(closed: Board) -> None:
    staffing = [{"project_id": "mondlandung", "kind": "staffing", "full_time_equivalents": 1}]
    answer = await closed.decide(staffing=staffing)

    assert (answer.status_code, answer.json()["path"]) == (422, "$.staffing[0].project_id")


def test_a_part_share_stays_and_an_override_is_funded_in_full() -> None:
    computed = [Computed("a", "A", 1, "4", "selected", "1/2"), Computed("b", "B", 2, "3", "rejected", "0")]
    lines = decide(computed, [Override("b", "selected", "Beide passen.")])

    assert [(row["project_id"], row["share"]) for row in lines] == [("a", "1/2"), ("b", "1")]


def test_a_decision_names_the_first_ten_that_are_not_selected() -> None:
    computed = [Computed(f"p{n:02}", "P", n, "1", "rejected" if n > 1 else "selected", "0") for n in range(1, 31)]
    lines = decide(computed, [Override("p30", "deferred", "Später.")])

    assert [row["rank"] for row in lines] == [*range(1, 12), 30]
