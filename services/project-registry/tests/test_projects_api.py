"""Projects over HTTP: profiles, gates, versions, history."""

import asyncio
from typing import Any

import pytest
from builders_project_registry import Desk, a_profile, a_term_said, eligible_profile, without

from oker_contracts.project.profile_recorded_v1 import ProfileRecordedV1
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from oker_testkit.bus import TestBus

HANDYPARKEN = "/projects/handyparken"
OFFICER = ("o-1", "officer")


def a_change(**profile: Any) -> dict[str, Any]:
    return {"reason": "Ausgearbeitet", "profile": eligible_profile(**profile)}


async def test_a_profile_is_a_new_version_and_a_fact_with_all_of_it(bus: TestBus, desk: Desk) -> None:
    await desk.organise()
    await desk.profile("handyparken", title="Handyparken", officer="o-1")
    await bus.settled()

    (fact,) = await bus.announced(ProfileRecordedV1)
    assert (fact.project_id, fact.version, fact.state, fact.previous_state) == (
        "handyparken",
        2,
        "proposed",
        "proposed",
    )
    assert fact.profile.model_dump(mode="json", exclude_defaults=True) == eligible_profile(title="Handyparken")
    assert (fact.reason, fact.recorded_by, fact.valid_from) == ("Ausgearbeitet", "u-1", fact.recorded_at)
    shown = await desk.done("GET", HANDYPARKEN)
    assert (shown["version"], shown["department"], shown["origin"]) == (2, "fb-66", "catalogue")
    assert shown["profile"]["budget"] == [{"line": "invest", "year": 2026, "plan_eur": 50000, "actual_eur": None}]


async def test_a_place_goes_through_every_step_unchanged(bus: TestBus, desk: Desk) -> None:
    await desk.organise()
    place = {"type": "Point", "coordinates": [10.54, 52.2523]}
    await desk.profile("handyparken", location=place)
    shown = await desk.step("handyparken", "eligible")
    await bus.settled()

    assert shown["profile"]["location"] == place
    assert {fact.model_dump_json() for fact in await bus.announced(ProfileRecordedV1)}
    wrong = a_change(location={"type": "Point", "coordinates": [200, 52.2]})
    answer = await desk.ask("PUT", f"{HANDYPARKEN}/profile", wrong, if_match='"3"')
    assert (answer.status_code, answer.json()["path"]) == (422, "$.profile.location.coordinates[0]")


async def test_the_same_profile_again_records_nothing(bus: TestBus, desk: Desk) -> None:
    await desk.organise()
    await desk.profile("handyparken")
    await desk.profile("handyparken")
    await bus.settled()

    assert len(await bus.announced(ProfileRecordedV1)) == 1


async def test_a_change_names_the_version_that_it_replaces(desk: Desk) -> None:
    await desk.organise()
    read = await desk.ask("GET", HANDYPARKEN)
    path = f"{HANDYPARKEN}/profile"

    unnamed = await desk.ask("PUT", path, a_change())
    assert (unnamed.status_code, unnamed.headers["content-type"]) == (428, "application/problem+json")
    assert (await desk.ask("PUT", path, a_change(), if_match='"2"')).status_code == 412
    done = await desk.ask("PUT", path, a_change(), if_match=read.headers["etag"])
    assert (done.status_code, done.headers["etag"]) == (200, '"2"')
    assert (await desk.ask("PUT", path, a_change(title="Anders"), if_match='"1"')).status_code == 412


async def test_of_two_changes_at_the_same_moment_one_is_told_to_read_again(desk: Desk) -> None:
    await desk.organise()
    changes = [a_change(title=f"Handyparken {number}") for number in range(4)]
    answers = await asyncio.gather(
        *(desk.ask("PUT", f"{HANDYPARKEN}/profile", change, if_match='"1"') for change in changes)
    )

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    assert (await desk.done("GET", HANDYPARKEN))["version"] == 2


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"fields_of_action": ["mobilitaet", "raumfahrt"]}, "$.fields_of_action[1]"),
        ({"goals": [{"goal": "weltherrschaft", "contribution": "Alles."}]}, "$.goals[0].goal"),
        ({"department": "fb-0"}, "$.department"),
        ({"partners": [{"organisation": "tu", "responsible_for": "Forschung"}]}, "$.partners[0].organisation"),
        ({"fields_of_action": ["mobilitaet", "mobilitaet"]}, "$.fields_of_action[1]"),
        ({"budget": [{"line": "a", "year": 2026, "plan_eur": 1}] * 2}, "$.budget[1]"),
        ({"colour": "x"}, "$.profile.colour"),
        ({"budget": [{"line": "a", "year": 2026, "plan_eur": -1}]}, "$.profile.budget[0].plan_eur"),
        ({"title": "Rad\x00"}, "$.profile.title"),
    ],
)
async def test_a_profile_that_cannot_be_taken_is_refused_with_the_place(
    desk: Desk, said: dict[str, Any], path: str
) -> None:
    await desk.organise()
    answer = await desk.ask("PUT", f"{HANDYPARKEN}/profile", a_change(**said), if_match='"1"')

    assert (answer.status_code, answer.json()["path"]) == (422, path)


