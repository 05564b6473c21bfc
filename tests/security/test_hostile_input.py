"""Hostile input over NATS and HTTP: no process dies, no neighbour suffers, each has its reason and its path.

The same table is sent through both doors. Over HTTP the sender hears it at once; over NATS the message goes to
quarantine, with its bytes as they came.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from httpx import AsyncClient
from sqlmodel import col, select

from oker_bus import store
from oker_bus.edge import Sessions
from oker_bus.service import Service
from oker_contracts.sensor.device_declared_v1 import DeclaredDatastream, DeviceDeclaredV1
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1, ReportedResult
from oker_testkit.bus import TestBus, messages
from oker_testkit.plugin import Servers
from sensor_ingest import domain
from sensor_ingest.app import SERVICE
from sensor_ingest.store import observations

DEVICE = DeviceDeclaredV1(
    device="trafo-12",
    name="Trafostation Bültenweg",
    datastreams=[DeclaredDatastream(property="power_1", unit="kW", dataset="grid", observed_property="Wirkleistung")],
)
TYPE = "de.oker.sensor.reading_reported.v1"
SUBJECT = "ingest.stadtwerke.sensor.reading_reported.v1"
HEADERS = {"ce-specversion": "1.0", "ce-id": "hostile", "ce-source": "/hostile", "ce-type": TYPE}
STRUCTURED = {"content-type": "application/cloudevents+json"}


def a_reading(value: float, minute: int = 0) -> ReadingReportedV1:
    result = ReportedResult(property="power_1", value=value, unit="kW")
    at = datetime(2026, 1, 15, 12, tzinfo=UTC) + timedelta(minutes=minute)
    return ReadingReportedV1(device="trafo-12", phenomenon_time=at, results=[result])


READING: dict[str, Any] = a_reading(412.5).model_dump(mode="json")


@pytest.fixture
def service() -> Service[Any]:
    """The service that hears companies most."""
    return SERVICE


def with_value(literal: str) -> bytes:
    """A reading whose number is written like this."""
    return json.dumps(READING).replace("412.5", literal).encode()


def with_field(**changes: Any) -> bytes:
    """A reading with some fields replaced; ``...`` leaves one out."""
    said = {name: value for name, value in (READING | changes).items() if value is not ...}
    return json.dumps(said).encode()


def without(name: str) -> dict[str, str]:
    return {known: value for known, value in HEADERS.items() if known != name}


def event(**changes: Any) -> bytes:
    """A CloudEvent in structured mode with some members replaced; ``...`` leaves one out."""
    said = {"specversion": "1.0", "id": "hostile", "source": "/hostile", "type": TYPE, "data": READING}
    return json.dumps({name: value for name, value in (said | changes).items() if value is not ...}).encode()


@dataclass(frozen=True)
class Case:
    """What is sent, and what must come of it."""

    name: str
    reason: str
    path: str
    body: bytes = json.dumps(READING).encode()
    headers: dict[str, str] = field(default_factory=lambda: HEADERS)
    subject: str = SUBJECT


GOOD = json.dumps(READING).encode()
BODIES = [
    Case("empty", "body_empty", "$", b""),
    Case("white space", "body_empty", "$", b" \r\n\t "),
    Case("cut off", "json_broken", "$", b'{"device": "trafo-12", '),
    Case("two values", "json_broken", "$", GOOD + GOOD),
    Case("a comment", "json_broken", "$", b"/* */" + GOOD),
    Case("a trailing comma", "json_broken", "$", GOOD[:-1] + b",}"),
    Case("not UTF-8", "encoding_invalid", "$", b'{"device": "trafo-\xff"}'),
    Case("UTF-16", "encoding_invalid", "$", GOOD.decode().encode("utf-16")),
    Case("a byte order mark", "json_broken", "$", b"\xef\xbb\xbf" + GOOD),
    Case("gzip", "encoding_invalid", "$", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"),
    Case("a lone surrogate", "json_broken", "$", GOOD.replace(b"trafo-12", b"\\ud800")),
    Case("deep lists", "json_too_deep", "$", b"[" * 200_000),
    Case("deep in a field nobody reads", "json_too_deep", "$", with_field(x=0).replace(b"0}", b"[" * 5_000)),
    Case("null", "field_type_wrong", "$", b"null"),
    Case("a list", "field_type_wrong", "$", b"[" + GOOD + b"]"),
    Case("a text", "field_type_wrong", "$", b'"device"'),
    Case("NUL in a text", "field_value_invalid", "$.device", with_field(device="trafo\x00")),
    Case("a path for a name", "field_value_invalid", "$.device", with_field(device="../../etc/passwd")),
    Case("a name of a million letters", "field_value_invalid", "$.device", with_field(device="a" * 800_000)),
    Case("no device", "field_missing", "$.device", with_field(device=...)),
    Case("a list for a device", "field_type_wrong", "$.device", with_field(device=["trafo-12"])),
    Case("no results", "field_value_invalid", "$.results", with_field(results=[])),
    Case("too many results", "field_value_invalid", "$.results", with_field(results=READING["results"] * 65)),
    Case("a Unix time", "field_type_wrong", "$.phenomenon_time", with_field(phenomenon_time=1_700_000_000)),
    Case("no offset", "field_value_invalid", "$.phenomenon_time", with_field(phenomenon_time="2026-01-01T00:00:00")),
    Case("no such day", "field_value_invalid", "$.phenomenon_time", with_field(phenomenon_time="2026-02-30T00:00:00Z")),
    Case("beyond the calendar", "field_value_invalid", "$.phenomenon_time",
         with_field(phenomenon_time="0001-01-01T00:00:00+14:00")),
    Case("a number as text", "field_type_wrong", "$.results[0].value", with_value('"412.5"')),
    Case("a truth value for a number", "field_type_wrong", "$.results[0].value", with_value("true")),
    Case("null for a number", "field_type_wrong", "$.results[0].value", with_value("null")),
    Case("1e400", "number_out_of_range", "$.results[0].value", with_value("1e400")),
    Case("five thousand digits", "number_out_of_range", "$", with_value("9" * 5_000)),
    Case("not a number", "number_out_of_range", "$.results[0].value", with_value("NaN")),
    Case("minus infinity", "number_out_of_range", "$.results[0].value", with_value("-Infinity")),
    Case("too large", "body_too_large", "$", GOOD + b" " * 900_000),
]  # fmt: skip
ENVELOPES = [
    Case("no headers", "attribute_missing", "ce-specversion", headers={}),
    Case("no specversion", "attribute_missing", "ce-specversion", headers=without("ce-specversion")),
    Case("no id", "attribute_missing", "ce-id", headers=without("ce-id")),
    Case("no source", "attribute_missing", "ce-source", headers=without("ce-source")),
    Case("no type", "attribute_missing", "ce-type", headers=without("ce-type")),
    Case("specversion 0.3", "specversion_unsupported", "ce-specversion", headers=HEADERS | {"ce-specversion": "0.3"}),
    Case("unknown type", "type_unknown", "ce-type", headers=HEADERS | {"ce-type": "com.example.reading"}),
    Case("unknown version", "version_unknown", "ce-type", headers=HEADERS | {"ce-type": TYPE[:-1] + "99"}),
    Case("a fact", "type_not_claimable", "ce-type",
         headers=HEADERS | {"ce-type": "de.oker.sensor.observations_recorded.v1"}),
    Case("another's fact", "type_not_claimable", "ce-type",
         headers=HEADERS | {"ce-type": "de.oker.project.registered.v1"}),
    Case("a line break in the id", "attribute_invalid", "ce-id", headers=HEADERS | {"ce-id": "1%0d%0ace-type:%20x"}),
    Case("a control character in the id", "attribute_invalid", "ce-id", headers=HEADERS | {"ce-id": "a\x01b"}),
    Case("NUL in the source", "attribute_invalid", "ce-source", headers=HEADERS | {"ce-source": "/a%00"}),
    Case("an id of a thousand letters", "attribute_invalid", "ce-id", headers=HEADERS | {"ce-id": "a" * 1_000}),
    Case("a surrogate in the id", "attribute_invalid", "ce-id", headers=HEADERS | {"ce-id": "%ed%a0%80"}),
    Case("a time without offset", "attribute_invalid", "ce-time", headers=HEADERS | {"ce-time": "2026-01-01T00:00:00"}),
    Case("XML", "content_type_unsupported", "content-type", b"<reading/>", HEADERS | {"content-type": "text/xml"}),
    Case("structured, broken", "json_broken", "$", event()[:-1], STRUCTURED),
    Case("structured, empty", "body_empty", "$", b"", STRUCTURED),
    Case("structured, a list", "field_type_wrong", "$", b"[" + event() + b"]", STRUCTURED),
    Case("structured, deep", "json_too_deep", "$", b'{"data": ' + b"[" * 200_000, STRUCTURED),
    Case("structured, no id", "attribute_missing", "$.id", event(id=...), STRUCTURED),
    Case("structured, a number for an id", "attribute_invalid", "$.id", event(id=7), STRUCTURED),
    Case("structured, a surrogate in the id", "attribute_invalid", "$.id", event(id="\ud800"), STRUCTURED),
    Case("structured, no data", "body_empty", "$", event(data=...), STRUCTURED),
    Case("structured, null data", "field_type_wrong", "$", event(data=None), STRUCTURED),
    Case("structured, broken Base64", "field_value_invalid", "$.data_base64",
         event(data=..., data_base64="%%"), STRUCTURED),
    Case("structured, 1e400", "number_out_of_range", "$.results[0].value",
         event().replace(b"412.5", b"1e400"), STRUCTURED),
    Case("structured, a lone surrogate", "json_broken", "$", event().replace(b"trafo-12", b"\\ud800"), STRUCTURED),
]  # fmt: skip
MQTT = HEADERS | {"ce-type": "de.oker.sensor.mqtt_message_received.v1"}
UPLINK_TOPIC = "application/1/device/70b3d57ed0000001/event/up"
FORWARDED = "ingest.stadtwerke.gateway.sensor.mqtt_message_received.v1"


def forwarded(body: bytes, at_topic: str) -> bytes:
    at = datetime(2026, 1, 15, 12, tzinfo=UTC)
    said = MqttMessageReceivedV1(topic=at_topic, payload=b64encode(body), received_at=at)
    return bytes(said.model_dump_json().encode())


ONLY_NATS = [
    Case("a batch", "content_type_unsupported", "content-type", b"[]",
         {"content-type": "application/cloudevents-batch+json"}),
    Case("type and subject differ", "type_mismatch", "ce-type", subject="ingest.stadtwerke.sensor.device_declared.v1"),
    Case("an unknown subject", "type_mismatch", "ce-type", subject="ingest.stadtwerke.sensor.x"),
    Case("a subject of wildcards", "type_mismatch", "ce-type", subject="ingest.stadtwerke.sensor.a*b.>c"),
    Case("headers that the relay could not repeat", "attribute_missing", "ce-id",
         headers=without("ce-id") | {f"x-{number}": "y" * 3_000 for number in range(20)}),
    Case("headers that the broker obeys, and our own", "attribute_missing", "ce-id",
         headers=without("ce-id") | {"Nats-Expected-Stream": "IN_stadtwerke", "Oker-Reason": "forged"}),
    Case("an unmapped topic", "topic_unmapped", "topic", forwarded(b"1", "a/b"), MQTT, FORWARDED),
    Case("The Things Stack, without a device", "field_missing", "$.end_device_ids.device_id",
         forwarded(b'{"end_device_ids": {}}', "v3/a@b/devices/c/up"), MQTT, FORWARDED),
    Case("ChirpStack v3", "dialect_foreign", "$.applicationID",
         forwarded(b'{"applicationID": "1", "devEUI": "cLPVftAAAAE="}', UPLINK_TOPIC), MQTT, FORWARDED),
    Case("not Base64", "field_value_invalid", "$.payload",
         b'{"topic": "a", "payload": "A", "received_at": "2026-01-01T00:00:00Z"}', MQTT, FORWARDED),
]  # fmt: skip
BOTH_DOORS = [*BODIES, *ENVELOPES]


async def values(sessions: Sessions) -> list[float]:
    """What counts for the device, in the order of time."""
    id = domain.datastream_id("stadtwerke", "trafo-12", "power_1")
    async with sessions() as session:
        return [row["value"] for row in await observations(session, id, None, 1_000)][::-1]


async def quarantine(sessions: Sessions) -> list[store.Quarantine]:
    """In the order of arrival."""
    async with sessions() as session:
        return list((await session.exec(select(store.Quarantine).order_by(col(store.Quarantine.sequence)))).all())


async def test_over_nats_it_goes_to_quarantine_and_harms_no_neighbour(
    bus: TestBus, sessions: Sessions, subtests: pytest.Subtests
) -> None:
    cases = [*BOTH_DOORS, *ONLY_NATS]
    await bus.publish(DEVICE, partner="stadtwerke")
    for minute, case in enumerate(cases):
        await bus.publish_raw(case.subject, case.body, dict(case.headers))
        await bus.publish(a_reading(float(minute), minute), partner="stadtwerke")
    await bus.settled()

    assert await values(sessions) == [float(minute) for minute in range(len(cases))]
    copies = [copy async for copy in messages(bus.jetstream, "QUARANTINE")]
    for case, kept, copy in zip(cases, await quarantine(sessions), copies, strict=True):
        with subtests.test(case.name):
            assert (kept.reason, kept.path) == (case.reason, case.path)
            assert (kept.partner, kept.body) == ("stadtwerke", case.body)
            assert (copy.headers["Oker-Reason"], copy.headers["Oker-Path"]) == (case.reason, case.path)
            assert (copy.data or b"") == case.body[: store.MAX_COPY]
    outcomes = [outcome for _, _, outcome in await bus.settlements()]
    assert (outcomes.count("settled"), outcomes.count("quarantined")) == (len(cases) + 1, len(cases))


async def test_over_http_the_sender_hears_it_at_once(
    bus: TestBus, http: AsyncClient, token: Callable[..., dict[str, str]], subtests: pytest.Subtests
) -> None:
    company = token("scada", "partner", partner="stadtwerke")

    for case in BOTH_DOORS:
        with subtests.test(case.name):
            answer = await http.post("/events", content=case.body, headers=case.headers | company)
            assert (answer.status_code, answer.json()["code"], answer.json()["path"]) == (422, case.reason, case.path)

    assert (await bus.jetstream.stream_info("IN_stadtwerke")).state.messages == 0
    good = await http.post("/events", content=GOOD, headers=HEADERS | company)
    assert good.status_code == 202


# bytes that no NATS client library would send


def published(subject: bytes, headers: bytes, body: bytes = b"{}") -> bytes:
    sizes = b"%d %d" % (len(headers), len(headers) + len(body))
    return b"HPUB " + subject + b" " + sizes + b"\r\n" + headers + body + b"\r\n"


NAMELESS = ("attribute_missing", "ce-specversion")
WIRE = {
    "a subject that is not UTF-8": (b"PUB ingest.stadtwerke.sensor.\xff\xfe 2\r\n{}\r\n", NAMELESS),
    "a subject with NUL": (b"PUB ingest.stadtwerke.sensor.a\x00b 2\r\n{}\r\n", NAMELESS),
    "a header block of one byte": (published(SUBJECT.encode(), b"X"), NAMELESS),
    "a header block without lines": (published(SUBJECT.encode(), b"NATS/1.0"), NAMELESS),
    "the status line of a server": (published(SUBJECT.encode(), b"NATS/1.0 503 \xff\xff\r\n\r\n"), NAMELESS),
    "a status of the client library": (published(SUBJECT.encode(), b"NATS/1.0\r\nStatus: 404\r\n\r\n", b""), NAMELESS),
    "flow control": (published(SUBJECT.encode(), b"NATS/1.0 100 FlowControl Request\r\n\r\n", b""), NAMELESS),
    "names that are no names": (
        published(SUBJECT.encode(), b"NATS/1.0\r\n\xff: a\r\na b: c\r\n: x\r\nk\x01(y): \x00\nz\r\nno colon\r\n\r\n"),
        NAMELESS,
    ),
    "an id that is not UTF-8": (
        published(
            SUBJECT.encode(), b"NATS/1.0\r\nce-specversion: 1.0\r\nce-id: \xff\r\nce-source: /x\r\nce-type: x\r\n\r\n"
        ),
        ("attribute_invalid", "ce-id"),
    ),
}


async def send_raw(url: str, account: str, command: bytes) -> bytes:
    """Say it on the wire of the broker; returns what the broker answered."""
    reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
    try:
        await reader.readline()
        login = json.dumps({"verbose": False, "headers": True, "user": account, "pass": account})
        writer.write(f"CONNECT {login}\r\n".encode() + command + b"PING\r\n")
        async with asyncio.timeout(5):
            return await reader.readuntil(b"\r\n")
    finally:
        writer.close()


async def test_hostile_bytes_on_the_wire_do_not_deafen_the_service(
    bus: TestBus, sessions: Sessions, servers: Servers, account: str, subtests: pytest.Subtests
) -> None:
    await bus.publish(DEVICE, partner="stadtwerke")
    for minute, (command, _) in enumerate(WIRE.values()):
        assert await send_raw(servers.nats.url, account, command) == b"PONG\r\n"
        await bus.publish(a_reading(float(minute), minute), partner="stadtwerke")
    await bus.settled()

    assert await values(sessions) == [float(minute) for minute in range(len(WIRE))]
    for (name, (_, expected)), kept in zip(WIRE.items(), await quarantine(sessions), strict=True):
        with subtests.test(name):
            assert (kept.reason, kept.path) == expected
