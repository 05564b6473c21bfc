"""LoRaWAN uplinks, forwarded from MQTT, on their way to observations."""

import asyncio

import pytest
from builders_sensor_ingest import (
    EUI,
    NOON,
    NOTHING,
    a_declared_device,
    a_things_stack_uplink,
    a_weather_station,
    an_mqtt_message,
    an_uplink,
    counted,
    ledger,
    outcomes,
    say,
    topic,
    values,
)
from sqlalchemy import text

from oker_bus.edge import Sessions
from oker_bus.store import run
from oker_contracts.sensor.lorawan_events_recorded_v1 import LorawanEventsRecordedV1
from oker_contracts.sensor.observations_recorded_v2 import ObservationsRecordedV2
from oker_testkit.bus import TestBus


async def test_an_uplink_over_mqtt_becomes_observations(bus: TestBus, sessions: Sessions) -> None:
    await say(bus, a_weather_station())
    await say(bus, an_mqtt_message())

    assert await values(sessions, device=EUI, property="temperature_1") == [22.5]
    assert await values(sessions, device=EUI, property="relative_humidity_2") == [50.0]
    (fact,) = await bus.announced(ObservationsRecordedV2)
    assert {(series.event_source, id) for series in fact.series for id in series.event_ids} == {
        (f"/lorawan/{EUI}", "57433366-50a6-4dc2-8145-2df1bbc70d9e")
    }
    assert await ledger(sessions) == {"stadtwerke": counted(read=2, stored=2)}


async def test_an_uplink_that_two_messages_carry_counts_once(bus: TestBus, sessions: Sessions) -> None:
    await say(bus, a_weather_station(), an_mqtt_message(), an_mqtt_message())

    assert await ledger(sessions) == {"stadtwerke": counted(read=4, stored=2, duplicate=2)}


async def test_messages_without_a_reading_settle_too(bus: TestBus, sessions: Sessions) -> None:
    joined = an_mqtt_message(an_uplink(deduplicationId="j-1"), topic("join"))
    await say(bus, a_weather_station(), joined, an_mqtt_message(an_uplink(b"")))

    assert await outcomes(bus) == ["settled", "settled", "settled"]
    assert await ledger(sessions) == {"stadtwerke": NOTHING}


async def test_an_uplink_of_the_things_stack_becomes_observations(bus: TestBus, sessions: Sessions) -> None:
    at_topic = f"v3/weather@ttn/devices/eui-{EUI}/up"
    await say(bus, a_weather_station(), an_mqtt_message(a_things_stack_uplink(), at_topic))

    assert await values(sessions, device=EUI, property="temperature_1") == [22.5]


async def test_what_a_network_server_says_is_kept_and_announced_once(bus: TestBus, sessions: Sessions) -> None:
    join = an_mqtt_message(an_uplink(deduplicationId="j-1"), topic("join"))
    undeclared = an_mqtt_message(an_uplink(deviceInfo={"devEui": "0" * 16}), topic(eui="0" * 16))
    await say(bus, a_weather_station())
    copies = [an_mqtt_message() for _ in range(20)]
    await asyncio.gather(*(bus.publish(claim, partner="stadtwerke") for claim in (*copies, join, undeclared)))
    await bus.settled()

    facts = await bus.announced(LorawanEventsRecordedV1)
    announced = sorted((event.hardware, event.kind) for fact in facts for event in fact.events)
    assert announced == [("0" * 16, "up"), (EUI, "join"), (EUI, "up")]
    assert await kept(sessions) == announced


@pytest.mark.parametrize("year", [1999, 2126])
@pytest.mark.parametrize("event", ["up", "join"])
async def test_what_cannot_age_is_not_kept_as_the_state_of_a_device(
    bus: TestBus, sessions: Sessions, year: int, event: str
) -> None:
    await say(
        bus, a_weather_station(), an_mqtt_message(an_uplink(time=NOON.replace(year=year).isoformat()), topic(event))
    )

    assert await kept(sessions) == []
    assert {path for _, path in await bus.quarantined()} == {"$.time"}


async def kept(sessions: Sessions) -> list[tuple[str, str]]:
    """Hardware and kind of all that network servers said."""
    async with sessions() as session:
        rows = await run(session, text("SELECT hardware, kind FROM lorawan_event ORDER BY hardware, kind"))
        return [(row.hardware, row.kind) for row in rows]


@pytest.mark.parametrize(
    ("body", "reason", "path", "read"),
    [
        (an_uplink(b"\x01\x68\x64"), "property_unknown", "$.data", 1),
        (an_uplink(b"\x01\xff"), "payload_undecodable", "$.data", 0),
        (an_uplink(time=NOON.replace(year=1999).isoformat()), "time_too_old", "$.time", 2),
        (an_uplink(time=NOON.replace(year=2126).isoformat()), "time_in_future", "$.time", 2),
        (an_uplink(b"\x01\x67\x00\xe1\x01\x67\x00\xe2"), "payload_undecodable", "$.data", 0),
    ],
)
async def test_an_uplink_that_cannot_be_accepted_is_quarantined_with_its_path(
    bus: TestBus, sessions: Sessions, body: bytes, reason: str, path: str, read: int
) -> None:
    await say(bus, a_weather_station(), an_mqtt_message(body))

    assert set(await bus.quarantined()) == {(reason, path)}
    assert (await ledger(sessions))["stadtwerke"]["read"] == read


async def test_an_uplink_needs_a_device_with_a_codec(bus: TestBus) -> None:
    await say(bus, an_mqtt_message())
    await say(bus, a_declared_device(EUI), an_mqtt_message())

    assert await bus.quarantined() == [("device_unknown", "$.deviceInfo.devEui"), ("codec_missing", "$.data")]
