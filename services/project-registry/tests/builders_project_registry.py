"""Things that tests of project-registry talk about."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from httpx import AsyncClient, Response

from oker_contracts.project.proposed_v2 import ProjectProposedV2
from project_registry import domain

Token = Callable[..., dict[str, str]]
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TODAY = NOON.date()


def the_catalogue() -> domain.Catalogue:
    """The catalogue that ships with the service."""
    text = files("project_registry").joinpath("catalogue.toml").read_text("utf-8")
    return domain.read_catalogue(text)


def a_proposed_project(**said: Any) -> ProjectProposedV2:
    """What a company says."""
    default = {
        "proposal": "leihfahrraeder",
        "title": "Leihfahrräder am Hauptbahnhof",
        "summary": "Stationen zählen ihre Räder selbst.",
        "fields_of_action": ["mobilitaet"],
        "goals": ["raum-fuer-initiativen-schaffen"],
    }
    return ProjectProposedV2.model_validate({**default, **said})


def a_proposal(**said: Any) -> domain.Proposal:
    """What the register keeps of it."""
    default: dict[str, Any] = {
        "project_id": "verkehr-leihfahrraeder",
        "partner": "verkehr",
        "name": "leihfahrraeder",
        "title": "Leihfahrräder am Hauptbahnhof",
        "summary": "Stationen zählen ihre Räder selbst.",
        "fields_of_action": ("mobilitaet",),
        "goals": ("raum-fuer-initiativen-schaffen",),
        "received_at": NOON,
    }
    return domain.Proposal(**{**default, **said})


def a_profile(**said: Any) -> dict[str, Any]:
    """The little that a proposed project needs."""
    default: dict[str, Any] = {
        "title": "Leihfahrräder am Hauptbahnhof",
        "summary": "Stationen zählen ihre Räder selbst.",
        "fields_of_action": ["mobilitaet"],
    }
    return {**default, **said}


def eligible_profile(**said: Any) -> dict[str, Any]:
    """All that the gate to eligible asks for."""
    marks = {
        "digital_technology": "Sensoren an jeder Station.",
        "daseinsvorsorge": "Öffentlicher Verkehr.",
        "liveable_city": "Weniger Autos in der Innenstadt.",
    }
    criterion = {"criterion": "rentals", "title": "Ausleihen", "target": 1000.0, "direction": "at_least"}
    default = a_profile(
        goals=[{"goal": "staedtische-ziele-umsetzen", "contribution": "Mehr Wege mit dem Rad."}],
        marks=marks,
        department="fb-66",
        officer="o-1",
        budget=[{"line": "invest", "year": 2026, "plan_eur": 50_000}],
        risks=[
            {"risk": "digital_divide", "assessment": "Gering."},
            {"risk": "data_protection", "assessment": "Keine Personen."},
            {"risk": "data_security", "assessment": "Gering."},
        ],
        success_criteria=[criterion | {"unit": "{rentals}", "source": "Zählung der Stationen"}],
    )
    return {**default, **said}


def without(profile: dict[str, Any], *parts: str) -> dict[str, Any]:
    """The profile without some of its parts."""
    return {name: said for name, said in profile.items() if name not in parts}


@dataclass(frozen=True, slots=True)
class Desk:
    """What people of the city do with the register, over HTTP."""

    http: AsyncClient
    token: Token

    async def ask(
        self, method: str, path: str, body: Any = None, *, by: tuple[str, ...] = ("u-1", "unit"), **headers: str
    ) -> Response:
        """One request; ``if_match="…"`` becomes the header If-Match."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(method, path, json=body, headers={**self.token(*by), **said})

    async def done(self, method: str, path: str, body: Any = None, **said: Any) -> Any:
        """The same, and it works."""
        answer = await self.ask(method, path, body, **said)
        assert answer.is_success, (path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def organise(self, *terms: tuple[str, str, str]) -> None:
        """The department fb-66 and terms of office in it: name, holder, role."""
        body = {"title": "Tiefbau und Verkehr", "kind": "department", "reason": "Verteilungsplan"}
        await self.done("PUT", "/organisations/fb-66", body)
        for name, holder, role in terms:
            await self.done("PUT", f"/terms/{name}", a_term_said(holder=holder, role=role))

    async def profile(self, project_id: str, **said: Any) -> Any:
        """Give a project a new profile; by default one that passes the gate to eligible."""
        version = (await self.done("GET", f"/projects/{project_id}"))["version"]
        body = {"reason": "Ausgearbeitet", "profile": eligible_profile(**said)}
        return await self.done("PUT", f"/projects/{project_id}/profile", body, if_match=f'"{version}"')

    async def step(self, project_id: str, to: str, **said: Any) -> Any:
        """Take a step."""
        return await self.done("POST", f"/projects/{project_id}/steps", {"to": to, "reason": "Geprüft", **said})

    async def eligible(self, project_id: str) -> Any:
        """Register a project of the unit and bring it through the gate."""
        body = a_profile(title=project_id) | {"project_id": project_id}
        await self.done("POST", "/projects", body)
        await self.profile(project_id, title=project_id)
        return await self.step(project_id, "eligible")


def a_term_said(**said: Any) -> dict[str, Any]:
    """A term of office as a request says it."""
    default = {
        "holder": "o-1",
        "role": "officer",
        "organisations": ["fb-66"],
        "starts": "2026-01-01",
        "reason": "Ernannt",
    }
    return {**default, **said}
