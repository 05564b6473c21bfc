"""Things a test of notification needs, with everything it does not care about filled in."""

from datetime import UTC, datetime
from typing import Any

from oker_contracts.evaluation.kpi_assessed_v1 import Evidence, KpiAssessedV1
from oker_contracts.project.gap_escalated_v1 import GapEscalatedV1
from oker_contracts.project.organisation_recorded_v1 import OrganisationRecordedV1
from oker_contracts.project.profile_recorded_v1 import Profile, ProfileRecordedV1
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from oker_contracts.selection.decision_taken_v2 import DecidedProject, DecisionTakenV2

NOON = datetime(2026, 3, 21, 12, tzinfo=UTC)


def a_recipient(*roles: str, locale: str = "de", **said: Any) -> dict[str, Any]:
    """The body of PUT /recipients/{holder}."""
    return {"roles": list(roles), "locale": locale, "address": "someone@braunschweig.example", **said}


def a_line(rank: int = 1, decided: str = "selected", **said: Any) -> DecidedProject:
    """One line of the decision, decided as computed."""
    computed = said.get("computed", decided)
    filled = {"title": f"Projekt {rank}", "score": "22/7", "computed": computed, "decided": decided, "reason": ""}
    share = "1" if decided == "selected" else "0"
    return DecidedProject(**{"rank": rank, "project_id": f"projekt-{rank}", "share": share, **filled, **said})


def a_decision(*lines: DecidedProject, **said: Any) -> DecisionTakenV2:
    """Two of three projects are selected."""
    filled = {
        "round_id": "2026-1",
        "title": "Runde 2026",
        "frozen_sha256": "0" * 64,
        "result_sha256": "1" * 64,
        "lines": list(lines or (a_line(1), a_line(2))),
        "candidates": 3,
        "note": "",
        "decided_by": "m-1",
        "decided_at": NOON,
        "log": None,
    }
    return DecisionTakenV2(**{**filled, **said})


def a_gap(**said: Any) -> GapEscalatedV1:
    """A department with the project of :func:`an_assessment`, and nobody who answers for it."""
    filled = {
        "organisation": "fb-66",
        "state": "open",
        "projects": ["besucherzaehlung", "handyparken"],
        "since": NOON,
        "recorded_at": NOON,
    }
    return GapEscalatedV1(**{**filled, **said})


def an_organisation(**said: Any) -> OrganisationRecordedV1:
    """The department of :func:`a_gap`."""
    filled = {
        "organisation": "fb-66",
        "version": 1,
        "title": "Fachbereich Tiefbau und Verkehr",
        "kind": "department",
        "status": "active",
        "reason": "",
        "valid_from": NOON,
        "recorded_at": NOON,
    }
    return OrganisationRecordedV1(**{**filled, **said})


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


def a_project(**said: Any) -> ProjectRegisteredV2:
    """The project of :func:`an_assessment`."""
    filled = {
        "project_id": "besucherzaehlung",
        "title": "Laserbasierte Besucherzählung",
        "summary": "",
        "fields_of_action": ["stadtentwicklung"],
        "goals": [],
        "origin": "catalogue",
        "state": "proposed",
        "officer": "o-1",
        "registered_at": NOON,
    }
    return ProjectRegisteredV2(**{**filled, **said})


def a_profile(version: int = 2, **said: Any) -> ProfileRecordedV1:
    """A later version of :func:`a_project`."""
    return ProfileRecordedV1(
        project_id="besucherzaehlung",
        version=version,
        state="proposed",
        previous_state="proposed",
        profile=Profile(**{"title": "Laserbasierte Besucherzählung", **said}),
        reason="",
        valid_from=NOON,
        recorded_at=NOON,
    )
