"""The HTTP side: resolutions and their calendar, KPIs and where they stand."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated
from uuid import NAMESPACE_URL, uuid5

import icalendar
import structlog
from fastapi import APIRouter, Depends, HTTPException, Response
from holidays import country_holidays
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from evaluation_scheduler import domain, store
from evaluation_scheduler.domain import Calendar, Cycle, CycleKind, Direction, Kpi, Measured, Status
from evaluation_scheduler.store import BoundKpi
from oker_bus import Bus
from oker_contracts.base import DeviceId, PropertyName, Result, Slug, Title, Unit
from oker_contracts.evaluation import calendar_laid_out_v1
from oker_contracts.evaluation.calendar_laid_out_v1 import CalendarLaidOutV1
from oker_contracts.evaluation.kpi_bound_v1 import KpiBoundV1
from oker_identity import require

log = structlog.get_logger()
READERS = require("cdo", "unit", "board", "officer", "auditor")
TIME_ZONE = "Europe/Berlin"
NEWEST_VALUES = 100
SUMMARIES: dict[CycleKind, str] = {
    "structures": "Evaluation der Organisationsstrukturen",
    "strategy": "Evaluation der Smart-City-Strategie",
}
DESCRIPTIONS: dict[CycleKind, str] = {
    "structures": "Sind die Strukturen wirksam? Folgen die Aktivitäten der Strategie?",
    "strategy": "Gesamte Strategie, Maßnahmen und Ausrichtung. Die oder der CDO schreibt eine Stellungnahme "
    "und berichtet in der Dezernentensitzung.",
}


def printable(text: str) -> str:
    """Refuse control characters: no table, mail or calendar can hold them."""
    if not text.isprintable():
        raise ValueError("holds control characters; use one line of plain text")
    return text


class Said(BaseModel):
    """A request: fields nobody knows are refused, since a slip of the pen would otherwise go unseen."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Resolution(Said):
    """The political resolution of one version of the strategy."""

    resolved_on: date = Field(ge=date(2000, 1, 1), le=date(2049, 12, 31), description="Civil date, Europe/Berlin.")
    years: int = Field(default=10, ge=1, le=50, strict=True, description="How far to plan, from the resolution.")


class KpiBinding(Said):
    """A success criterion, its target and the datastream that feeds it."""

    project_id: Slug
    title: Annotated[Title, AfterValidator(printable)]
    partner: Slug
    device: DeviceId
    property: PropertyName
    unit: Unit
    target: Annotated[Result, Field(strict=True)]
    direction: Direction


class CalendarShown(BaseModel):
    """A calendar; due dates are civil dates in its time zone."""

    strategy_version: str
    resolved_on: date
    time_zone: str = TIME_ZONE
    cycles: list[Cycle]


class LatestShown(BaseModel):
    """A value of a KPI and the company's event that carried it."""

    value: float
    unit: str
    phenomenon_time: datetime
    event_source: str
    event_id: str


class KpiShown(BaseModel):
    """A KPI and where it stands."""

    kpi_id: str
    project_id: str
    title: str
    partner: str
    device: str
    property: str
    unit: str
    target: float
    direction: Direction
    status: Status | None = Field(description="null: no value has come yet.")
    latest: LatestShown | None
    foreign_unit: str | None = Field(description="A unit the datastream sent that is not the KPI's; not compared.")


class KpiHistory(KpiShown):
    """A KPI with its newest values."""

    values: list[LatestShown]


def build(bus: Bus) -> APIRouter:
    """All routes."""
    router = APIRouter()
    _calendar_routes(router, bus)
    _kpi_routes(router, bus)
    return router


def _calendar_routes(router: APIRouter, bus: Bus) -> None:
    @router.put("/resolutions/{strategy_version}", dependencies=[Depends(require("cdo"))])
    async def date_resolution(strategy_version: Slug, said: Resolution, response: Response) -> CalendarShown:
        """Date the political resolution; the calendar follows from it, once."""
        wanted = domain.lay_out(strategy_version, said.resolved_on, said.years, country_holidays("DE", subdiv="NI"))
        async with bus.transaction() as tx:
            laid_out = await store.add_calendar(tx.session, wanted, tx.now)
            if laid_out:
                tx.announce(_calendar_fact(wanted, tx.now))
            kept = await store.calendar(tx.session, strategy_version)
        if kept is None or not kept.says_the_same(wanted):
            raise HTTPException(409, f"The calendar of {strategy_version} was laid out with another content.")
        response.status_code = 201 if laid_out else 200
        return _calendar_shown(kept)

    @router.get("/calendar")
    async def read_calendar() -> list[CalendarShown]:
        """All evaluations; public, as the strategy is."""
        async with bus.sessions() as session:
            return [_calendar_shown(calendar) for calendar, _ in await store.calendars(session)]

    @router.get("/calendar.ics", response_class=Response)
    async def subscribe_calendar() -> Response:
        """The same for calendar programs (RFC 5545), which send no token."""
        async with bus.sessions() as session:
            calendars = await store.calendars(session)
        return Response(to_ical(calendars), media_type="text/calendar; charset=utf-8")


