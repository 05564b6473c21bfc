"""The computed result and the board's decision, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from selection_scoring.domain.rounds import NAMED, Denial, Fault

Outcome = Literal["selected", "deferred", "rejected"]


@dataclass(frozen=True, slots=True)
class Override:
    """The board decides otherwise than computed."""

    project_id: str
    decided: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Computed:
    """One line of the computed result, as far as a decision needs it."""

    project_id: str
    title: str
    rank: int
    score: str
    outcome: Literal["selected", "rejected"]
    share: str


def may_decide_on(closed: str, seen: str) -> Denial | None:
    """A decision names the hash of the very result that it is taken on."""
    if closed == seen:
        return None
    sentence = "The round was closed with another result; look at the result of the round, and send its result_sha256."
    return Denial("conflict", sentence)


def fault_in_overrides(overrides: Sequence[Override], computed: Mapping[str, Computed]) -> Fault | None:
    """Why these are no overrides: an unknown or repeated candidate, nothing changed, no reason."""
    seen: set[str] = set()
    for index, row in enumerate(overrides):
        path = f"$.overrides[{index}]"
        line = computed.get(row.project_id)
        if line is None:
            return Fault("FIELD_VALUE_INVALID", f"{path}.project_id", "The round has no such candidate.")
        if row.project_id in seen:
            return Fault("FIELD_VALUE_INVALID", f"{path}.project_id", "This candidate stands in the list twice.")
        if row.decided == line.outcome:
            sentence = f"It was computed as {line.outcome} already; leave it out."
            return Fault("FIELD_VALUE_INVALID", f"{path}.decided", sentence)
        if not row.reason.strip():
            sentence = "Who decides otherwise than computed says why; write a reason."
            return Fault("FIELD_VALUE_INVALID", f"{path}.reason", sentence)
        seen.add(row.project_id)
    return None


def decide(computed: Sequence[Computed], overrides: Sequence[Override]) -> list[dict[str, Any]]:
    """The lines of a decision, by rank: what is selected or deferred, every override, and the first of the others.

    Who is on no line is rejected as computed.
    """
    otherwise = {row.project_id: row for row in overrides}
    lines = [_line(row, otherwise.get(row.project_id)) for row in computed]
    first = {line["project_id"] for line in [line for line in lines if line["decided"] == "rejected"][:NAMED]}
    kept = first | otherwise.keys()
    return [line for line in lines if line["decided"] != "rejected" or line["project_id"] in kept]


def _line(row: Computed, override: Override | None) -> dict[str, Any]:
    decided = override.decided if override else row.outcome
    return {
        "rank": row.rank,
        "project_id": row.project_id,
        "title": row.title,
        "score": row.score,
        "computed": row.outcome,
        "decided": decided,
        "share": _share(row, decided),
        "reason": override.reason if override else "",
    }


def _share(row: Computed, decided: Outcome) -> str:
    """What is selected against the computed result is funded in full."""
    if decided != "selected":
        return "0"
    return row.share if row.outcome == "selected" else "1"
