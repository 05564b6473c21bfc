"""Hostile input over MQTT: each message has its reason and path, none is lost, a good neighbour is stored."""

import json
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from oker_contracts.sensor.device_declared_v1 import DeclaredDatastream, DeviceDeclaredV1
from oker_testkit.bus import eventually, messages
from oker_testkit.company import Company, chirpstack_uplink
from oker_testkit.stack import Stack
from oker_testkit.story import Story

EUI = "70b3d57ed0ffff{number:02x}"
GOOD = "70b3d57ed0fffeee"


def uplink(**changes: Any) -> bytes:
    """A good uplink with some parts replaced; ``None`` leaves a part out."""
    _, body = chirpstack_uplink("EUI", bytes.fromhex("016700e1"), datetime(2026, 1, 1, tzinfo=UTC), "d-1")
    said = json.loads(body) | changes
    return json.dumps({name: value for name, value in said.items() if value is not None}).encode()


HOSTILE: list[tuple[str, bytes, str, str]] = [
    ("empty", b"", "body_empty", "$"),
    ("cut off", b'{"deduplicationId": "1", ', "json_broken", "$"),
    ("not UTF-8", b'\xff\xfe{"a": 1}', "encoding_invalid", "$"),
    ("a list", b"[1, 2]", "field_type_wrong", "$"),
    ("deep", b"[" * 5_000, "json_too_deep", "$"),
    ("no data", uplink(deviceInfo=None), "field_missing", "$.deviceInfo"),
    ("no identity", uplink(deduplicationId=None), "field_missing", "$.deduplicationId"),
    ("no time", uplink(time=None), "field_missing", "$.time"),
    ("time without zone", uplink(time="2026-01-01T00:00:00"), "field_value_invalid", "$.time"),
    ("number for bytes", uplink(data=5), "field_type_wrong", "$.data"),
    ("not Base64", uplink(data="%%%"), "field_value_invalid", "$.data"),
    ("other device", uplink(deviceInfo={"devEui": "0000000000000001"}), "topic_mismatch", "$.deviceInfo.devEui"),
    ("ChirpStack v3", b'{"applicationID": "1", "devEUI": "cLPVftAAGis="}', "dialect_foreign", "$.applicationID"),
    ("The Things Stack", b'{"end_device_ids": {}, "uplink_message": {}}', "dialect_foreign", "$.end_device_ids"),
    ("unknown device", uplink(), "device_unknown", "$.deviceInfo.devEui"),
]


def topic_of(number: int) -> str:
    return f"application/hostile/device/{EUI.format(number=number)}/event/up"


async def reasons(stack: Stack) -> dict[str, tuple[str, str]]:
    """Reason and path of every quarantined MQTT message, by its topic."""
    operator = await stack.connect("operator", inbox_prefix="_INBOX_operator")
    found = {}
    try:
        async for msg in messages(operator.jetstream(timeout=5), "QUARANTINE", "quarantine.sensor-ingest.stadtwerke"):
            if msg.data and "mqtt" in msg.headers.get("ce-type", ""):  # the bytes stand beside the first refusal
                found[json.loads(msg.data)["topic"]] = (msg.headers["Oker-Reason"], msg.headers["Oker-Path"])
    finally:
        await operator.close()
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen(stack: Stack) -> dict[str, tuple[str, str]]:
    """Everything hostile, then something good; waits for both ends."""
    company = Company("stadtwerke", stack)
    for number, (_, payload, _, _) in enumerate(HOSTILE):
        eui = EUI.format(number=number).encode()
        await company.publish_mqtt(topic_of(number), payload.replace(b'"EUI"', b'"' + eui + b'"'))
    await company.publish_mqtt("nobody/knows/this", b"21.5")
    stream = DeclaredDatastream(property="temperature_1", unit="Cel", dataset="environment", observed_property="air")
    await company.say(DeviceDeclaredV1(device=GOOD, name="x", codec="cayenne_lpp", datastreams=[stream]), "good-device")
    story = Story(stack, tell=lambda _line: None)

    async def declared() -> bool:
        devices = await story.ask("sensor-ingest", "GET", "/devices", "unit-1", "unit")
        return any(device["device"] == GOOD for device in devices)

    await eventually(declared, "the good device is declared")
    topic, body = chirpstack_uplink(GOOD, bytes.fromhex("016700e1"), datetime(2026, 1, 1, tzinfo=UTC), "good")
    await company.publish_mqtt(topic, body)

    async def stored() -> bool:
        path = f"/devices/stadtwerke/{GOOD}/temperature_1/observations"
        return bool(await story.ask("sensor-ingest", "GET", path, "unit-1", "unit"))

    await eventually(stored, "the good neighbour is stored")

    async def all_there() -> dict[str, tuple[str, str]]:
        found = await reasons(stack)
        return found if "nobody/knows/this" in found and len(found) > len(HOSTILE) else {}

    result: dict[str, tuple[str, str]] = await eventually(all_there, "all hostile messages are in quarantine")
    return result


@pytest.mark.parametrize("number", range(len(HOSTILE)), ids=[name for name, *_ in HOSTILE])
async def test_each_hostile_message_has_its_reason_and_path(seen: dict[str, tuple[str, str]], number: int) -> None:
    _, _, reason, path = HOSTILE[number]

    assert seen[topic_of(number)] == (reason, path)


async def test_an_unmapped_topic_is_quarantined_not_dropped(seen: dict[str, tuple[str, str]]) -> None:
    assert seen["nobody/knows/this"] == ("topic_unmapped", "topic")


async def test_the_bytes_are_kept_as_they_came(stack: Stack, seen: dict[str, tuple[str, str]]) -> None:
    operator = await stack.connect("operator", inbox_prefix="_INBOX_operator")
    try:
        kept = [
            b64decode(json.loads(msg.data)["payload"])
            async for msg in messages(
                operator.jetstream(timeout=5), "QUARANTINE", "quarantine.sensor-ingest.stadtwerke"
            )
            if "mqtt" in msg.headers.get("ce-type", "")
        ]
    finally:
        await operator.close()

    assert b'\xff\xfe{"a": 1}' in kept
    assert b"21.5" in kept


async def test_no_process_has_died(stack: Stack, seen: dict[str, tuple[str, str]]) -> None:
    assert [name for name, process in stack.processes.items() if process.poll() is not None] == []
