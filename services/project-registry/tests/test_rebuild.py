"""The tables follow from the facts: folded anew, they are the same."""

from typing import Any

from builders_project_registry import Desk, a_proposed_project, a_term_said
from sqlmodel import text
from test_rounds import PROJECTS, decided, frozen, moved, say

from oker_bus import store as bus_store
from oker_bus.rebuild import Rebuilt, rebuild
from oker_bus.settings import ServiceSettings
from oker_testkit.bus import TestBus
from project_registry import store
from project_registry.app import SERVICE


async def rich_story(bus: TestBus, desk: Desk) -> None:
    """Something of everything that changes a folded table."""
    await desk.organise()
    for project in PROJECTS[:3]:
        await desk.eligible(project)
    await desk.done("PUT", "/terms/t-1", a_term_said())
    await desk.done("PUT", "/terms/t-1", a_term_said(ends="2030-01-01"), if_match='"1"')
    focus = {"reason": "x", "effect_on": "timing", "effect": "y"}
    field = {"title": "Energie", "position": 3, "focus": focus, "reason": "x", "valid_from": "2999-01-01"}
    await desk.done("PUT", "/fields/energie", field, if_match='"1"')
    await bus.publish(a_proposed_project(), partner="verkehr")
    await say(bus, *frozen("r-1", PROJECTS[:3]), moved("r-1", "assessment"), decided("r-1", rad_a="selected"))
    await desk.done("POST", "/proposals/verkehr-leihfahrraeder/acceptance", {"officer": "o-1"})
    await desk.profile("rad-c", title="rad-c", location={"type": "Point", "coordinates": [10.5, 52.0]})
    await desk.step("rad-c", "proposed")
    shown = await desk.done("GET", "/projects/rad-a")
    late = {"reason": "Berichtigt", "profile": shown["profile"] | {"summary": "Anders"}}
    await desk.done("PUT", "/projects/rad-a/profile", {**late, "valid_from": shown["valid_from"]}, if_match='"5"')
    await bus.settled()


async def rebuilt(settings: ServiceSettings) -> Rebuilt:
    return await rebuild(settings, SERVICE.name, SERVICE.fold, SERVICE.folded)


async def test_all_folded_tables_are_rebuilt_from_the_stream(
    bus: TestBus, desk: Desk, settings: ServiceSettings
) -> None:
    await rich_story(bus, desk)
    found = await rebuilt(settings)

    assert found.equal, "\n".join(found.lines())
    assert {table.table for table in found.tables} == {"catalogue", "entry", "gap", "proposal"}
    assert all(table.rows for table in found.tables)


async def test_a_version_that_was_altered_by_hand_is_found(
    bus: TestBus, desk: Desk, settings: ServiceSettings, sessions: Any
) -> None:
    await rich_story(bus, desk)
    async with sessions() as session, session.begin():
        await bus_store.run(session, text("UPDATE entry SET title = 'gefälscht' WHERE id = 'rad-b' AND version = 2"))
    found = await rebuilt(settings)

    (entry,) = [table for table in found.tables if table.table == "entry"]
    assert (found.equal, entry.only_here, entry.only_rebuilt) == (False, 1, 1)


def test_every_table_is_either_folded_or_declared_as_not() -> None:
    not_folded = {"contact", "idea", "round_candidate", "selection_round"}

    assert {table.name for table in store.folded} | not_folded >= set(store.metadata.tables)
    assert not_folded.isdisjoint(table.name for table in store.folded)
