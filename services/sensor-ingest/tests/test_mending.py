"""Readings that were refused are mended and stored exactly once; their company learns what became of each."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from builders_sensor_ingest import (
    EUI,
    NOON,
    a_declared_device,
    a_reading,
    a_weather_station,
    an_mqtt_message,
    counted,
    declared_stream,
    ledger,
    minutes,
    say,
    several_results,
    values,
)
from sqlalchemy import text

from oker_bus import Delivery
from oker_bus import ledger as bus_ledger
from oker_bus import store as bus_store
from oker_bus.edge import Sessions
from oker_contracts.sensor.observations_recorded_v2 import ObservationsRecordedV2
from oker_contracts.sensor.reading_reported_v1 import ReportedResult
from oker_contracts.sensor.readings_reported_v1 import ReadingsReportedV1, ReportedReading
from oker_testkit.bus import TestBus
from sensor_ingest import handlers, store

Token = Callable[..., dict[str, str]]


@pytest.fixture
def company(token: Token) -> dict[str, str]:
    return token("stadtwerke-system", "partner", partner="stadtwerke")


async def difference(sessions: Sessions) -> str | None:
    """What the recount of the company finds, in its ledger and in its tables."""
    async with sessions() as session:
        query = text("SELECT DISTINCT day FROM ledger_day")
        days = (await bus_store.run(session, query)).scalars().all()
        found = [await bus_ledger.recount_day(session, "stadtwerke", day) for day in days]
        found.append(await bus_ledger.recount_all(session, "stadtwerke", store.recount))
    return next((checked.difference for checked in found if checked.difference), None)


async def outcome(http: httpx.AsyncClient, company: dict[str, str], id: str, source: str = "/test") -> list[str]:
    found = (await http.get("/outcomes", params={"source": source, "id": id}, headers=company)).json()
    return [end["outcome"] for end in found]


async def test_a_reading_that_came_before_its_device_is_stored_once_after_it(
    bus: TestBus, sessions: Sessions, http: httpx.AsyncClient, company: dict[str, str]
) -> None:
    await say(bus, a_reading(7.0), id="r-1")
    before = await outcome(http, company, "r-1")
    await say(bus, a_declared_device())

    taken = await http.post("/quarantine/1/resend", headers=company)
    again = await http.post("/quarantine/1/resend", headers=company)
    await say(bus, a_reading(7.0), id="r-1")

    assert (taken.status_code, again.status_code) == (200, 409)
    assert await values(sessions) == [7.0]
    assert before == ["quarantined"]
    assert await outcome(http, company, "r-1") == ["stored", "duplicate"]
    assert await ledger(sessions) == {"stadtwerke": counted(read=2, stored=1, duplicate=1)}
    assert len(await bus.announced(ObservationsRecordedV2)) == 1
    assert await difference(sessions) is None


async def test_of_a_message_only_the_refused_reading_is_mended(
    bus: TestBus, sessions: Sessions, http: httpx.AsyncClient, company: dict[str, str]
) -> None:
    """The other was stored and announced; neither happens again, and the mended one is announced for itself."""
    await say(bus, a_declared_device())
    await say(bus, several_results(("power_1", 5.0, "kW"), ("voltage_1", 230.0, "V")), id="r-1")
    before = await ledger(sessions), await outcome(http, company, "r-1")
    await say(bus, a_declared_device("trafo-12", declared_stream(), declared_stream("voltage_1", "V")))

    answer = await http.post("/quarantine/1/resend", headers=company)
    await bus.settled()

    assert answer.json()["outcome"] == "stored"
    assert before == ({"stadtwerke": counted(read=2, stored=1, quarantined=1)}, ["partly"])
    assert await ledger(sessions) == {"stadtwerke": counted(read=2, stored=2)}
    assert await outcome(http, company, "r-1") == ["stored"]
    assert (await values(sessions), await values(sessions, property="voltage_1")) == ([5.0], [230.0])
    facts = await bus.events(ObservationsRecordedV2)
    assert len({fact.id for fact in facts}) == len(facts) == 2
    assert await difference(sessions) is None


async def test_a_mended_reading_keeps_its_event_and_cannot_store_its_neighbour_again(
    bus: TestBus, sessions: Sessions, http: httpx.AsyncClient, company: dict[str, str]
) -> None:
    await say(bus, a_declared_device("trafo-12", declared_stream(), declared_stream("voltage_1", "V")))
    await say(bus, several_results(("power_1", 5.0, "kW"), ("voltage_1", 230.0, "kg")), id="r-1")
    said = several_results(("power_1", 5.0, "kW"), ("voltage_1", 230.0, "V"))
    moved = said.model_copy(update={"phenomenon_time": NOON + minutes(1)})

    elsewhere = await http.post("/quarantine/1/mend", headers=company, json={"data": moved.model_dump(mode="json")})
    mended = await http.post("/quarantine/1/mend", headers=company, json={"data": said.model_dump(mode="json")})

    assert elsewhere.status_code == 422
    assert "Reading 1 was accepted before" in elsewhere.json()["detail"]
    assert mended.json()["outcome"] == "stored"
    assert (await values(sessions), await values(sessions, property="voltage_1")) == ([5.0], [230.0])
    assert await difference(sessions) is None


async def test_an_uplink_is_mended_and_asked_for_by_the_name_its_network_server_gave_it(
    bus: TestBus, sessions: Sessions, http: httpx.AsyncClient, company: dict[str, str]
) -> None:
    await say(bus, an_mqtt_message())
    claim = handlers.prepare([await _delivery(bus)])[0]
    assert claim.said is not None
    source, id = claim.said
    before = await outcome(http, company, id, source)
    await say(bus, a_weather_station())

    taken = await http.post("/quarantine/1/resend", headers=company)

    assert taken.status_code == 200, taken.text
    assert before == ["quarantined"]
    assert await outcome(http, company, id, source) == ["stored"]
    assert await values(sessions, device=EUI, property="temperature_1") == [22.5]
    assert await difference(sessions) is None


async def _delivery(bus: TestBus) -> Any:
    msg = await bus.jetstream.get_msg("IN_stadtwerke", seq=1)
    where = ("sensor-ingest-claims", "IN_stadtwerke", 1, "stadtwerke")
    return Delivery(*where, msg.subject, msg.headers, msg.data, msg.time, 1)


async def test_all_readings_of_a_device_that_was_declared_late_are_taken_at_once(
    bus: TestBus, sessions: Sessions, http: httpx.AsyncClient, company: dict[str, str]
) -> None:
    for number in range(5):
        await bus.publish(a_reading(float(number), at=NOON + minutes(number)), partner="stadtwerke")
    await bus.settled()
    await say(bus, a_declared_device())

    answer = (await http.post("/quarantine/resend?reason=device_unknown", headers=company)).json()

    assert (answer["taken"], answer["mended"], answer["refused"]) == (5, 5, [])
    assert await values(sessions) == [4.0, 3.0, 2.0, 1.0, 0.0]
    assert await ledger(sessions) == {"stadtwerke": counted(read=5, stored=5)}
    assert await difference(sessions) is None


async def test_a_thousand_refused_readings_of_a_message_take_few_rows_and_all_are_mended_at_once(
    bus: TestBus, sessions: Sessions, http: httpx.AsyncClient, company: dict[str, str]
) -> None:
    """The accepted one between them is not stored again."""
    await say(bus, a_declared_device("trafo-1"))
    named = ["trafo-12"] * 500 + ["trafo-1"] + ["trafo-12"] * 499
    results = [
        ReportedResult(property="power_1", value=1.0, unit="kW"),
        ReportedResult(property="x", value=1, unit="m"),
    ]
    said = [
        ReportedReading(device=device, phenomenon_time=NOON + minutes(at), results=results)
        for at, device in enumerate(named)
    ]
    await say(bus, ReadingsReportedV1(readings=said), id="r-1")
    before = await ledger(sessions), await difference(sessions)
    rows = (await http.get("/quarantine", headers=company)).json()
    await say(bus, a_declared_device())

    answer = await http.post(f"/quarantine/{rows[0]['id']}/resend", headers=company)

    assert before == ({"stadtwerke": counted(read=2000, stored=1, quarantined=1999)}, None)
    shared = [(row["part"], row["reason"], row["readings"]) for row in rows if row["readings"] > 1]
    assert shared == [(21, "device_unknown", 1978)]
    assert len(rows) <= 22
    assert answer.status_code == 200, answer.text
    assert await ledger(sessions) == {"stadtwerke": counted(read=2000, stored=1000, quarantined=1000)}
    assert len(await values(sessions)) == 999
    assert await difference(sessions) is None
