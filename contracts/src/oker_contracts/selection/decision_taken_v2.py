"""The board decided on a round (fact)."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Part, Rational, Sha256, Slug, Text, Title
from oker_contracts.selection.criteria_recorded_v1 import LogLink

UNKNOWN = "0" * 64
Outcome = Literal["selected", "deferred", "rejected"]


class DecidedProject(Part):
    """One project: what was computed, what was decided; an override has its reason."""

    rank: Annotated[int, Field(ge=1, description="Equal scores share a rank.")]
    project_id: Slug
    title: Title
    score: Rational
    computed: Literal["selected", "rejected"]
    decided: Outcome
    share: Rational = Field(description="1: funded in full.")
    reason: Text = Field(description="Why the board decided otherwise; empty where it follows the computed result.")


class Staffing(Part):
    """Work or a release (Freistellung) that the board grants (strategy, 5.2)."""

    project_id: Slug
    kind: Literal["staffing", "release"]
    holder: HolderId | None = None
    full_time_equivalents: Annotated[float, Field(gt=0, le=1000)]
    note: Text = ""


class DecisionTakenV2(Contract):
    """The computed result and the board's decision, side by side.

    ``lines`` has by rank the projects that are selected or deferred, the overrides, and the first ten of the others;
    all other candidates are rejected as computed, each with its sentence in the result.
    """

    TYPE: ClassVar[str] = "selection.decision_taken.v2"
    KEY: ClassVar[tuple[str, ...]] = ("round_id",)

    round_id: Slug
    title: Title
    frozen_sha256: Sha256
    result_sha256: Sha256
    lines: Annotated[list[DecidedProject], Field(max_length=3000)]
    candidates: Annotated[int, Field(ge=0)]
    staffing: Annotated[list[Staffing], Field(max_length=500)] = Field(default=[])
    session: Slug | None = None
    note: Text
    decided_by: HolderId
    decided_at: Instant
    log: LogLink | None


def upcast_v1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 was the computed ranking, decided as computed, before there was a log."""
    kept = {name: data[name] for name in ("round_id", "title", "frozen_sha256", "decided_by", "decided_at")}
    lines = [
        {
            **{name: line[name] for name in ("rank", "project_id", "title", "score")},
            "computed": "selected" if line["selected"] else "rejected",
            "decided": "selected" if line["selected"] else "rejected",
            "share": "1" if line["selected"] else "0",
            "reason": "",
        }
        for line in data["ranking"]
    ]
    extra = {"result_sha256": UNKNOWN, "candidates": len(lines), "staffing": [], "session": None}
    return {**kept, **extra, "lines": lines, "note": "", "log": None}
