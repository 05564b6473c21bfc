"""Things that tests of project-registry talk about."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from oker_contracts.project.proposed_v2 import ProjectProposedV2
from project_registry import domain

Token = Callable[..., dict[str, str]]
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def the_catalogue() -> domain.Catalogue:
    """The catalogue that ships with the service."""
    text = files("project_registry").joinpath("catalogue.toml").read_text("utf-8")
    return domain.read_catalogue(text, NOON)


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
