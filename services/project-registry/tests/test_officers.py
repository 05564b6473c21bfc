"""Who answers for a project: departments, officers, and what changes by hand must not reach."""

from builders_project_registry import Desk, a_term_said
from test_projects_api import HANDYPARKEN, OFFICER, a_change


async def a_second_department(desk: Desk) -> None:
    """fb-67 with an officer of its own."""
    await desk.done("PUT", "/organisations/fb-67", {"title": "Stadtgrün", "kind": "department", "reason": "x"})
    await desk.done("PUT", "/terms/t-9", a_term_said(holder="o-9", organisations=["fb-67"]))


async def test_an_eligible_project_does_not_go_to_a_department_whose_officer_it_does_not_name(desk: Desk) -> None:
    await desk.organise(("t-1", "o-1", "officer"))
    await a_second_department(desk)
    await desk.eligible("rad")

    moved = a_change(title="rad", department="fb-67")
    answer = await desk.ask("PUT", "/projects/rad/profile", moved, if_match='"3"')
    assert (answer.status_code, [row["path"] for row in answer.json()["missing"]]) == (409, ["$.officer"])
    moved = a_change(title="rad", department="fb-67", officer="o-9")
    assert (await desk.ask("PUT", "/projects/rad/profile", moved, if_match='"3"')).status_code == 200


async def test_an_officer_neither_gives_projects_away_nor_reaches_into_their_past(desk: Desk) -> None:
    await desk.organise(("t-1", "o-1", "officer"))
    await a_second_department(desk)
    own = await desk.profile("handyparken")
    path = f"{HANDYPARKEN}/profile"

    given = a_change(department="fb-67", officer="o-9")
    assert (await desk.ask("PUT", path, given, by=OFFICER, if_match='"2"')).status_code == 403
    await desk.profile("handyparken", department="fb-67", officer="o-9")
    past = {**a_change(summary="Es war anders."), "valid_from": own["valid_from"]}
    assert (await desk.ask("PUT", path, past, by=OFFICER, if_match='"2"')).status_code == 403
    assert (await desk.ask("PUT", path, past, if_match='"2"')).status_code == 200


async def test_an_officer_whose_term_has_ended_changes_nothing_more(desk: Desk) -> None:
    await desk.organise(("t-1", "o-1", "officer"))
    await desk.profile("handyparken")
    await desk.done("PUT", "/terms/t-1", a_term_said(ends="2026-01-02"), if_match='"1"')

    answer = await desk.ask("PUT", f"{HANDYPARKEN}/profile", a_change(summary="x"), by=OFFICER, if_match='"2"')
    assert answer.status_code == 403


async def test_a_department_that_is_dissolved_is_escalated_and_stops_its_projects_at_the_gate(desk: Desk) -> None:
    await desk.organise(("t-1", "o-1", "officer"))
    await desk.profile("handyparken")
    gone = {"title": "Tiefbau und Verkehr", "kind": "department", "status": "dissolved", "reason": "Umbau"}
    await desk.done("PUT", "/organisations/fb-66", gone, if_match='"1"')

    (gap,) = await desk.done("GET", "/gaps?state=open")
    assert (gap["organisation"], gap["projects"]) == ("fb-66", ["handyparken"])
    missing = (await desk.done("GET", f"{HANDYPARKEN}/missing?to=eligible"))["missing"]
    assert [row["path"] for row in missing] == ["$.department"]
    answer = await desk.ask("POST", f"{HANDYPARKEN}/steps", {"to": "eligible", "reason": "x"})
    assert answer.status_code == 409
