"""When the strategy is evaluated, and whether a KPI is on track: pure functions over plain values."""

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

CycleKind = Literal["structures", "strategy"]
Direction = Literal["at_least", "at_most"]
Status = Literal["on_track", "off_track"]

STRUCTURES_AFTER = 1
"""Years from the resolution to the evaluation of the organisational structures (S6-2)."""
STRATEGY_EVERY = 2
"""Years from the resolution to each evaluation of the whole strategy (S6-3)."""
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Cycle:
    """One evaluation; ``due_on`` is a civil date in Europe/Berlin."""

    cycle: str
    kind: CycleKind
    due_on: date


@dataclass(frozen=True, slots=True)
class Calendar:
    """All evaluations that follow from one political resolution."""

    strategy_version: str
    resolved_on: date
    cycles: tuple[Cycle, ...]

    def says_the_same(self, other: "Calendar") -> bool:
        """Whether both follow from the same resolution and hold the same cycles.

        Due dates are left out: a public holiday decreed later moves none that was already laid out.
        """
        return self._content() == other._content()

    def _content(self) -> tuple[str, date, tuple[str, ...]]:
        return self.strategy_version, self.resolved_on, tuple(cycle.cycle for cycle in self.cycles)


def lay_out(strategy_version: str, resolved_on: date, years: int, holidays: Container[date]) -> Calendar:
    """The structures one year after the resolution, the whole strategy every two years after it.

    Each date is counted from the resolution, not from the date before it, so that moves never add up.

    Args:
        strategy_version: what was resolved.
        resolved_on: the day of the political resolution.
        years: how far to plan, counted from the resolution.
        holidays: the public holidays of the place.
    """
    planned: list[tuple[CycleKind, int]] = [("structures", STRUCTURES_AFTER)]
    planned += [("strategy", year) for year in range(STRATEGY_EVERY, years + 1, STRATEGY_EVERY)]
    cycles = tuple(_cycle(kind, year, resolved_on, holidays) for kind, year in planned)
    return Calendar(strategy_version, resolved_on, cycles)


def _cycle(kind: CycleKind, year: int, resolved_on: date, holidays: Container[date]) -> Cycle:
    due_on = working_day(anniversary(resolved_on, year), holidays)
    return Cycle(f"{kind}-year-{year}", kind, due_on)


def anniversary(day: date, years: int) -> date:
    """The same day ``years`` later; 29 February becomes the last day of February (BGB § 188 (3))."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 2, 28)


def working_day(day: date, holidays: Container[date]) -> date:
    """The day itself, or the next that is no Saturday, Sunday or public holiday (BGB § 193)."""
    while day.weekday() >= _SATURDAY or day in holidays:
        day += timedelta(days=1)
    return day


@dataclass(frozen=True, slots=True)
class Kpi:
    """A success criterion of a project, its target, and the datastream that feeds it (S6-4)."""

    kpi_id: str
    project_id: str
    title: str
    partner: str
    device: str
    property: str
    unit: str
    target: float
    direction: Direction


@dataclass(frozen=True, slots=True)
class Measured:
    """One value of a KPI, with the event it came from."""

    phenomenon_time: datetime
    result_time: datetime
    event_source: str
    event_id: str
    value: float
    unit: str

    @property
    def rank(self) -> tuple[datetime, datetime, str, str]:
        """The greater is the newer, whatever arrives first."""
        return self.phenomenon_time, self.result_time, self.event_source, self.event_id


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a KPI stands: its newest value, the status last announced, and a unit it cannot use."""

    latest: Measured | None = None
    status: Status | None = None
    foreign_unit: str | None = None


def status_of(kpi: Kpi, value: float) -> Status:
    """A value that equals the target meets it, in both directions."""
    met = value >= kpi.target if kpi.direction == "at_least" else value <= kpi.target
    return "on_track" if met else "off_track"


def comparable(kpi: Kpi, arrived: Iterable[Measured]) -> list[Measured]:
    """The values in the KPI's own unit; others cannot be held against its target."""
    return [measured for measured in arrived if measured.unit == kpi.unit]


def assess(kpi: Kpi, standing: Standing, arrived: Iterable[Measured]) -> Standing:
    """The standing after some values arrived, in any order.

    Only the newest of all values decides; a late older one changes nothing. A value in another unit than the
    KPI's is not compared, its unit is kept so that people see why the KPI does not move.
    """
    for measured in arrived:
        if measured.unit != kpi.unit:
            standing = replace(standing, foreign_unit=measured.unit)
        elif standing.latest is None or measured.rank > standing.latest.rank:
            standing = replace(standing, latest=measured, status=status_of(kpi, measured.value))
    return standing
