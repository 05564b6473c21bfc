"""What rounds of selection do to projects."""

from datetime import datetime
from typing import Any

import pytest
from builders_project_registry import NOON, Desk

from oker_contracts.project.profile_recorded_v1 import ProfileRecordedV1
from oker_contracts.selection.candidates_frozen_v1 import CandidatesFrozenV1, FrozenCandidate
from oker_contracts.selection.criteria_recorded_v1 import LogLink
from oker_contracts.selection.decision_taken_v2 import DecidedProject, DecisionTakenV2, upcast_v1
from oker_contracts.selection.round_frozen_v1 import RoundFrozenV1
from oker_contracts.selection.round_moved_v1 import RoundMovedV1
from oker_testkit.bus import TestBus, eventually

HASH = "0" * 64
LOG = LogLink(number=1, previous_sha256=HASH, sha256=HASH)
PROJECTS = ("rad-a", "rad-b", "rad-c", "rad-d")


def frozen(round_id: str, *parts: tuple[str, ...]) -> list[Any]:
    """A frozen round with its candidates."""
    count = sum(len(part) for part in parts)
    opening = RoundFrozenV1(
        round_id=round_id,
        content={"candidates": count},
        frozen_sha256=HASH,
        parts=len(parts),
        frozen_by="c-1",
        frozen_at=NOON,
        log=LOG,
    )
    candidates = [
        CandidatesFrozenV1(
            round_id=round_id, frozen_sha256=HASH, part=number, candidates=[a_candidate(project) for project in part]
        )
        for number, part in enumerate(parts, 1)
    ]
    return [opening, *candidates]


def a_candidate(project_id: str) -> FrozenCandidate:
    return FrozenCandidate(
        project_id=project_id, version=3, title=project_id, fields_of_action=[], costs={}, profile_sha256=HASH
    )


def moved(round_id: str, stage: Any) -> RoundMovedV1:
    return RoundMovedV1(
        round_id=round_id,
        frozen_sha256=HASH,
        stage=stage,
        discuss=[],
        reason="x",
        moved_by="c-1",
        moved_at=NOON,
        log=LOG,
    )


def decided(round_id: str, **outcomes: Any) -> DecisionTakenV2:
    """A decision; a project that is not named is rejected as computed."""
    lines = [
        DecidedProject(
            rank=rank,
            project_id=project.replace("_", "-"),
            title=project,
            score="3",
            computed="selected",
            decided=outcome,
            share="1",
            reason="Noch kein Geld." if outcome == "deferred" else "",
        )
        for rank, (project, outcome) in enumerate(outcomes.items(), 1)
    ]
    return DecisionTakenV2(
        round_id=round_id,
        title="Runde",
        frozen_sha256=HASH,
        result_sha256=HASH,
        lines=lines,
        candidates=4,
        note="",
        decided_by="c-1",
        decided_at=NOON,
        log=LOG,
    )


async def say(bus: TestBus, *facts: Any) -> None:
    for fact in facts:
        await bus.publish(fact)
    await bus.settled()


@pytest.fixture
async def eligible(desk: Desk) -> Desk:
    """Three projects that passed the gate, and one that has not."""
    await desk.organise(("t-1", "o-1", "officer"))
    for project in PROJECTS[:3]:
        await desk.eligible(project)
    await desk.done("POST", "/projects", {"project_id": "rad-d", "title": "rad-d", "state": "idea"})
    return desk


async def states(desk: Desk) -> dict[str, tuple[str, str | None]]:
    """State and round of each of the four projects."""
    rows = await desk.done("GET", "/projects?q=rad-")
    return {row["project_id"]: (row["state"], row["round_id"]) for row in rows}


async def test_candidates_of_a_round_that_opens_are_in_selection(bus: TestBus, eligible: Desk) -> None:
    await say(bus, *frozen("r-1", ("rad-a",), ("rad-b", "rad-d")))
    assert (await states(eligible))["rad-a"] == ("eligible", None)
    await say(bus, moved("r-1", "assessment"))

    assert await states(eligible) == {
        "rad-a": ("in_selection", "r-1"),
        "rad-b": ("in_selection", "r-1"),
        "rad-c": ("eligible", None),
        "rad-d": ("idea", None),
    }


async def test_the_decision_of_the_board_is_followed(bus: TestBus, eligible: Desk) -> None:
    await say(bus, *frozen("r-1", PROJECTS[:3]), moved("r-1", "assessment"), moved("r-1", "ballot"))
    await say(bus, decided("r-1", rad_a="selected", rad_b="deferred"))

    said = await states(eligible)
    assert [said[project][0] for project in PROJECTS] == ["selected", "deferred", "rejected", "idea"]
    facts = {fact.project_id: fact for fact in await bus.announced(ProfileRecordedV1)}
    assert (facts["rad-b"].reason, facts["rad-b"].round_id, facts["rad-b"].recorded_by) == (
        "Noch kein Geld.",
        "r-1",
        None,
    )
    assert facts["rad-b"].previous_state == "in_selection"


async def test_a_decision_delivered_twice_changes_nothing_more(bus: TestBus, eligible: Desk) -> None:
    await say(bus, *frozen("r-1", PROJECTS[:3]), moved("r-1", "assessment"))
    for id in ("d-1", "d-1", "d-2"):
        await bus.publish(decided("r-1", rad_a="selected"), id=id, source="/oker/selection-scoring")
    await bus.settled()

    last = [fact for fact in await bus.announced(ProfileRecordedV1) if fact.previous_state == "in_selection"]
    assert len(last) == 3