def _kpi_routes(router: APIRouter, bus: Bus) -> None:
    @router.put("/kpis/{kpi_id}", dependencies=[Depends(require("unit", "cdo"))])
    async def bind_kpi(kpi_id: Slug, said: KpiBinding, response: Response) -> KpiShown:
        """Bind a KPI to a datastream; it is assessed from the next observation on."""
        wanted = Kpi(kpi_id=kpi_id, **said.model_dump())
        async with bus.transaction() as tx:
            bound = await store.add_kpi(tx.session, wanted, tx.now)
            if bound:
                tx.announce(KpiBoundV1(**asdict(wanted), bound_at=tx.now))
            kept = await store.kpi(tx.session, kpi_id)
        if kept is None or kept.kpi != wanted:
            raise HTTPException(409, f"The KPI {kpi_id} is bound with another content; bind a new id.")
        response.status_code = 201 if bound else 200
        return KpiShown(**_kpi_fields(kept))

    @router.get("/kpis", dependencies=[Depends(READERS)])
    async def read_kpis() -> list[KpiShown]:
        """All KPIs, each with its latest value and status."""
        async with bus.sessions() as session:
            return [KpiShown(**_kpi_fields(bound)) for bound in await store.kpis(session)]

    @router.get("/kpis/{kpi_id}", dependencies=[Depends(READERS)])
    async def read_kpi(kpi_id: Slug) -> KpiHistory:
        """One KPI with its newest values."""
        async with bus.sessions() as session:
            bound = await store.kpi(session, kpi_id)
            if bound is None:
                raise HTTPException(404, f"There is no KPI {kpi_id}.")
            values = await store.values(session, kpi_id, NEWEST_VALUES)
        return KpiHistory(**_kpi_fields(bound), values=[_value_shown(value) for value in values])


def _calendar_fact(calendar: Calendar, now: datetime) -> CalendarLaidOutV1:
    return CalendarLaidOutV1(
        strategy_version=calendar.strategy_version,
        resolved_on=calendar.resolved_on,
        cycles=[calendar_laid_out_v1.Cycle(**asdict(cycle)) for cycle in calendar.cycles],
        laid_out_at=now,
    )


def _calendar_shown(calendar: Calendar) -> CalendarShown:
    return CalendarShown(**asdict(calendar))


def to_ical(calendars: list[tuple[Calendar, datetime]]) -> bytes:
    """All-day events whose UIDs stay the same from one reading to the next (RFC 5545, 3.8.4.7)."""
    whole = icalendar.Calendar()
    whole.add("prodid", "-//Oker//evaluation-scheduler//DE")
    whole.add("version", "2.0")
    whole.add("method", "PUBLISH")
    whole.add("x-wr-timezone", TIME_ZONE)
    for calendar, laid_out_at in calendars:
        for cycle in calendar.cycles:
            whole.add_component(_ical_event(calendar, cycle, laid_out_at))
    return bytes(whole.to_ical())


def _ical_event(calendar: Calendar, cycle: Cycle, laid_out_at: datetime) -> icalendar.Event:
    event = icalendar.Event()
    name = f"urn:oker:evaluation:{calendar.strategy_version}:{calendar.resolved_on}:{cycle.cycle}"
    event.add("uid", str(uuid5(NAMESPACE_URL, name)))
    event.add("dtstamp", laid_out_at)
    event.add("dtstart", cycle.due_on)
    event.add("summary", f"{SUMMARIES[cycle.kind]} ({calendar.strategy_version})")
    event.add("description", f"{DESCRIPTIONS[cycle.kind]} Beschluss: {calendar.resolved_on:%d.%m.%Y}.")
    event.add("transp", "TRANSPARENT")
    return event


def _kpi_fields(bound: BoundKpi) -> dict[str, object]:
    latest = bound.standing.latest
    return {
        **asdict(bound.kpi),
        "status": bound.standing.status,
        "latest": _value_shown(latest) if latest else None,
        "foreign_unit": bound.standing.foreign_unit,
    }


def _value_shown(measured: Measured) -> LatestShown:
    return LatestShown(
        value=measured.value,
        unit=measured.unit,
        phenomenon_time=measured.phenomenon_time,
        event_source=measured.event_source,
        event_id=measured.event_id,
    )
