"""The HTTP side, on the real bus."""

from collections.abc import Callable
from datetime import date
from typing import Any

import icalendar
import pytest
from builders_evaluation_scheduler import NOON, a_binding, a_kpi, an_observation, recorded
from httpx import AsyncClient

from evaluation_scheduler.domain import Kpi
from oker_contracts.evaluation.calendar_laid_out_v1 import CalendarLaidOutV1
from oker_contracts.evaluation.kpi_bound_v1 import KpiBoundV1
from oker_testkit.bus import TestBus

Token = Callable[..., dict[str, str]]
RESOLVED = {"resolved_on": "2020-02-04", "years": 4}


@pytest.fixture
def cdo(token: Token) -> dict[str, str]:
    return token("m-1", "cdo")


async def test_a_resolution_lays_out_the_calendar_once(bus: TestBus, http: AsyncClient, cdo: dict[str, str]) -> None:
    first = await http.put("/resolutions/2020", json=RESOLVED, headers=cdo)
    again = await http.put("/resolutions/2020", json=RESOLVED, headers=cdo)
    await bus.settled()

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["time_zone"] == "Europe/Berlin"
    [fact] = await bus.announced(CalendarLaidOutV1)
    assert [(cycle.kind, cycle.due_on) for cycle in fact.cycles] == [
        ("structures", date(2021, 2, 4)),
        ("strategy", date(2022, 2, 4)),
        ("strategy", date(2024, 2, 5)),
    ]


@pytest.mark.parametrize("other", [{**RESOLVED, "resolved_on": "2020-02-05"}, {**RESOLVED, "years": 8}])
async def test_a_calendar_is_not_laid_out_anew(
    bus: TestBus, http: AsyncClient, cdo: dict[str, str], other: dict[str, Any]
) -> None:
    await http.put("/resolutions/2020", json=RESOLVED, headers=cdo)

    assert (await http.put("/resolutions/2020", json=other, headers=cdo)).status_code == 409

    await bus.settled()
    assert len(await bus.announced(CalendarLaidOutV1)) == 1
    [shown] = (await http.get("/calendar")).json()
    assert shown["resolved_on"] == "2020-02-04"


async def test_public_holidays_of_lower_saxony_move_a_date(http: AsyncClient, cdo: dict[str, str]) -> None:
    answer = await http.put("/resolutions/2024", json={"resolved_on": "2024-10-31", "years": 1}, headers=cdo)

    # the 31st is a Friday, and Reformation Day
    assert [cycle["due_on"] for cycle in answer.json()["cycles"]] == ["2025-11-03"]


async def test_two_strategies_are_shown_by_resolution(http: AsyncClient, cdo: dict[str, str]) -> None:
    await http.put("/resolutions/2030", json={"resolved_on": "2030-05-07", "years": 2}, headers=cdo)
    await http.put("/resolutions/2020", json=RESOLVED, headers=cdo)

    assert [shown["strategy_version"] for shown in (await http.get("/calendar")).json()] == ["2020", "2030"]


async def test_calendar_programs_get_the_same_uids_again(http: AsyncClient, cdo: dict[str, str]) -> None:
    await http.put("/resolutions/2020", json=RESOLVED, headers=cdo)

    first, again = await http.get("/calendar.ics"), await http.get("/calendar.ics")

    assert first.content == again.content
    assert first.headers["content-type"] == "text/calendar; charset=utf-8"
    events = icalendar.Calendar.from_ical(first.content).walk("VEVENT")
    assert [event.decoded("dtstart") for event in events] == [
        date(2021, 2, 4),
        date(2022, 2, 4),
        date(2024, 2, 5),
    ]
    assert len({str(event["uid"]) for event in events}) == 3
    assert str(events[0]["summary"]) == "Evaluation der Organisationsstrukturen (2020)"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"resolved_on": "31.12.2020"},
        {"resolved_on": "1871-01-18"},
        {"resolved_on": "2020-02-04", "years": 0},
        {"resolved_on": "2020-02-04", "years": 51},
        {"resolved_on": "2020-02-04", "jahre": 4},
    ],
)
async def test_a_resolution_that_makes_no_sense_is_refused(
    http: AsyncClient, cdo: dict[str, str], body: dict[str, Any]
) -> None:
    assert (await http.put("/resolutions/2020", json=body, headers=cdo)).status_code == 422
    assert (await http.get("/calendar")).json() == []


async def test_a_kpi_is_bound_once(bus: TestBus, http: AsyncClient, token: Token) -> None:
    unit = token("u-1", "unit")

    first = await http.put("/kpis/visitors", json=a_binding(), headers=unit)
    again = await http.put("/kpis/visitors", json=a_binding(), headers=unit)
    changed = await http.put("/kpis/visitors", json=a_binding(target=1.0), headers=unit)
    await bus.settled()

    assert (first.status_code, again.status_code, changed.status_code) == (201, 200, 409)
    [fact] = await bus.announced(KpiBoundV1)
    assert Kpi(**fact.model_dump(exclude={"bound_at"})) == a_kpi()


async def test_a_kpi_is_shown_with_its_latest_value_and_status(
    bus: TestBus, http: AsyncClient, cdo: dict[str, str], token: Token
) -> None:
    await http.put("/kpis/visitors", json=a_binding(), headers=cdo)
    fresh = (await http.get("/kpis/visitors", headers=cdo)).json()
    await bus.publish(recorded(an_observation(0, 120), an_observation(1, 90)))
    await bus.settled()

    [shown] = (await http.get("/kpis", headers=token("o-1", "officer"))).json()
    one = (await http.get("/kpis/visitors", headers=cdo)).json()

    assert (fresh["status"], fresh["latest"], fresh["values"]) == (None, None, [])
    assert shown["status"] == "off_track"
    assert (shown["latest"]["value"], shown["latest"]["event_id"]) == (90, "event-1")
    assert one["latest"] == shown["latest"]
    assert [value["value"] for value in one["values"]] == [90, 120]
    assert one["values"][1]["phenomenon_time"] == NOON.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": "two\nlines"},
        {"title": "\x00"},
        {"target": "100"},
        {"target": 1e300},
        {"direction": "exactly"},
        {"partner": "Verkehr GmbH"},
        {"device": "counter 1"},
        {"weight": 3},
    ],
)
async def test_a_binding_that_makes_no_sense_is_refused(
    http: AsyncClient, cdo: dict[str, str], wrong: dict[str, Any]
) -> None:
    assert (await http.put("/kpis/visitors", json=a_binding() | wrong, headers=cdo)).status_code == 422
    assert (await http.get("/kpis", headers=cdo)).json() == []


async def test_an_unknown_kpi_is_missing(http: AsyncClient, cdo: dict[str, str]) -> None:
    assert (await http.get("/kpis/nothing", headers=cdo)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "roles", "status"),
    [
        ("PUT", "/resolutions/2020", [], 401),
        ("PUT", "/resolutions/2020", ["unit"], 403),
        ("PUT", "/kpis/visitors", [], 401),
        ("PUT", "/kpis/visitors", ["board"], 403),
        ("GET", "/kpis", [], 401),
        ("GET", "/kpis", ["partner"], 403),
        ("GET", "/kpis/visitors", ["partner"], 403),
    ],
)
async def test_who_may_not(
    http: AsyncClient, token: Token, method: str, path: str, roles: list[str], status: int
) -> None:
    headers = token("x-1", *roles, partner="verkehr") if roles else {}
    assert (await http.request(method, path, json={}, headers=headers)).status_code == status
