"""The HTTP side: what each may read of devices and their values."""

import pytest
from builders_sensor_ingest import NOON, Token, a_declared_device, a_reading, declared_stream, minutes
from httpx import AsyncClient

from oker_testkit.bus import TestBus

OBSERVATIONS = "/devices/stadtwerke/trafo-12/power_1/observations"


@pytest.fixture
def company(token: Token) -> dict[str, str]:
    return token("stadtwerke-scada", "partner", partner="stadtwerke")


async def declare_everywhere(bus: TestBus) -> None:
    await bus.publish(a_declared_device(), partner="stadtwerke")
    await bus.publish(a_declared_device("laser", declared_stream("visitors", "1", "visitors")), partner="verkehr")
    await bus.settled()


async def test_a_company_sees_its_own_devices_the_unit_and_the_auditor_all(
    bus: TestBus, http: AsyncClient, token: Token, company: dict[str, str]
) -> None:
    await declare_everywhere(bus)

    async def seen(headers: dict[str, str]) -> list[str]:
        return [row["device"] for row in (await http.get("/devices", headers=headers)).json()]

    assert await seen(company) == ["trafo-12"]
    assert await seen(token("verkehr-system", "partner", partner="verkehr")) == ["laser"]
    assert await seen(token("u-1", "unit")) == ["trafo-12", "laser"]
    assert await seen(token("a-1", "auditor")) == ["trafo-12", "laser"]
    assert (await http.get("/devices", headers=token("b-1", "board"))).status_code == 403
    assert (await http.get("/devices")).status_code == 401


async def test_values_are_read_as_they_count_now_and_as_they_were_known(
    bus: TestBus, http: AsyncClient, company: dict[str, str]
) -> None:
    await declare_everywhere(bus)
    await bus.publish(a_reading(400.0, determined=NOON), partner="stadtwerke", id="1")
    await bus.settled()
    (before,) = (await http.get(OBSERVATIONS, headers=company)).json()
    await bus.publish(a_reading(412.5, determined=NOON + minutes(1)), partner="stadtwerke", id="2")
    await bus.settled()

    (now,) = (await http.get(OBSERVATIONS, headers=company)).json()
    known = {"known_at": before["recorded_at"]}
    (then,) = (await http.get(OBSERVATIONS, headers=company, params=known)).json()

    assert (now["value"], now["unit"], now["event_id"]) == (412.5, "kW", "2")
    assert then == before
    assert (before["value"], before["event_id"]) == (400.0, "1")


async def test_a_company_cannot_tell_another_s_device_from_one_that_is_not_there(
    bus: TestBus, http: AsyncClient, token: Token
) -> None:
    await declare_everywhere(bus)
    other = token("verkehr-system", "partner", partner="verkehr")

    there = await http.get(OBSERVATIONS, headers=other)
    missing = await http.get(OBSERVATIONS.replace("power_1", "power_9"), headers=other)

    assert (there.status_code, missing.status_code) == (404, 404)
    assert there.json()["detail"].replace("power_1", "power_9") == missing.json()["detail"]


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        (OBSERVATIONS, {"known_at": "2026-01-01T00:00:00"}),
        (OBSERVATIONS, {"known_at": "0001-01-01T00:00:00+14:00"}),
        (OBSERVATIONS, {"known_at": "9999-12-31T23:59:59-14:00"}),
        (OBSERVATIONS, {"limit": "0"}),
        (OBSERVATIONS, {"limit": "10001"}),
        (OBSERVATIONS.replace("trafo-12", "trafo%00"), {}),
        (OBSERVATIONS.replace("power_1", "'; DROP TABLE device"), {}),
        (OBSERVATIONS.replace("stadtwerke", "%ff"), {}),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_in_words(
    bus: TestBus, http: AsyncClient, token: Token, path: str, parameters: dict[str, str]
) -> None:
    await declare_everywhere(bus)

    answer = await http.get(path, params=parameters, headers=token("u-1", "unit"))

    assert answer.status_code == 422
