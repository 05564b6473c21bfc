"""The HTTP API of project-registry."""

import asyncio

import pytest
from builders_project_registry import Token, a_proposed_project
from httpx import AsyncClient

from oker_contracts.project.catalogue_imported_v1 import CatalogueImportedV1
from oker_contracts.project.proposal_received_v1 import ProposalReceivedV1
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from oker_testkit.bus import TestBus, eventually

ACCEPTANCE = "/proposals/verkehr-leihfahrraeder/acceptance"


async def import_catalogue(http: AsyncClient, token: Token) -> dict[str, object]:
    response = await http.post("/catalogue", headers=token("u-1", "unit"))
    assert response.status_code == 200
    said: dict[str, object] = response.json()
    return said


async def test_the_catalogue_is_imported_once(bus: TestBus, http: AsyncClient, token: Token) -> None:
    first = await import_catalogue(http, token)
    again = await import_catalogue(http, token)
    await bus.settled()

    assert first == {
        "catalogue": "smart-city-strategie-2020",
        "fields_of_action": 10,
        "goals": 9,
        "projects": 35,
        "assignments": 48,
        "new_projects": 35,
    }
    assert again == {**first, "new_projects": 0}
    assert len(await bus.announced(CatalogueImportedV1)) == 1
    registered = await bus.announced(ProjectRegisteredV2)
    assert len({project.project_id for project in registered}) == len(registered) == 35
    assert {project.origin for project in registered} == {"catalogue"}


async def test_two_imports_at_the_same_moment_are_one(bus: TestBus, http: AsyncClient, token: Token) -> None:
    reports = await asyncio.gather(*(import_catalogue(http, token) for _ in range(4)))
    await bus.settled()

    assert sorted(str(report["new_projects"]) for report in reports) == ["0", "0", "0", "35"]
    assert len(await bus.announced(ProjectRegisteredV2)) == 35


async def test_the_import_event_holds_fields_goals_and_projects(bus: TestBus, http: AsyncClient, token: Token) -> None:
    await import_catalogue(http, token)
    await bus.settled()

    (imported,) = await bus.announced(CatalogueImportedV1)
    assert [field.field for field in imported.fields_of_action][3] == "energie"
    assert [goal.group for goal in imported.goals] == ["ambition"] * 3 + ["role"] * 3 + ["orientation"] * 3
    assert len(imported.projects) == 35


async def test_a_field_without_projects_is_shown_as_empty(http: AsyncClient, token: Token) -> None:
    await import_catalogue(http, token)
    fields = (await http.get("/catalogue/fields", headers=token("o-1", "officer"))).json()

    assert len(fields) == 10
    assert (fields[3]["field"], fields[3]["title"], fields[3]["projects"]) == ("energie", "Energie", 0)
    assert (fields[3]["status"], fields[3]["focus"], fields[3]["version"]) == ("active", None, 1)
    assert sum(field["projects"] for field in fields) == 48


async def test_goals_are_shown_in_the_order_of_the_strategy(http: AsyncClient, token: Token) -> None:
    await import_catalogue(http, token)
    goals = (await http.get("/goals", headers=token("o-1", "officer"))).json()

    assert (goals[0]["goal"], goals[0]["title"]) == ("staedtische-ziele-umsetzen", "Städtische Ziele umsetzen")
    assert (goals[0]["group"], goals[0]["isek"]) == ("ambition", [])
    assert len(goals) == 9


async def test_projects_are_shown_by_field(http: AsyncClient, token: Token) -> None:
    await import_catalogue(http, token)
    reader = token("o-1", "officer")

    assert len((await http.get("/projects", headers=reader)).json()) == 35
    assert len((await http.get("/projects?field=mobilitaet", headers=reader)).json()) == 7
    assert (await http.get("/projects?field=energie", headers=reader)).json() == []
    assert (await http.get("/projects?field=raumfahrt", headers=reader)).status_code == 404


async def test_one_project_is_shown(http: AsyncClient, token: Token) -> None:
    await import_catalogue(http, token)
    reader = token("o-1", "officer")

    shown = (await http.get("/projects/lasergesteuerte-besucherfrequenzmessung", headers=reader)).json()
    assert shown["title"] == "Lasergesteuerte Besucherfrequenzmessung"
    assert shown["fields_of_action"] == ["wirtschaft-und-tourismus"]
    assert (await http.get("/projects/mondlandung", headers=reader)).status_code == 404
    assert (await http.get("/projects/%00", headers=reader)).status_code == 422


async def test_a_proposal_waits_for_the_catalogue(bus: TestBus, http: AsyncClient, token: Token) -> None:
    await bus.publish(a_proposed_project(), partner="verkehr")

    async def came_again() -> bool:
        info = await bus.jetstream.consumer_info("IN_verkehr", "project-registry-claims")
        return bool(info.num_redelivered)

    await eventually(came_again, "delivered again")
    assert await bus.announced(ProposalReceivedV1) == []
    await import_catalogue(http, token)
    await bus.settled()
    assert len(await bus.announced(ProposalReceivedV1)) == 1


