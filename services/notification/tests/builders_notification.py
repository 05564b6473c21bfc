"""Things a test of notification needs, with everything it does not care about filled in."""

from datetime import UTC, datetime
from typing import Any

from oker_contracts.evaluation.kpi_assessed_v1 import Evidence, KpiAssessedV1
from oker_contracts.project.registered_v1 import ProjectRegisteredV1
from oker_contracts.selection.decision_taken_v1 import DecisionTakenV1, RankedProject

NOON = datetime(2026, 3, 21, 12, tzinfo=UTC)


def a_recipient(*roles: str, locale: str = "de", **said: Any) -> dict[str, Any]:
    """The body of PUT /recipients/{holder}."""
    return {"roles": list(roles), "locale": locale, "address": "someone@braunschweig.example", **said}


def a_ranked_project(rank: int = 1, **said: Any) -> RankedProject:
    """One line of the ranking."""
    filled = {"title": f"Projekt {rank}", "score": "22/7", "ballots": 3, "selected": True}
    return RankedProject(**{"rank": rank, "project_id": f"projekt-{rank}", **filled, **said})


def a_decision(*ranking: RankedProject, **said: Any) -> DecisionTakenV1:
    """Two of three projects are selected."""
    lines = ranking or (a_ranked_project(1), a_ranked_project(2), a_ranked_project(3, selected=False))
    filled = {
        "round_id": "2026-1",
        "title": "Runde 2026",
        "frozen_sha256": "0" * 64,
        "ballots_sha256": "1" * 64,
        "ranking": list(lines),
        "decided_by": "m-1",
        "decided_at": NOON,
    }
    return DecisionTakenV1(**{**filled, **said})


def an_assessment(**said: Any) -> KpiAssessedV1:
    """The visitors of the city centre miss their target."""
    filled = {
        "kpi_id": "visitors",
        "project_id": "besucherzaehlung",
        "title": "Besucher in der Innenstadt",
        "status": "off_track",
        "previous_status": "on_track",
        "value": 99.5,
        "unit": "{visitors}",
        "target": 1000.0,
        "direction": "at_least",
        "phenomenon_time": NOON,
        "partner": "verkehr",
        "evidence": Evidence(event_source="/verkehr/counters", event_id="reading-7"),
        "assessed_at": NOON,
    }
    return KpiAssessedV1(**{**filled, **said})


def a_project(**said: Any) -> ProjectRegisteredV1:
    """The project of :func:`an_assessment`."""
    filled = {
        "project_id": "besucherzaehlung",
        "title": "Laserbasierte Besucherzählung",
        "summary": "",
        "fields_of_action": ["stadtentwicklung"],
        "goals": [],
        "origin": "catalogue",
        "officer": "o-1",
        "registered_at": NOON,
    }
    return ProjectRegisteredV1(**{**filled, **said})
