"""The criteria of the strategy (S4.4-1), as the first version of a set that may grow further ones (S4.4-3)."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from selection_scoring.domain.rounds import Fault

STRATEGY = "strategie-2020"
SCALE = (1, 5)


def _criterion(name: str, title: str, weight: str, *anchors: str) -> dict[str, Any]:
    marks = {str(score): text for score, text in enumerate(anchors, start=1)}
    return {"criterion": name, "title": title, "weight": weight, "direction": "max", "anchors": marks}


FOUR_CRITERIA: Sequence[Mapping[str, Any]] = (
    _criterion(
        "buergernutzen",
        "Bürgernutzen",
        "2/5",
        "Kein erkennbarer Nutzen für Bürgerinnen und Bürger.",
        "Nutzen für wenige, oder nur mittelbar.",
        "Spürbarer Nutzen für eine größere Gruppe.",
        "Deutlicher Nutzen für viele, im Alltag zu merken.",
        "Großer Nutzen für die ganze Stadtgesellschaft; niemand wird ausgeschlossen.",
    ),
    _criterion(
        "kosten-nutzen-verhaeltnis",
        "Kosten-Nutzen-Verhältnis",
        "1/5",
        "Die Kosten überwiegen den Nutzen bei weitem.",
        "Die Kosten überwiegen den Nutzen.",
        "Kosten und Nutzen halten sich die Waage.",
        "Der Nutzen überwiegt die Kosten.",
        "Der Nutzen überwiegt die Kosten bei weitem.",
    ),
    _criterion(
        "strategische-wirkung",
        "Strategische Wirkung",
        "1/5",
        "Trägt zu keinem strategischen Ziel bei.",
        "Berührt ein strategisches Ziel am Rande.",
        "Trägt zu einem strategischen Ziel messbar bei.",
        "Trägt zu mehreren strategischen Zielen messbar bei.",
        "Ist für mehrere strategische Ziele eine Voraussetzung.",
    ),
    _criterion(
        "aussenwirkung",
        "Außenwirkung",
        "1/5",
        "Außerhalb der Verwaltung nicht wahrnehmbar.",
        "Wird von einzelnen Fachleuten wahrgenommen.",
        "Wird in der Stadt wahrgenommen.",
        "Wird in der Region wahrgenommen.",
        "Macht die Stadt über die Region hinaus zum Beispiel für andere.",
    ),
)
"""Bürgernutzen first, in order and in weight."""


def fault(criteria: Sequence[Mapping[str, Any]], scale_min: int, scale_max: int) -> Fault | None:
    """Why this is no set of criteria."""
    if scale_min >= scale_max:
        return Fault("FIELD_VALUE_INVALID", "$.scale_max", "The scale ends above where it begins.")
    return (
        _repeated(row["criterion"] for row in criteria)
        or _weights(criteria)
        or _anchors(criteria, scale_min, scale_max)
    )


def _repeated(names: Iterable[str]) -> Fault | None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            return Fault("FIELD_VALUE_INVALID", f"$.criteria[{index}].criterion", "This stands in the list twice.")
        seen.add(name)
    return None


def _weights(criteria: Sequence[Mapping[str, Any]]) -> Fault | None:
    weights = [Fraction(row["weight"]) for row in criteria]
    for index, weight in enumerate(weights):
        if weight <= 0:
            return Fault("FIELD_VALUE_INVALID", f"$.criteria[{index}].weight", "A weight is greater than 0.")
    if sum(weights) != 1:
        return Fault("FIELD_VALUE_INVALID", "$.criteria", f"The weights add up to {sum(weights)}; make it exactly 1.")
    return None


def _anchors(criteria: Sequence[Mapping[str, Any]], scale_min: int, scale_max: int) -> Fault | None:
    marks = {str(score) for score in range(scale_min, scale_max + 1)}
    for index, row in enumerate(criteria):
        for mark in row["anchors"]:
            if mark not in marks:
                path = f"$.criteria[{index}].anchors.{mark}"
                return Fault("FIELD_VALUE_INVALID", path, f"The scale goes from {scale_min} to {scale_max}.")
    return None
