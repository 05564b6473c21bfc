"""Fields, goals, organisations, terms of office, gaps and contacts over HTTP."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from builders_project_registry import Desk, a_term_said

from oker_bus import Cause
from oker_bus.edge import Sessions
from oker_contracts.project.field_recorded_v1 import FieldRecordedV1
from oker_contracts.project.gap_escalated_v1 import GapEscalatedV1
from oker_contracts.project.goal_recorded_v1 import GoalRecordedV1
from oker_contracts.project.organisation_recorded_v1 import OrganisationRecordedV1
from oker_contracts.project.term_recorded_v1 import TermRecordedV1
from oker_testkit.bus import TestBus
from project_registry import store
from project_registry.record import check_gaps

FOCUS = {"reason": "Evaluation 2028", "effect_on": "budget", "effect": "Ein Fünftel der nächsten Runde"}
ENERGIE = {"title": "Energie", "position": 3, "focus": FOCUS, "reason": "Evaluation"}


async def test_a_field_becomes_a_focus_with_reason_and_effect(bus: TestBus, desk: Desk) -> None:
    answer = await desk.ask("PUT", "/fields/energie", ENERGIE, if_match='"1"')
    await bus.settled()

    assert (answer.status_code, answer.headers["etag"], answer.json()["focus"]) == (200, '"2"', FOCUS)
    (fact,) = await bus.announced(FieldRecordedV1)
    assert (fact.field, fact.version, fact.status, fact.recorded_by) == ("energie", 2, "active", "u-1")
    assert fact.focus is not None
    assert fact.focus.model_dump() == FOCUS
    shown = await desk.done("GET", "/catalogue/fields")
    assert [row["field"] for row in shown if row["focus"]] == ["energie"]


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"focus": {**FOCUS, "effect": ""}}, "$.focus.effect"),
        ({"focus": {**FOCUS, "reason": " "}}, "$.focus.reason"),
        ({"focus": {**FOCUS, "effect_on": "mood"}}, "$.focus.effect_on"),
        ({"focus": {"reason": "x", "effect_on": "budget"}}, "$.focus.effect"),
        ({"status": "retired"}, "$.focus"),
    ],
)
async def test_a_focus_without_reason_or_effect_is_refused(desk: Desk, said: dict[str, Any], path: str) -> None:
    answer = await desk.ask("PUT", "/fields/energie", {**ENERGIE, **said}, if_match='"1"')

    assert (answer.status_code, answer.json()["path"]) == (422, path)


async def test_a_field_that_will_be_retired_counts_until_then(desk: Desk) -> None:
    retired = {"title": "Energie", "position": 3, "status": "retired", "reason": "x", "valid_from": "2999-01-01"}
    await desk.done("PUT", "/fields/energie", retired, if_match='"1"')

    assert (await desk.done("GET", "/fields/energie"))["status"] == "active"
    assert (await desk.done("GET", "/fields/energie?as_of=2998-12-31"))["status"] == "active"
    later = await desk.ask("GET", "/fields/energie?as_of=2999-01-01")
    assert (later.json()["status"], later.headers["etag"]) == ("retired", '"2"')
    assert later.json()["valid_from"] == "2998-12-31T23:00:00Z"


async def test_a_change_replaces_the_version_that_holds_at_its_time(desk: Desk) -> None:
    retired = {"title": "Energie", "position": 3, "status": "retired", "reason": "x", "valid_from": "2999-01-01"}
    await desk.done("PUT", "/fields/energie", retired, if_match='"1"')

    assert (await desk.ask("PUT", "/fields/energie", ENERGIE, if_match='"2"')).status_code == 412
    assert (await desk.ask("PUT", "/fields/energie", ENERGIE, if_match='"1"')).headers["etag"] == '"3"'
    assert (await desk.done("GET", "/fields/energie?as_of=2999-01-01"))["status"] == "retired"


async def test_a_field_is_added_and_shown_as_empty(desk: Desk) -> None:
    body = {"title": "Sicherheit", "position": 10, "reason": "Ratsbeschluss"}
    assert (await desk.ask("PUT", "/fields/sicherheit", body, if_match='"1"')).status_code == 412
    answer = await desk.ask("PUT", "/fields/sicherheit", body)

    assert (answer.status_code, answer.json()["projects"]) == (201, 0)
    assert (await desk.done("GET", "/catalogue/fields"))[-1]["field"] == "sicherheit"


async def test_what_is_said_again_is_not_recorded_again(bus: TestBus, desk: Desk) -> None:
    await desk.done("PUT", "/fields/energie", ENERGIE, if_match='"1"')
    again = await desk.ask("PUT", "/fields/energie", ENERGIE, if_match='"2"')
    await bus.settled()

    assert (again.status_code, again.headers["etag"]) == (200, '"2"')
    assert len(await bus.announced(FieldRecordedV1)) == 1


async def test_a_goal_is_linked_to_isek(bus: TestBus, desk: Desk) -> None:
    goal = (await desk.done("GET", "/goals"))[0]
    body = {name: goal[name] for name in ("title", "group", "position")}
    linked = {**body, "isek": ["Braunschweig verdichtet sich"], "reason": "ISEK 2030"}
    shown = await desk.done("PUT", f"/goals/{goal['goal']}", linked, if_match='"1"')
    await bus.settled()

    assert shown["isek"] == ["Braunschweig verdichtet sich"]
    (fact,) = await bus.announced(GoalRecordedV1)
    assert (fact.goal, fact.isek, fact.group) == (goal["goal"], ["Braunschweig verdichtet sich"], "ambition")
    assert (await desk.done("GET", f"/goals/{goal['goal']}"))["version"] == 2


async def test_organisations_stand_under_one_another(bus: TestBus, desk: Desk) -> None:
    await desk.done("PUT", "/organisations/dezernat-3", {"title": "Dezernat III", "kind": "dezernat", "reason": "x"})
    below = {"title": "Tiefbau", "kind": "department", "part_of": "dezernat-3", "reason": "x"}
    await desk.done("PUT", "/organisations/fb-66", below)
    circle = {"title": "Dezernat III", "kind": "dezernat", "part_of": "fb-66", "reason": "x"}
    refused = await desk.ask("PUT", "/organisations/dezernat-3", circle, if_match='"1"')
    unknown = await desk.ask("PUT", "/organisations/fb-1", {**below, "part_of": "nowhere"})
    await bus.settled()

    assert (refused.status_code, refused.json()["path"]) == (422, "$.part_of")
    assert (unknown.status_code, unknown.json()["path"]) == (422, "$.part_of")
    shown = await desk.done("GET", "/organisations")
    assert [(row["organisation"], row["part_of"]) for row in shown] == [("dezernat-3", None), ("fb-66", "dezernat-3")]
    assert len(await bus.announced(OrganisationRecordedV1)) == 2


async def test_who_is_in_office_depends_on_the_day(bus: TestBus, desk: Desk) -> None:
    await desk.organise()
    await desk.done("PUT", "/terms/a", a_term_said(holder="o-1", starts="2020-01-01", ends="2021-01-01"))
    await desk.done("PUT", "/terms/b", a_term_said(holder="o-2", starts="2021-01-01"))
    await bus.settled()

    async def in_office(day: str) -> list[str]:
        return [row["holder"] for row in await desk.done("GET", f"/roles?as_of={day}")]

    assert await in_office("2019-12-31") == []
    assert await in_office("2020-12-31") == ["o-1"]
    assert await in_office("2021-01-01") == ["o-2"]
    assert [fact.holder for fact in await bus.announced(TermRecordedV1)] == ["o-1", "o-2"]


async def test_a_term_that_was_corrected_holds_as_corrected_and_was_known_as_it_was(desk: Desk) -> None:
    await desk.organise()
    first = await desk.done("PUT", "/terms/a", a_term_said(starts="2020-01-01"))
    await desk.done("PUT", "/terms/a", a_term_said(starts="2022-01-01"), if_match='"1"')
    known = {"as_of": "2021-01-01", "known_at": first["recorded_at"]}
    then = await desk.http.get("/roles", params=known, headers=desk.token("a-1", "auditor"))

    assert await desk.done("GET", "/roles?as_of=2021-01-01") == []
    assert [row["version"] for row in then.json()] == [1]


async def test_a_second_officer_of_a_department_is_refused_and_the_first_is_named(desk: Desk) -> None:
    await desk.organise(("t-1", "o-1", "officer"))
    answer = await desk.ask("PUT", "/terms/t-2", a_term_said(holder="o-2"))

    assert (answer.status_code, answer.json()["term"]) == (409, "t-1")
    assert answer.json()["detail_de"].startswith("Die Amtszeit")


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"ends": "2025-01-01"}, "$.ends"),
        ({"organisations": []}, "$.organisations"),
        ({"organisations": ["fb-0"]}, "$.organisations[0]"),
        ({"role": "king"}, "$.role"),
        ({"starts": "soon"}, "$.starts"),
        ({"hodler": "o-1"}, "$.hodler"),
    ],
)
async def test_a_term_that_cannot_be_is_refused_with_the_place(desk: Desk, said: dict[str, Any], path: str) -> None:
    await desk.organise()
    answer = await desk.ask("PUT", "/terms/t-1", a_term_said(**said))

    assert (answer.status_code, answer.json()["path"]) == (422, path)


async def test_a_department_without_an_officer_is_escalated_once_and_closed_when_it_is_mended(
    bus: TestBus, desk: Desk
) -> None:
    await desk.organise()
    await desk.profile("handyparken")
    await desk.profile("mobile-it")
    (opened,) = await desk.done("GET", "/gaps?state=open")
    await desk.done("PUT", "/terms/t-1", a_term_said(role="stand_in"))
    await bus.settled()

    assert (opened["organisation"], opened["projects"]) == ("fb-66", ["handyparken"])
    facts = await bus.announced(GapEscalatedV1)
    assert [(fact.state, fact.projects) for fact in facts] == [("open", ["handyparken"]), ("closed", [])]
    assert facts[0].since == facts[1].since
    assert await desk.done("GET", "/gaps?state=open") == []


async def test_a_gap_opens_when_a_term_is_cut_short(bus: TestBus, desk: Desk) -> None:
    await desk.organise(("t-1", "o-1", "officer"))
    await desk.profile("handyparken")
    assert await desk.done("GET", "/gaps") == []
    await desk.done("PUT", "/terms/t-1", a_term_said(ends="2026-01-02"), if_match='"1"')

    assert [row["organisation"] for row in await desk.done("GET", "/gaps")] == ["fb-66"]


async def test_a_gap_opens_by_time_alone_when_the_last_term_ends(bus: TestBus, desk: Desk) -> None:
    await desk.organise()
    await desk.done("PUT", "/terms/t-1", a_term_said(ends="2999-01-01"))
    await desk.profile("handyparken")
    last_day, after = (datetime(*day, tzinfo=UTC) for day in ((2998, 12, 31), (2999, 1, 1)))
    for clock in (last_day, after, after):
        edge = replace(bus.bus.edge, clock=partial(datetime.fromtimestamp, clock.timestamp(), UTC))
        async with edge.transaction(Cause("/test", str(uuid4()))) as tx:
            await check_gaps(tx)
    await bus.settled()

    assert [(gap.state, gap.since) for gap in await bus.announced(GapEscalatedV1)] == [("open", after)]


async def test_gaps_can_be_asked_for_as_they_were(desk: Desk) -> None:
    await desk.organise()
    before = await desk.profile("mobile-it", department=None)
    await desk.profile("handyparken")
    (opened,) = await desk.done("GET", "/gaps")
    await desk.done("PUT", "/terms/t-1", a_term_said(role="stand_in"))
    closed = (await desk.done("GET", "/gaps"))[0]
    await desk.done("PUT", "/terms/t-1", a_term_said(role="stand_in", ends="2026-01-02"), if_match='"1"')

    async def told(**when: str) -> list[tuple[str, str]]:
        answer = await desk.http.get("/gaps", params=when, headers=desk.token("a-1", "auditor"))
        return [(row["state"], row["since"]) for row in answer.json()]

    assert [state for state, _ in await told()] == ["closed", "open"]
    assert await told(as_of=before["recorded_at"]) == []
    assert await told(as_of=opened["since"]) == await told(known_at=opened["since"]) == [("open", opened["since"])]
    assert await told(as_of=closed["recorded_at"]) == [("closed", opened["since"])]
    assert closed["projects"] == ["handyparken"]


async def test_two_organisations_never_come_to_stand_under_each_other(desk: Desk) -> None:
    await desk.organise()
    await desk.done(
        "PUT", "/organisations/fb-1", {"title": "A", "kind": "department", "part_of": "fb-66", "reason": "x"}
    )
    later = {"title": "A", "kind": "department", "reason": "x", "valid_from": "2999-01-01"}
    await desk.done("PUT", "/organisations/fb-1", later, if_match='"1"')
    circle = {"title": "Tiefbau", "kind": "department", "part_of": "fb-1", "reason": "x"}
    answer = await desk.ask("PUT", "/organisations/fb-66", circle, if_match='"1"')

    assert (answer.status_code, answer.json()["path"]) == (422, "$.part_of")


async def test_a_contact_is_for_the_unit_only_and_erased_for_good(bus: TestBus, desk: Desk, sessions: Sessions) -> None:
    path = "/holders/o-1/contact"
    person = {"name": "Ada Lovelace", "mail": "ada@example.org", "phone": "+49 531 1"}
    await desk.done("PUT", path, person)

    assert (await desk.done("GET", path))["name"] == "Ada Lovelace"
    assert (await desk.ask("GET", path, by=("o-1", "officer"))).status_code == 403
    assert (await desk.ask("DELETE", path, by=("b-1", "board"))).status_code == 403
    assert (await desk.ask("DELETE", path)).status_code == 204
    assert (await desk.ask("GET", path)).status_code == 404
    assert (await desk.ask("DELETE", path)).status_code == 404
    async with sessions() as session:
        assert await store.contact(session, "o-1") is None


@pytest.mark.parametrize("mail", ["", "ada", "a b@c", "a@b\nBcc: x", "@"])
async def test_a_mail_address_that_is_none_is_refused(desk: Desk, mail: str) -> None:
    answer = await desk.ask("PUT", "/holders/o-1/contact", {"name": "Ada", "mail": mail})

    assert (answer.status_code, answer.json()["path"]) == (422, "$.mail")


async def test_no_person_is_ever_announced(bus: TestBus, desk: Desk) -> None:
    await desk.organise(("t-1", "o-1", "officer"))
    await desk.done("PUT", "/holders/o-1/contact", {"name": "Ada Lovelace"})
    await desk.profile("handyparken")
    await bus.settled()

    info = await bus.jetstream.stream_info("PROJECT")
    told = [(await bus.jetstream.get_msg("PROJECT", seq)).data or b"" for seq in range(1, info.state.last_seq + 1)]
    assert told
    assert not [body for body in told if b"Lovelace" in body]


WRITES = [
    ("PUT", "/fields/energie", ENERGIE),
    ("PUT", "/goals/x", {"title": "x", "group": "role", "position": 1, "reason": "x"}),
    ("PUT", "/organisations/x", {"title": "x", "kind": "office", "reason": "x"}),
    ("PUT", "/terms/x", a_term_said()),
    ("POST", "/projects", {"title": "x"}),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize("role", ["officer", "board", "auditor"])
async def test_only_the_unit_and_the_cdo_write(desk: Desk, method: str, path: str, body: Any, role: str) -> None:
    assert (await desk.ask(method, path, body, by=("x-1", role))).status_code == 403
