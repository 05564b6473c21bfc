"""LoRaWAN uplinks, forwarded from MQTT, on their way to observations."""

import pytest
from builders_sensor_ingest import (
    EUI,
    NOON,
    NOTHING,
    a_declared_device,
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

from oker_bus.edge import Sessions
from oker_contracts.sensor.observations_recorded_v1 import ObservationsRecordedV1
from oker_testkit.bus import TestBus


async def test_an_uplink_over_mqtt_becomes_observations(bus: TestBus, sessions: Sessions) -> None:
    await say(bus, a_weather_station())
    await say(bus, an_mqtt_message())

    assert await values(sessions, device=EUI, property="temperature_1") == [22.5]
    assert await values(sessions, device=EUI, property="relative_humidity_2") == [50.0]
    (fact,) = await bus.announced(ObservationsRecordedV1)
    assert {(o.event_source, o.event_id) for o in fact.observations} == {
        (f"/lorawan/{EUI}", "57433366-50a6-4dc2-8145-2df1bbc70d9e")
    }
    assert await ledger(sessions) == {"stadtwerke": counted(read=2, stored=2)}


async def test_an_uplink_that_two_messages_carry_counts_once(bus: TestBus, sessions: Sessions) -> None:
    await say(bus, a_weather_station(), an_mqtt_message(), an_mqtt_message())

    assert await ledger(sessions) == {"stadtwerke": counted(read=4, stored=2, duplicate=2)}


async def test_messages_without_a_reading_settle_too(bus: TestBus, sessions: Sessions) -> None:
    joined = an_mqtt_message(b"{}", topic("join"))
    await say(bus, a_weather_station(), joined, an_mqtt_message(an_uplink(b"")))

    assert await outcomes(bus) == ["settled", "settled", "settled"]
    assert await ledger(sessions) == {"stadtwerke": NOTHING}


@pytest.mark.parametrize(
    ("body", "reason", "path", "read"),
    [
        (an_uplink(b"\x01\x68\x64"), "property_unknown", "$.data", 1),
        (an_uplink(b"\x01\xff"), "payload_undecodable", "$.data", 0),
        (an_uplink(time=NOON.replace(year=1999).isoformat()), "time_too_old", "$.time", 2),
        (an_uplink(time=NOON.replace(year=2126).isoformat()), "time_in_future", "$.time", 2),
        (an_uplink(b"\x01\x67\x00\xe1\x01\x67\x00\xe2"), "field_value_invalid", "$.data", 2),
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
