"""A company's intake stream is full: each sender hears it, nothing acknowledged is lost, and it takes again."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import paho.mqtt.client as mqtt
import pytest
from nats.js.errors import APIError
from paho.mqtt.enums import CallbackAPIVersion

from oker_contracts.sensor.device_declared_v1 import DeclaredDatastream, DeviceDeclaredV1
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1
from oker_testkit.bus import eventually
from oker_testkit.company import Company
from oker_testkit.stack import Stack

STREAM = "IN_verkehr"
MESSAGES = 200


@pytest.fixture
async def full(stack: Stack) -> AsyncIterator[Any]:
    """The stream of a company with next to no room; JetStream of the user `topology`."""
    connection = await stack.connect("topology", inbox_prefix="_INBOX_topology")
    js = connection.jetstream(timeout=5)
    info = await js.stream_info(STREAM)
    await js.update_stream(info.config.evolve(max_bytes=info.state.bytes + 100_000))
    yield js
    await js.update_stream((await js.stream_info(STREAM)).config.evolve(max_bytes=info.config.max_bytes))
    await connection.close()


def a_device(name: str) -> DeviceDeclaredV1:
    seen = DeclaredDatastream(property="visitors", unit="{visitors}", dataset="visitors", observed_property="Visitors")
    return DeviceDeclaredV1(device=name, name="Laser", datastreams=[seen])


def a_reading(device: str, minute: int) -> ReadingReportedV1:
    result = {"property": "visitors", "value": float(minute), "unit": "{visitors}"}
    said = {"device": device, "phenomenon_time": f"2026-01-15T12:{minute:02}:00Z", "results": [result]}
    return ReadingReportedV1.model_validate_json(json.dumps(said))


def publish_all(stack: Stack, topics: list[str]) -> int:
    """Over one MQTT connection, QoS 1; returns how many were acknowledged."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"full-{uuid4().hex[:8]}")
    client.username_pw_set("verkehr-devices", stack.password("verkehr-devices"))
    client.connect("127.0.0.1", stack.ports.mqtt)
    client.loop_start()
    try:
        sent = [client.publish(topic, b"x" * 400, qos=1) for topic in topics]
        for one in sent:
            one.wait_for_publish(10)
        return sum(one.is_published() for one in sent)
    finally:
        client.disconnect()
        client.loop_stop()


async def forwarded(stack: Stack, run: str) -> int:
    """How many of the run's MQTT messages the platform's stream of refused messages shows."""
    connection = await stack.connect("operator", inbox_prefix="_INBOX_operator")
    try:
        js, found, at = connection.jetstream(timeout=5), 0, 1
        while True:
            try:
                msg = await js.get_msg("QUARANTINE", seq=at, subject="quarantine.sensor-ingest.verkehr", next=True)
            except APIError:
                return found
            found += run in json.loads(msg.data).get("topic", "") if b'"topic"' in (msg.data or b"") else 0
            at = int(msg.seq) + 1
    finally:
        await connection.close()


async def test_every_way_in_says_that_it_is_full_and_loses_nothing_that_was_acknowledged(
    stack: Stack, full: Any
) -> None:
    run, company = uuid4().hex[:8], Company("verkehr", stack)
    device = f"laser-{run}"
    topics = [f"nobody/{run}/{number}" for number in range(MESSAGES)]

    acknowledged = await asyncio.to_thread(publish_all, stack, topics)
    assert acknowledged == MESSAGES  # held in the company's own account, as the stream behind it fills up

    async def refuses() -> bool:
        try:
            await company.say(a_reading(device, 0), f"{run}-nats")
        except APIError as error:
            return "maximum bytes" in str(error)
        return False

    await eventually(refuses, "NATS publishers are refused", 20)
    answer = await company.post(a_reading(device, 1), f"{run}-http")
    assert answer.status_code == 503
    assert "no room" in answer.json()["detail"]

    async def warned() -> dict[str, str]:
        async with httpx.AsyncClient() as http:
            ready = await http.get(f"{stack.url('sensor-ingest')}/health/ready")
        assert ready.status_code == 200  # the other companies are served
        warnings: dict[str, str] = ready.json().get("warnings", {})
        return warnings if STREAM in warnings else {}

    assert "publishers are refused" in (await eventually(warned, "health warns of it", 20))[STREAM]

    config = (await full.stream_info(STREAM)).config
    await full.update_stream(config.evolve(max_bytes=5_000_000_000))

    async def all_forwarded() -> bool:
        return await forwarded(stack, run) == MESSAGES

    await eventually(all_forwarded, "every acknowledged message was forwarded", 30)
    assert (await company.post(a_device(device), f"{run}-declared")).status_code == 202
    assert (await company.post(a_reading(device, 1), f"{run}-http")).status_code == 202
