"""What the running platform says of itself: messages and readings by company, durables, and how full streams are."""

import re
from datetime import UTC, datetime
from uuid import uuid4

import httpx

from oker_contracts.sensor.device_declared_v1 import DeclaredDatastream, DeviceDeclaredV1
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1, ReportedResult
from oker_testkit.bus import eventually
from oker_testkit.company import Company
from oker_testkit.stack import Stack

SAMPLE = re.compile(r"^(\w+)\{([^}]*)\} (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
CLAIMS = "sensor-ingest-claims"


async def samples(stack: Stack, service: str = "sensor-ingest") -> dict[tuple[str, ...], float]:
    """Name and labels (without those of the library) to value."""
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{stack.url(service)}/metrics")).text
    found = {}
    for name, labels, value in SAMPLE.findall(text):
        said = [f"{key}={word}" for key, word in sorted(LABEL.findall(labels)) if not key.startswith("otel_")]
        found[name, *said] = float(value)
    return found


def messages(outcome: str, partner: str = "verkehr") -> tuple[str, ...]:
    return ("oker_messages_total", f"consumer={CLAIMS}", f"outcome={outcome}", f"partner={partner}")


async def test_messages_and_readings_are_counted_by_company_and_outcome_and_never_by_device(stack: Stack) -> None:
    device = f"laser-{uuid4().hex[:8]}"
    before = await samples(stack)
    company = Company("verkehr", stack)
    seen = DeclaredDatastream(property="visitors", unit="{visitors}", dataset="visitors", observed_property="Visitors")
    await company.say(DeviceDeclaredV1(device=device, name="Laser", datastreams=[seen]), f"{device}-declared")
    for number in range(3):
        result = ReportedResult(property="visitors", value=float(number), unit="{visitors}")
        at = datetime(2026, 1, 15, 12, number, tzinfo=UTC)
        await company.say(ReadingReportedV1(device=device, phenomenon_time=at, results=[result]), f"{device}-{number}")
    await company.say_raw("events.sensor.reading_reported.v1", b"{", {})

    async def counted() -> dict[tuple[str, ...], float]:
        now = await samples(stack)
        grown = {name: now.get(name, 0) - before.get(name, 0) for name in now}
        ended = grown.get(messages("settled"), 0) == 4 and grown.get(messages("quarantined"), 0) == 1
        return grown if ended else {}

    grown = await eventually(counted, "all five messages are counted")

    assert grown["oker_readings_total", "outcome=stored", "partner=verkehr"] == 3
    assert grown["oker_batch_messages_sum", f"consumer={CLAIMS}"] >= 5
    assert grown["oker_batch_writing_seconds_count", f"consumer={CLAIMS}"] >= 1
    assert not [name for name in grown if device in str(name)]


async def test_streams_and_durables_are_measured(stack: Stack) -> None:
    async def looked() -> dict[tuple[str, ...], float]:
        seen = await samples(stack)
        limit = seen.get(("oker_stream_limit_bytes", "stream=IN_verkehr"))
        return seen if limit == 5_000_000_000 else {}  # another test may just have made it smaller

    seen = await eventually(looked, "the streams were looked at", 20)

    limits = {name[1].removeprefix("stream="): v for name, v in seen.items() if name[0] == "oker_stream_limit_bytes"}
    assert limits["IN_stadtwerke"] == 5_000_000_000
    assert limits["SENSOR"] == 20_000_000_000
    assert limits["verkehr:$MQTT_msgs"] == 3_000_000_000
    assert seen["oker_stream_full", "stream=SENSOR"] == 0
    assert ("oker_durable_pending", f"consumer={CLAIMS}", "stream=IN_verkehr") in seen