async def test_a_reference_to_a_field_that_was_retired_meanwhile_may_stay(desk: Desk) -> None:
    await desk.organise()
    retired = {"title": "Mobilität", "position": 6, "status": "retired", "reason": "Zusammengelegt"}
    await desk.done("PUT", "/fields/mobilitaet", retired, if_match='"1"')

    await desk.profile("handyparken")
    answer = await desk.ask("PUT", "/projects/mobile-it/profile", a_change(), if_match='"1"')
    assert (answer.status_code, answer.json()["path"]) == (422, "$.fields_of_action[0]")


async def test_a_project_without_evidence_is_not_eligible_and_is_told_what_is_missing(bus: TestBus, desk: Desk) -> None:
    answer = await desk.ask("POST", f"{HANDYPARKEN}/steps", {"to": "eligible", "reason": "Versuch"})

    said = answer.json()
    assert (answer.status_code, said["title"]) == (409, "Conflict")
    assert [row["path"] for row in said["missing"]][:3] == [
        "$.summary",
        "$.marks.digital_technology",
        "$.marks.daseinsvorsorge",
    ]
    assert said["missing"][0]["sentence_de"] == "Die Kurzbeschreibung fehlt."
    assert said["missing"] == (await desk.done("GET", f"{HANDYPARKEN}/missing?to=eligible"))["missing"]
    await bus.settled()
    assert await bus.announced(ProfileRecordedV1) == []


async def test_a_project_goes_from_the_catalogue_to_eligible(bus: TestBus, desk: Desk) -> None:
    await desk.organise(("t-1", "o-1", "officer"))
    await desk.profile("handyparken", title="Handyparken")
    assert (await desk.done("GET", f"{HANDYPARKEN}/missing?to=eligible"))["allowed"] is True
    shown = await desk.step("handyparken", "eligible")
    await bus.settled()

    assert (shown["state"], shown["version"]) == ("eligible", 3)
    facts = await bus.announced(ProfileRecordedV1)
    assert [(fact.previous_state, fact.state) for fact in facts] == [("proposed", "proposed"), ("proposed", "eligible")]
    assert facts[0].profile == facts[1].profile


async def test_an_officer_whose_term_has_ended_does_not_pass_the_gate(desk: Desk) -> None:
    await desk.organise()
    ended = {"holder": "o-1", "role": "officer", "organisations": ["fb-66"], "reason": "Ernannt"}
    await desk.done("PUT", "/terms/t-1", ended | {"starts": "2020-01-01", "ends": "2021-01-01"})
    await desk.profile("handyparken")
    answer = await desk.ask("POST", f"{HANDYPARKEN}/steps", {"to": "eligible", "reason": "Versuch"})

    assert [row["path"] for row in answer.json()["missing"]] == ["$.officer"]


@pytest.mark.parametrize("to", ["in_selection", "selected", "rejected", "completed"])
async def test_no_step_leads_past_the_gates_or_a_round(desk: Desk, to: str) -> None:
    await desk.organise()
    await desk.eligible("rad")
    answer = await desk.ask("POST", "/projects/rad/steps", {"to": to, "reason": "Abkürzung"})

    assert answer.status_code == 409
    assert answer.json()["detail"] != answer.json()["detail_de"]
    assert (await desk.done("GET", "/projects/rad"))["state"] == "eligible"


async def test_evidence_behind_a_gate_cannot_be_taken_away(desk: Desk) -> None:
    await desk.organise()
    version = (await desk.eligible("rad"))["version"]
    body = {"reason": "Kürzer", "profile": without(eligible_profile(), "risks", "success_criteria", "officer")}
    answer = await desk.ask("PUT", "/projects/rad/profile", body, if_match=f'"{version}"')

    assert answer.status_code == 409
    assert {row["path"] for row in answer.json()["missing"]} == {"$.officer", "$.risks", "$.success_criteria"}


