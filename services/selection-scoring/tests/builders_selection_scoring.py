"""Things that tests of selection-scoring talk about."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import rfc8785

from oker_contracts.project.registered_v1 import ProjectRegisteredV1
from selection_scoring import domain

Token = Callable[..., dict[str, str]]
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CRITERIA = tuple(row.criterion for row in domain.FOUR_CRITERIA)
POOL = ("bahnstadt", "handyparken", "stadtlexikon")
VOTERS = ("board-1", "board-2", "board-3")


def a_registered_project(project_id: str = "handyparken", **said: Any) -> ProjectRegisteredV1:
    """What project-registry announces."""
    default = {
        "project_id": project_id,
        "title": f"Projekt {project_id}",
        "summary": "",
        "fields_of_action": ["mobilitaet"],
        "goals": [],
        "origin": "catalogue",
        "registered_at": NOON,
    }
    return ProjectRegisteredV1.model_validate({**default, **said})


def a_round(**said: Any) -> domain.Round:
    """A round over the pool with the four criteria."""
    default: dict[str, Any] = {
        "round_id": "runde-2026",
        "title": "Auswahlrunde 2026",
        "criteria": domain.FOUR_CRITERIA,
        "scale_min": 1,
        "scale_max": 5,
        "candidates": POOL,
        "electorate": VOTERS,
        "quorum": 2,
        "seats": 1,
    }
    return domain.Round(**{**default, **said})


def an_opened_round(**said: Any) -> domain.OpenedRound:
    """The same, frozen."""
    return domain.freeze(a_round(**said), rfc8785.dumps, NOON)


def scores(*said: int) -> dict[str, int]:
    """Scores in the order of the four criteria."""
    return dict(zip(CRITERIA, said, strict=True))


def a_ballot(voter: str, project_id: str, *said: int, version: int = 1) -> domain.Ballot:
    """One voter's scores of one candidate."""
    return domain.Ballot(voter, project_id, version, scores(*said), NOON)


def a_body(**said: Any) -> dict[str, Any]:
    """The body of POST /rounds."""
    default: dict[str, Any] = {
        "round_id": "runde-2026",
        "title": "Auswahlrunde 2026",
        "electorate": list(VOTERS),
        "quorum": 2,
        "seats": 1,
    }
    return {**default, **said}
