"""Devices, readings and uplinks as companies send them, and what the service made of them."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from oker_bus.edge import Sessions
from oker_bus.ledger import count
from oker_contracts import event_key
from oker_contracts.sensor.device_declared_v1 import Codec, DeclaredDatastream, DeviceDeclaredV1
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1
from oker_contracts.sensor.observations_recorded_v2 import ObservationsRecordedV2
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1, ReportedResult
from oker_testkit.bus import TestBus
from sensor_ingest import domain, store
from sensor_ingest.domain import Datastream, Device, Observation, Reading
from sensor_ingest.store.observations import ObservationRow

Token = Callable[..., dict[str, str]]
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
EUI = "70b3d57ed0000001"
READINGS = ("read", "stored", "duplicate", "corrected", "quarantined")
NOTHING = dict.fromkeys(READINGS, 0)


def counted(**counts: int) -> dict[str, int]:
    return NOTHING | counts


def declared_stream(property: str = "power_1", unit: str = "kW", dataset: str = "grid") -> DeclaredDatastream:
    return DeclaredDatastream(property=property, unit=unit, dataset=dataset, observed_property="Wirkleistung")


def a_declared_device(
    device: str = "trafo-12", *streams: DeclaredDatastream, codec: Codec = "none", **said: Any
) -> DeviceDeclaredV1:
    return DeviceDeclaredV1(
        device=device,
        name=said.get("name", "Trafostation Bültenweg"),
        codec=codec,
        location=said.get("location", (10.5267, 52.2689)),
        datastreams=list(streams) or [declared_stream()],
    )


def a_weather_station(device: str = EUI) -> DeviceDeclaredV1:
    """A LoRaWAN device that sends Cayenne LPP: temperature on channel 1, humidity on channel 2."""
    return a_declared_device(
        device,
        declared_stream("temperature_1", "Cel", "environment"),
        declared_stream("relative_humidity_2", "%", "environment"),
        codec="cayenne_lpp",
    )


def a_reading(
    value: float = 412.5,
    *,
    device: str = "trafo-12",
    property: str = "power_1",
    unit: str = "kW",
    at: datetime = NOON,
    determined: datetime | None = None,
) -> ReadingReportedV1:
    result = ReportedResult(property=property, value=value, unit=unit)
    return ReadingReportedV1(device=device, phenomenon_time=at, result_time=determined, results=[result])


def several_results(*results: tuple[str, float, str]) -> ReadingReportedV1:
    said = [ReportedResult(property=name, value=value, unit=unit) for name, value, unit in results]
    return ReadingReportedV1(device="trafo-12", phenomenon_time=NOON, results=said)


def an_uplink(payload: bytes = bytes.fromhex("016700e1026864"), **changes: Any) -> bytes:
    """The body of a ChirpStack v4 uplink, shaped as real ones; a part given as ``None`` is left out."""
    body = {
        "deduplicationId": "57433366-50a6-4dc2-8145-2df1bbc70d9e",
        "time": NOON.isoformat(),
        "deviceInfo": {"applicationName": "Umwelt", "deviceName": "Wetterstation Löwenwall", "devEui": EUI, "tags": {}},
        "devAddr": "20000001",
        "dr": 5,
        "fCnt": 4,
        "fPort": 2,
        "confirmed": False,
        "data": b64encode(payload).decode(),
        "rxInfo": [{"gatewayId": "6a7e111a10000000", "uplinkId": 24022, "rssi": -35, "snr": 11.5}],
    }
    return json.dumps({name: value for name, value in (body | changes).items() if value is not None}).encode()


def a_things_stack_message(member: str, said: dict[str, Any], **head: Any) -> bytes:
    """A message of The Things Stack v3 about the weather station, shaped as real ones."""
    body = {
        "end_device_ids": {
            "device_id": f"eui-{EUI}",
            "application_ids": {"application_id": "weather"},
            "dev_eui": EUI.upper(),
            "dev_addr": "20000001",
        },
        "correlation_ids": ["as:up:01H0S7ZJQ9MQPMVY49FT3SE07M"],
        "received_at": NOON.isoformat(),
        member: said,
    }
    return json.dumps(body | head).encode()


def a_things_stack_uplink(payload: bytes = bytes.fromhex("016700e1026864"), **changes: Any) -> bytes:
    """The body of an uplink of The Things Stack v3; a part given as ``None`` is left out."""
    head = {"end_device_ids": changes.pop("end_device_ids")} if "end_device_ids" in changes else {}
    gateway = {"gateway_ids": {"gateway_id": "roof"}, "rssi": -35, "channel_rssi": -35, "snr": 13.2}
    uplink = {
        "session_key_id": "AYfqmb0pc/1uRZv9xUydgQ==",
        "f_port": 2,
        "f_cnt": 4,
        "frm_payload": b64encode(payload).decode(),
        "rx_metadata": [gateway, gateway | {"rssi": -98, "snr": 1.5}],
        "settings": {"data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 7}}, "frequency": "867100000"},
        "received_at": NOON.isoformat(),
    }
    said = {name: value for name, value in (uplink | changes).items() if value is not None}
    return a_things_stack_message("uplink_message", said, **head)


def topic(event: str = "up", eui: str = EUI) -> str:
    return f"application/ca739e26-7b67-4f14-b69e-d568c22a5a75/device/{eui}/event/{event}"


def an_mqtt_message(body: bytes | None = None, at_topic: str | None = None) -> MqttMessageReceivedV1:
    payload = an_uplink() if body is None else body
    return MqttMessageReceivedV1(topic=at_topic or topic(), payload=b64encode(payload), received_at=NOON)


def a_datastream(property: str = "power_1", unit: str = "kW", dataset: str = "grid") -> Datastream:
    id = domain.datastream_id("stadtwerke", "trafo-12", property)
    return Datastream(id, property, unit, dataset, "Wirkleistung")


def a_device(*streams: Datastream, **said: Any) -> Device:
    named = {"partner": "stadtwerke", "device": "trafo-12", "name": "Trafostation", "hardware": "trafo-12"}
    return Device(**(named | said), datastreams=domain.by_property(streams or (a_datastream(),)))


def a_result(value: float = 412.5, property: str = "power_1", unit: str = "kW") -> ReportedResult:
    return ReportedResult(property=property, value=value, unit=unit)


def a_claimed_number(value: float = 412.5, *, event: str = "1", source: str = "/scada", **said: Any) -> Reading:
    named: dict[str, Any] = {
        "partner": "stadtwerke",
        "device": "trafo-12",
        "results": [a_result(value)],
        "phenomenon_time": NOON,
        "result_time": NOON,
        "event_key": event_key("stadtwerke", source, event),
        "event_source": source,
        "event_id": event,
    }
    return Reading(**(named | said))


def current(observations: Iterable[Observation]) -> dict[tuple[UUID, datetime], float]:
    """The value that counts for each natural key, said in the plainest way: what the query is held against."""
    ordered = sorted(observations, key=lambda observation: observation.version)
    return {observation.natural_key: observation.value for observation in ordered}


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


async def values(
    sessions: Sessions, partner: str = "stadtwerke", device: str = "trafo-12", property: str = "power_1"
) -> list[float]:
    """What counts for a datastream, newest first."""
    async with sessions() as session:
        id = domain.datastream_id(partner, device, property)
        return [row["value"] for row in await store.observations(session, id, None, 1_000)]


async def history(sessions: Sessions) -> list[tuple[float, str]]:
    """Every value ever accepted, with the id of its event, in the order of recording."""
    async with sessions() as session:
        table = ObservationRow
        query = select(table).order_by(col(table.recorded_at), col(table.event_id))
        return [(row.value, row.event_id) for row in (await session.exec(query)).all()]


async def ledger(sessions: Sessions) -> dict[str, dict[str, int]]:
    """Readings by company: read, stored, duplicate, corrected, quarantined."""
    async with sessions() as session:
        rows = (await count(session, None))["settlements"]
    return {row["partner"]: {name: int(row[f"readings_{name}"]) for name in READINGS} for row in rows}


async def say(bus: TestBus, *claims: Any, partner: str = "stadtwerke", **envelope: Any) -> None:
    """Publish claims of a company and wait for the end of each."""
    for claim in claims:
        await bus.publish(claim, partner=partner, **envelope)
    await bus.settled()


async def outcomes(bus: TestBus) -> list[str]:
    return [outcome for _, _, outcome in await bus.settlements()]


async def recorded(bus: TestBus) -> list[tuple[str, str, list[float]]]:
    """Company, dataset and values of each announced batch."""
    facts = await bus.announced(ObservationsRecordedV2)
    return [(fact.partner, fact.dataset, told(fact)) for fact in facts]


def told(fact: ObservationsRecordedV2) -> list[float]:
    """The values of a fact, reading by reading."""
    return [
        column.values[at]
        for series in fact.series
        for at in range(len(series.event_ids))
        for column in series.datastreams
    ]