async def test_what_was_valid_and_what_was_known_can_be_asked_for_ever(desk: Desk) -> None:
    await desk.organise()
    second = await desk.profile("handyparken", title="Zweite")
    third = await desk.profile("handyparken", title="Dritte")
    correction = {**a_change(title="Zweite, berichtigt"), "valid_from": second["valid_from"]}
    await desk.done("PUT", f"{HANDYPARKEN}/profile", correction, if_match='"2"')

    async def title(**when: str) -> str:
        answer = await desk.http.get(HANDYPARKEN, params=when, headers=desk.token("a-1", "auditor"))
        return str(answer.json()["title"])

    assert await title() == "Dritte"
    assert await title(as_of=second["valid_from"]) == "Zweite, berichtigt"
    assert await title(as_of=second["valid_from"], known_at=third["recorded_at"]) == "Zweite"
    assert await title(known_at=second["recorded_at"]) == "Zweite"
    assert (await desk.ask("GET", f"{HANDYPARKEN}?as_of=2020-01-01")).status_code == 404
    assert await desk.done("GET", "/projects?as_of=2020-01-01") == []
    listed = await desk.http.get(
        "/projects", params={"known_at": second["recorded_at"], "q": "ZWEITE"}, headers=desk.token("a-1", "auditor")
    )
    assert [row["version"] for row in listed.json()] == [2]
    history = await desk.done("GET", f"{HANDYPARKEN}/history")
    assert [row["version"] for row in history] == [1, 2, 3, 4]
    assert history[2]["changed"] == ["title"]


