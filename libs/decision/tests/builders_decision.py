"""Rounds, candidates and tallies, with what a test does not care about filled in."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oker_decision.canonical import digest
from oker_decision.model import Tally

CRITERIA = ("buergernutzen", "kosten-nutzen-verhaeltnis", "strategische-wirkung", "aussenwirkung")
WEIGHTS = ("2/5", "1/5", "1/5", "1/5")
BOARD = ({"voice": "board", "title": "Smart-City-Board", "kind": "scores", "weight": "1"},)
NOON = "2026-03-01T12:00:00Z"
Ballots = Iterable[Sequence[int]]


def a_criterion(criterion: str, weight: str, direction: str = "max") -> dict[str, Any]:
    anchors = {"1": "kaum", "5": "sehr"}
    return {
        "criterion": criterion,
        "title": criterion.capitalize(),
        "weight": weight,
        "direction": direction,
        "anchors": anchors,
    }


def a_candidate(project_id: str, **said: Any) -> dict[str, Any]:
    found = {
        "project_id": project_id,
        "version": 1,
        "title": f"Projekt {project_id}",
        "fields_of_action": ["mobilitaet"],
        "costs": {"digital": 10_000},
        "profile_sha256": "0" * 64,
    }
    return found | said


def content(candidates: Sequence[Mapping[str, Any]], **said: Any) -> dict[str, Any]:
    """The frozen content of a round over these candidates, one seat, the board alone."""
    found: dict[str, Any] = {
        "round_id": "runde-2026",
        "title": "Auswahlrunde 2026",
        "criteria_set": {"set": "vier-kriterien", "version": 1},
        "criteria": [a_criterion(name, weight) for name, weight in zip(CRITERIA, WEIGHTS, strict=True)],
        "scale_min": 1,
        "scale_max": 5,
        "comparisons": {"topsis": {"normalisation": "vector"}, "promethee_ii": None},
        "robustness": {"samples": 50, "seed": 1},
        "assessors": ["a-1", "a-2"],
        "min_assessments": 2,
        "assessments_until": NOON,
        "discussion_spread": 2,
        "electorate": ["m-1", "m-2", "m-3"],
        "quorum": 2,
        "ballots_until": NOON,
        "may_end_early": True,
        "voices": list(BOARD),
        "tie_break": "criteria_then_lot",
        "selection": {"method": "seats", "seats": 1},
        "candidates": len(candidates),
        "candidates_sha256": digest(list(candidates)),
    }
    return found | said


def a_tally(ballots: Ballots) -> Tally:
    """What these ballots add up to; each has one mark for each criterion."""
    columns = list(zip(*ballots, strict=True))
    return Tally(
        count=len(columns[0]),
        sums=tuple(sum(column) for column in columns),
        least=tuple(min(column) for column in columns),
        greatest=tuple(max(column) for column in columns),
        squares=tuple(sum(mark * mark for mark in column) for column in columns),
    )
