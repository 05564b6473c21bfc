"""The tables of evaluation-scheduler."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import DateTime, Double, ForeignKey, Index, Text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from evaluation_scheduler.domain import Calendar, Cycle, Kpi, Measured, Standing

UTC_TIME: Any = DateTime(timezone=True)


class Base(SQLModel, registry=registry()):
    """This service keeps a registry of its own."""


class CalendarRow(Base, table=True):
    """One resolution of the strategy."""

    __tablename__ = "calendar"

    strategy_version: str = Field(primary_key=True, sa_type=Text)
    resolved_on: date
    laid_out_at: datetime = Field(sa_type=UTC_TIME)


class CycleRow(Base, table=True):
    """One evaluation of a calendar."""

    __tablename__ = "cycle"

    strategy_version: str = Field(
        primary_key=True, sa_type=Text, sa_column_args=[ForeignKey("calendar.strategy_version")]
    )
    cycle: str = Field(primary_key=True, sa_type=Text)
    kind: str = Field(sa_type=Text)
    due_on: date


class KpiRow(Base, table=True):
    """A bound KPI and where it stands."""

    __tablename__ = "kpi"
    __table_args__ = (Index("kpi_datastream", "partner", "device", "property"),)

    kpi_id: str = Field(primary_key=True, sa_type=Text)
    project_id: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    partner: str = Field(sa_type=Text)
    device: str = Field(sa_type=Text)
    property: str = Field(sa_type=Text)
    unit: str = Field(sa_type=Text)
    target: float = Field(sa_type=Double)
    direction: str = Field(sa_type=Text)
    bound_at: datetime = Field(sa_type=UTC_TIME)
    status: str | None = Field(default=None, sa_type=Text)
    foreign_unit: str | None = Field(default=None, sa_type=Text)
    value: float | None = Field(default=None, sa_type=Double)
    phenomenon_time: datetime | None = Field(default=None, sa_type=UTC_TIME)
    result_time: datetime | None = Field(default=None, sa_type=UTC_TIME)
    event_source: str | None = Field(default=None, sa_type=Text)
    event_id: str | None = Field(default=None, sa_type=Text)


class KpiValueRow(Base, table=True):
    """Every value that a KPI was fed, newest or late, with the event it came from."""

    __tablename__ = "kpi_value"

    kpi_id: str = Field(primary_key=True, sa_type=Text, sa_column_args=[ForeignKey("kpi.kpi_id")])
    phenomenon_time: datetime = Field(primary_key=True, sa_type=UTC_TIME)
    result_time: datetime = Field(primary_key=True, sa_type=UTC_TIME)
    event_source: str = Field(primary_key=True, sa_type=Text)
    event_id: str = Field(primary_key=True, sa_type=Text)
    value: float = Field(sa_type=Double)


metadata = Base.metadata


@dataclass(frozen=True, slots=True)
class BoundKpi:
    """A KPI and where it stands."""

    kpi: Kpi
    standing: Standing


async def add_calendar(session: AsyncSession, calendar: Calendar, laid_out_at: datetime) -> bool:
    """Write a calendar; ``False`` if this version of the strategy has one, and nothing was written."""
    row = {
        "strategy_version": calendar.strategy_version,
        "resolved_on": calendar.resolved_on,
        "laid_out_at": laid_out_at,
    }
    statement = insert(CalendarRow).values(row).on_conflict_do_nothing()
    added = await session.exec(statement.returning(col(CalendarRow.strategy_version)))
    if added.first() is None:
        return False
    session.add_all(CycleRow(strategy_version=calendar.strategy_version, **asdict(cycle)) for cycle in calendar.cycles)
    return True


async def calendar(session: AsyncSession, strategy_version: str) -> Calendar | None:
    """The calendar of one version of the strategy."""
    found = {laid_out.strategy_version: laid_out for laid_out, _ in await calendars(session)}
    return found.get(strategy_version)


async def calendars(session: AsyncSession) -> list[tuple[Calendar, datetime]]:
    """All calendars with the moment they were laid out, by resolution; there is one every few years."""
    rows = await session.exec(
        select(CalendarRow).order_by(col(CalendarRow.resolved_on), col(CalendarRow.strategy_version))
    )
    cycles: dict[str, list[Cycle]] = {}
    for row in await session.exec(select(CycleRow).order_by(col(CycleRow.due_on), col(CycleRow.cycle))):
        cycles.setdefault(row.strategy_version, []).append(_cycle(row))
    return [(_calendar(row, cycles[row.strategy_version]), row.laid_out_at) for row in rows]


def _calendar(row: CalendarRow, cycles: list[Cycle]) -> Calendar:
    return Calendar(row.strategy_version, row.resolved_on, tuple(cycles))


def _cycle(row: CycleRow) -> Cycle:
    return Cycle(row.cycle, "structures" if row.kind == "structures" else "strategy", row.due_on)


async def add_kpi(session: AsyncSession, kpi: Kpi, bound_at: datetime) -> bool:
    """Write a KPI; ``False`` if its id is taken, and nothing was written."""
    statement = insert(KpiRow).values(**asdict(kpi), bound_at=bound_at).on_conflict_do_nothing()
    return (await session.exec(statement.returning(col(KpiRow.kpi_id)))).first() is not None


async def kpi(session: AsyncSession, kpi_id: str) -> BoundKpi | None:
    """One KPI."""
    row = await session.get(KpiRow, kpi_id)
    return _bound(row) if row else None


async def kpis(session: AsyncSession) -> list[BoundKpi]:
    """All KPIs, by id."""
    return [_bound(row) for row in await session.exec(select(KpiRow).order_by(col(KpiRow.kpi_id)))]


async def kpis_fed_by(session: AsyncSession, partner: str, datastreams: Collection[tuple[str, str]]) -> list[BoundKpi]:
    """The KPIs that some datastreams of a company feed, locked until the end of the transaction.

    Args:
        session: the transaction.
        partner: the company.
        datastreams: (device, property).
    """
    fed = tuple_(col(KpiRow.device), col(KpiRow.property)).in_(datastreams)
    statement = select(KpiRow).where(KpiRow.partner == partner, fed).order_by(col(KpiRow.kpi_id))
    return [_bound(row) for row in await session.exec(statement.with_for_update())]


async def save_standing(session: AsyncSession, kpi_id: str, standing: Standing) -> None:
    """Write where a KPI stands."""
    row = await session.get_one(KpiRow, kpi_id)
    row.status, row.foreign_unit = standing.status, standing.foreign_unit
    if standing.latest is not None:
        for name in ("value", "phenomenon_time", "result_time", "event_source", "event_id"):
            setattr(row, name, getattr(standing.latest, name))
    session.add(row)


async def add_values(session: AsyncSession, kpi_id: str, values: Iterable[Measured]) -> None:
    """Write values of a KPI; one that is known changes nothing."""
    names = [name for name in KpiValueRow.model_fields if name != "kpi_id"]
    rows = [{"kpi_id": kpi_id, **{name: getattr(value, name) for name in names}} for value in values]
    if rows:
        await session.exec(insert(KpiValueRow).on_conflict_do_nothing(), params=rows)


async def values(session: AsyncSession, kpi_id: str, newest: int) -> list[Measured]:
    """The newest values of a KPI, the newest first."""
    row = await session.get_one(KpiRow, kpi_id)
    fed = KpiValueRow
    rank = (fed.phenomenon_time, fed.result_time, fed.event_source, fed.event_id)
    ordered = [col(column).desc() for column in rank]
    statement = select(fed).where(fed.kpi_id == kpi_id).order_by(*ordered).limit(newest)
    return [
        Measured(v.phenomenon_time, v.result_time, v.event_source, v.event_id, v.value, row.unit)
        for v in await session.exec(statement)
    ]


def _bound(row: KpiRow) -> BoundKpi:
    kpi = Kpi(
        kpi_id=row.kpi_id,
        project_id=row.project_id,
        title=row.title,
        partner=row.partner,
        device=row.device,
        property=row.property,
        unit=row.unit,
        target=row.target,
        direction="at_least" if row.direction == "at_least" else "at_most",
    )
    return BoundKpi(kpi, _standing(row))


def _standing(row: KpiRow) -> Standing:
    if row.phenomenon_time is None or row.result_time is None or row.value is None:
        return Standing(foreign_unit=row.foreign_unit)
    latest = Measured(
        row.phenomenon_time, row.result_time, row.event_source or "", row.event_id or "", row.value, row.unit
    )
    return Standing(latest, "on_track" if row.status == "on_track" else "off_track", row.foreign_unit)