@pytest.mark.parametrize(
    "said", ["yesterday", "2026-13-01", "0001-01-01", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00"]
)
async def test_a_time_that_is_none_is_refused(desk: Desk, said: str) -> None:
    answer = await desk.http.get("/projects", params={"as_of": said}, headers=desk.token("a-1", "auditor"))

    assert (answer.status_code, answer.json()["path"]) == (422, "query.as_of")


async def test_nothing_is_recorded_for_a_time_to_come_and_no_step_before_the_last(desk: Desk) -> None:
    await desk.organise()
    await desk.eligible("rad")
    to_come = {**a_change(title="Morgen"), "valid_from": "2999-01-01"}
    late = {"to": "stopped", "reason": "Zurückgezogen", "valid_from": "2020-01-01T00:00:00Z"}

    answer = await desk.ask("PUT", "/projects/rad/profile", to_come, if_match='"3"')
    assert (answer.status_code, answer.json()["path"]) == (422, "$.valid_from")
    answer = await desk.ask("POST", "/projects/rad/steps", late)
    assert (answer.status_code, answer.json()["path"]) == (422, "$.valid_from")


async def test_an_officer_changes_the_projects_of_the_own_department_only(desk: Desk) -> None:
    await desk.organise(("t-1", "o-1", "officer"), ("t-2", "o-2", "stand_in"))
    await desk.profile("handyparken")
    path = f"{HANDYPARKEN}/profile"

    for holder in ("o-1", "o-2"):
        version = (await desk.done("GET", HANDYPARKEN))["version"]
        change = a_change(summary=f"Neu von {holder}")
        answer = await desk.ask("PUT", path, change, by=(holder, "officer"), if_match=f'"{version}"')
        assert answer.status_code == 200
    assert (await desk.ask("PUT", path, a_change(), by=("o-3", "officer"), if_match='"4"')).status_code == 403
    assert (
        await desk.ask("PUT", "/projects/mobile-it/profile", a_change(), by=OFFICER, if_match='"1"')
    ).status_code == 403
    step = {"to": "eligible", "reason": "Versuch"}
    assert (await desk.ask("POST", "/projects/mobile-it/steps", step, by=OFFICER)).status_code == 403
    assert (await desk.ask("POST", f"{HANDYPARKEN}/steps", step, by=OFFICER)).status_code == 200


async def test_the_unit_registers_a_project_under_an_id_from_its_title(bus: TestBus, desk: Desk) -> None:
    answer = await desk.ask("POST", "/projects", a_profile(title="Grüne Welle für Räder"))
    await bus.settled()

    assert (answer.status_code, answer.headers["location"]) == (201, "/projects/gruene-welle-fuer-raeder")
    assert (answer.json()["state"], answer.json()["origin"]) == ("proposed", "unit")
    fact = (await bus.announced(ProjectRegisteredV2))[-1]
    assert (fact.project_id, fact.state, fact.registered_by) == ("gruene-welle-fuer-raeder", "proposed", "u-1")
    again = await desk.ask("POST", "/projects", a_profile(title="Grüne Welle für Räder"))
    assert again.status_code == 409


async def test_a_bare_title_is_an_idea_and_not_a_proposal(desk: Desk) -> None:
    bare = {"title": "Grüne Welle", "project_id": "welle"}

    refused = await desk.ask("POST", "/projects", bare)
    assert (refused.status_code, [row["path"] for row in refused.json()["missing"]]) == (
        409,
        ["$.summary", "$.fields_of_action"],
    )
    assert (await desk.done("POST", "/projects", {**bare, "state": "idea"}))["state"] == "idea"
    assert (await desk.ask("POST", "/projects/welle/steps", {"to": "proposed", "reason": "x"})).status_code == 409


async def test_a_list_leads_through_all_its_pages(desk: Desk) -> None:
    seen, path = [], "/projects?limit=10&state=proposed"
    while path:
        answer = await desk.ask("GET", path)
        seen += [row["project_id"] for row in answer.json()]
        path = answer.links.get("next", {}).get("url", "")
        path = f"/projects{path}" if path else ""

    assert len(seen) == len(set(seen)) == 35
    assert seen == sorted(seen)


async def test_projects_are_found_by_what_they_are(desk: Desk) -> None:
    await desk.organise()
    await desk.profile("handyparken", title="Handyparken 100 %_")

    async def found(query: str) -> list[str]:
        return [row["project_id"] for row in await desk.done("GET", f"/projects?{query}")]

    assert await found("department=fb-66") == ["handyparken"]
    assert await found("goal=staedtische-ziele-umsetzen") == ["handyparken"]
    assert await found("q=100%20%25_") == ["handyparken"]
    assert await found("q=%25%25%25") == []
    assert await found("state=eligible") == []
    assert (await desk.ask("GET", "/projects?limit=1001")).status_code == 422


async def test_what_is_missing_is_told_as_of_a_time_too(desk: Desk) -> None:
    await desk.organise(("t-1", "o-1", "officer"))
    shown = await desk.profile("handyparken")
    await desk.done("PUT", "/terms/t-1", a_term_said(ends="2026-01-02"), if_match='"1"')
    known = {"to": "eligible", "as_of": shown["recorded_at"], "known_at": shown["recorded_at"]}
    then = await desk.http.get(f"{HANDYPARKEN}/missing", params=known, headers=desk.token("a-1", "auditor"))

    assert then.json()["missing"] == []
    now = (await desk.done("GET", f"{HANDYPARKEN}/missing?to=eligible"))["missing"]
    assert [row["path"] for row in now] == ["$.officer"]


async def test_a_correction_of_the_past_is_held_against_the_fields_of_that_time(desk: Desk) -> None:
    await desk.organise()
    shown = await desk.profile("handyparken")
    retired = {"title": "Energie", "position": 3, "status": "retired", "reason": "x"}
    await desk.done("PUT", "/fields/energie", retired, if_match='"1"')
    both = a_change(fields_of_action=["energie", "mobilitaet"])

    answer = await desk.ask("PUT", f"{HANDYPARKEN}/profile", both, if_match='"2"')
    assert (answer.status_code, answer.json()["path"]) == (422, "$.fields_of_action[0]")
    past = {**both, "valid_from": shown["valid_from"]}
    assert (await desk.ask("PUT", f"{HANDYPARKEN}/profile", past, if_match='"2"')).status_code == 200


async def test_the_history_ends_at_the_time_that_is_asked_for(desk: Desk) -> None:
    await desk.organise()
    first = await desk.profile("handyparken")
    await desk.profile("handyparken", summary="Später")
    asked = {"as_of": first["valid_from"]}
    told = await desk.http.get(f"{HANDYPARKEN}/history", params=asked, headers=desk.token("a-1", "auditor"))

    assert [row["version"] for row in told.json()] == [1, 2]


async def test_a_correction_of_the_past_says_that_it_does_not_count_now(bus: TestBus, desk: Desk) -> None:
    await desk.organise()
    shown = await desk.eligible("rad")
    await desk.step("rad", "stopped")
    past = {"reason": "Berichtigt", "profile": eligible_profile(title="Rad"), "valid_from": shown["valid_from"]}
    await desk.done("PUT", "/projects/rad/profile", past, if_match='"3"')
    await bus.settled()

    facts = [fact for fact in await bus.announced(ProfileRecordedV1) if fact.project_id == "rad"]
    assert [(fact.state, fact.corrects_past) for fact in facts[1:]] == [
        ("eligible", False),
        ("stopped", False),
        ("eligible", True),
    ]
    assert (await desk.done("GET", "/projects/rad"))["state"] == "stopped"