async def test_candidates_of_a_round_that_is_given_up_are_eligible_again(bus: TestBus, eligible: Desk) -> None:
    await say(bus, *frozen("r-1", PROJECTS[:2]), moved("r-1", "assessment"), moved("r-1", "cancelled"))

    said = await states(eligible)
    assert [said[project][0] for project in PROJECTS[:3]] == ["eligible"] * 3


async def test_an_opening_that_comes_after_the_round_was_given_up_changes_nothing(bus: TestBus, eligible: Desk) -> None:
    await say(bus, *frozen("r-1", PROJECTS[:2]), moved("r-1", "cancelled"), moved("r-1", "assessment"))

    assert (await states(eligible))["rad-a"] == ("eligible", None)


async def test_a_project_is_in_one_round_at_a_time(bus: TestBus, eligible: Desk) -> None:
    await say(bus, *frozen("r-1", ("rad-a",)), *frozen("r-2", ("rad-a", "rad-b")))
    await say(bus, moved("r-1", "assessment"), moved("r-2", "assessment"), decided("r-2", rad_a="selected"))

    said = await states(eligible)
    assert (said["rad-a"], said["rad-b"]) == (("in_selection", "r-1"), ("rejected", "r-2"))


async def test_an_opening_waits_for_all_candidates_of_the_round(bus: TestBus, eligible: Desk) -> None:
    opening, first, second = frozen("r-1", ("rad-a",), ("rad-b",))
    for fact in (moved("r-1", "assessment"), opening, first):
        await bus.publish(fact)

    async def came_again() -> bool:
        info = await bus.jetstream.consumer_info("SELECTION", "project-registry-follow-rounds")
        return bool(info.num_redelivered)

    await eventually(came_again, "delivered again")
    assert (await states(eligible))["rad-a"] == ("eligible", None)
    await say(bus, second)
    assert (await states(eligible))["rad-b"] == ("in_selection", "r-1")


async def test_a_decision_from_before_there_were_gates_changes_no_project(bus: TestBus, eligible: Desk) -> None:
    line = {"rank": 1, "project_id": "rad-a", "title": "x", "score": "3", "selected": True}
    old = {"round_id": "r-0", "title": "x", "frozen_sha256": HASH, "decided_by": "c-1"}
    lifted = upcast_v1({**old, "decided_at": NOON.isoformat(), "ranking": [line]})
    decision = DecisionTakenV2.model_validate({**lifted, "decided_at": datetime.fromisoformat(lifted["decided_at"])})
    await say(bus, decision)

    assert (await states(eligible))["rad-a"] == ("eligible", None)
    assert await bus.quarantined() == []


async def test_the_way_on_from_a_decision_leads_to_the_evaluation(bus: TestBus, eligible: Desk) -> None:
    await say(bus, *frozen("r-1", PROJECTS[:3]), moved("r-1", "assessment"))
    await say(bus, decided("r-1", rad_a="selected", rad_b="deferred"))
    plan: dict[str, Any] = {
        "title": "rad-a",
        "staffing": [{"role": "Projektleitung", "full_time_equivalents": 0.5}],
        "milestones": [{"milestone": "start", "title": "Start", "due": "2026-06-01", "reached": "2026-06-02"}],
        "budget": [{"line": "invest", "year": 2026, "plan_eur": 50_000, "actual_eur": 49_000}],
    }
    await eligible.profile("rad-a", **plan)
    await eligible.step("rad-a", "in_implementation")
    await eligible.step("rad-a", "completed")
    await eligible.profile("rad-a", **plan, evaluation="Es wirkt.")
    await eligible.step("rad-a", "evaluated")
    await eligible.step("rad-b", "eligible")
    await eligible.step("rad-c", "proposed")

    said = await states(eligible)
    assert [said[project][0] for project in PROJECTS[:3]] == ["evaluated", "eligible", "proposed"]


async def test_an_opening_that_is_told_again_does_not_take_in_who_became_eligible_since(
    bus: TestBus, eligible: Desk
) -> None:
    await say(bus, *frozen("r-1", ("rad-a", "rad-d")), moved("r-1", "assessment"), moved("r-1", "ballot"))
    await eligible.profile("rad-d", title="rad-d")
    await eligible.step("rad-d", "proposed")
    await eligible.step("rad-d", "eligible")
    await bus.publish(moved("r-1", "assessment"), id="told-again", source="/oker/selection-scoring")
    await bus.settled()

    assert (await states(eligible))["rad-d"] == ("eligible", None)


async def test_who_was_withdrawn_before_the_round_opened_is_not_brought_back_by_it(
    bus: TestBus, eligible: Desk
) -> None:
    await say(bus, *frozen("r-1", PROJECTS[:2]))
    await eligible.step("rad-a", "stopped")
    await say(bus, moved("r-1", "assessment"), decided("r-1", rad_a="selected", rad_b="selected"))

    said = await states(eligible)
    assert (said["rad-a"][0], said["rad-b"][0]) == ("stopped", "selected")


async def test_a_project_in_selection_is_not_taken_out_by_hand(bus: TestBus, eligible: Desk) -> None:
    await say(bus, *frozen("r-1", PROJECTS[:2]), moved("r-1", "assessment"))

    for to in ("stopped", "eligible", "selected", "proposed"):
        answer = await eligible.ask("POST", "/projects/rad-a/steps", {"to": to, "reason": "x"})
        assert answer.status_code == 409