@pytest.fixture
async def proposed(bus: TestBus, http: AsyncClient, token: Token) -> ProposalReceivedV1:
    """A proposal of a company waits."""
    await import_catalogue(http, token)
    await bus.publish(a_proposed_project(), partner="verkehr")
    await bus.settled()
    (received,) = await bus.announced(ProposalReceivedV1)
    return received


async def test_an_accepted_proposal_is_registered_once(
    bus: TestBus, http: AsyncClient, token: Token, proposed: ProposalReceivedV1
) -> None:
    """Also when several members of the unit accept it at the same moment."""
    body = {"officer": "officer-mobilitaet"}
    answers = await asyncio.gather(
        *(http.post(ACCEPTANCE, json=body, headers=token(f"u-{number}", "unit")) for number in range(3))
    )
    await bus.settled()

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].json() == answers[1].json() == answers[2].json()
    (fact,) = [row for row in await bus.announced(ProjectRegisteredV2) if row.origin == "proposal"]
    assert (fact.project_id, fact.partner, fact.officer) == (
        proposed.project_id,
        "verkehr",
        "officer-mobilitaet",
    )
    assert (fact.title, fact.summary, fact.goals) == (proposed.title, proposed.summary, proposed.goals)
    shown = (await http.get(f"/projects/{proposed.project_id}", headers=token("u-1", "unit"))).json()
    assert shown == answers[0].json()


@pytest.mark.usefixtures("proposed")
async def test_an_accepted_proposal_cannot_be_accepted_with_another_officer(http: AsyncClient, token: Token) -> None:
    headers = token("c-1", "cdo")
    await http.post(ACCEPTANCE, json={"officer": "officer-mobilitaet"}, headers=headers)
    answer = await http.post(ACCEPTANCE, json={"officer": "officer-energie"}, headers=headers)

    assert answer.status_code == 409


@pytest.mark.usefixtures("proposed")
async def test_what_is_not_proposed_or_not_complete_cannot_be_accepted(
    bus: TestBus, http: AsyncClient, token: Token
) -> None:
    headers = token("u-1", "unit")

    unknown = await http.post("/proposals/no-such/acceptance", json={"officer": "o-1"}, headers=headers)
    assert unknown.status_code == 404
    assert (await http.post(ACCEPTANCE, json={}, headers=headers)).status_code == 422
    await bus.settled()
    assert len(await bus.announced(ProjectRegisteredV2)) == 35


@pytest.mark.usefixtures("proposed")
async def test_a_company_sees_its_own_proposals_only(http: AsyncClient, token: Token) -> None:
    async def seen(holder: str, role: str, partner: str | None = None) -> list[str]:
        answer = await http.get("/proposals", headers=token(holder, role, partner=partner))
        return [row["project_id"] for row in answer.json()]

    assert await seen("u-1", "unit") == ["verkehr-leihfahrraeder"]
    assert await seen("v-1", "partner", "verkehr") == ["verkehr-leihfahrraeder"]
    assert await seen("s-1", "partner", "stadtwerke") == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/catalogue"), ("POST", ACCEPTANCE), ("GET", "/proposals"), ("GET", "/goals")],
)
async def test_nobody_gets_in_without_a_token(http: AsyncClient, method: str, path: str) -> None:
    assert (await http.request(method, path, json={"officer": "o-1"})).status_code == 401


@pytest.mark.parametrize(("method", "path"), [("POST", "/catalogue"), ("POST", ACCEPTANCE), ("GET", "/proposals")])
async def test_an_officer_neither_imports_nor_accepts(http: AsyncClient, token: Token, method: str, path: str) -> None:
    answer = await http.request(method, path, json={"officer": "o-1"}, headers=token("o-1", "officer"))

    assert answer.status_code == 403


@pytest.mark.usefixtures("proposed")
async def test_a_proposal_does_not_lead_into_a_field_that_was_retired_since(
    bus: TestBus, http: AsyncClient, token: Token
) -> None:
    headers = token("u-1", "unit")
    retired = {"title": "Mobilität", "position": 6, "status": "retired", "reason": "Zusammengelegt"}
    await http.put("/fields/mobilitaet", json=retired, headers={**headers, "If-Match": '"1"'})

    refused = await http.post(ACCEPTANCE, json={"officer": "o-1"}, headers=headers)
    assert (refused.status_code, refused.json()["path"]) == (422, "$.fields_of_action[0]")
    body = {"officer": "o-1", "fields_of_action": ["energie"]}
    accepted = await http.post(ACCEPTANCE, json=body, headers=headers)
    assert (accepted.status_code, accepted.json()["fields_of_action"]) == (200, ["energie"])


async def test_a_proposal_without_a_summary_is_an_idea_until_somebody_writes_it(
    bus: TestBus, http: AsyncClient, token: Token
) -> None:
    await import_catalogue(http, token)
    await bus.publish(a_proposed_project(summary=""), partner="verkehr")
    await bus.settled()
    accepted = await http.post(ACCEPTANCE, json={"officer": "o-1"}, headers=token("u-1", "unit"))

    assert (accepted.status_code, accepted.json()["state"]) == (200, "idea")
