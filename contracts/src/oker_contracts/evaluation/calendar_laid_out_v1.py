"""The calendar of evaluations follows from the political resolution (fact)."""

from datetime import date
from typing import ClassVar, Literal

from oker_contracts.base import Contract, Instant, Part, Slug


class Cycle(Part):
    """One evaluation (strategy, chapter 6)."""

    cycle: Slug
    kind: Literal["structures", "strategy"]
    due_on: date


class CalendarLaidOutV1(Contract):
    """One year after the resolution the structures, then every two years the whole strategy."""

    TYPE: ClassVar[str] = "evaluation.calendar_laid_out.v1"
    KEY: ClassVar[tuple[str, ...]] = ("strategy_version",)

    strategy_version: Slug
    resolved_on: date
    cycles: list[Cycle]
    laid_out_at: Instant
