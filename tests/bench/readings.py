"""Readings as a company sends them: native, about 400 bytes, three properties of one device at one time."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from oker_contracts import TYPE_PREFIX, Envelope
from oker_contracts.sensor.device_declared_v1 import DeclaredDatastream, DeviceDeclaredV1
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1, ReportedResult

PROPERTIES = {"temperature": "Cel", "relative_humidity": "%", "barometric_pressure": "hPa"}
DEVICES = 20
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
SOURCE = "/stadtwerke/scada"
SUBJECT = f"events.{ReadingReportedV1.TYPE}"
WINDOW = 2_000
"""Published and not yet acknowledged, at most."""


class PublishFailed(Exception):
    """The broker refused a reading."""


@dataclass(frozen=True, slots=True)
class Said:
    """One event on the wire (CloudEvents, binary mode)."""

    body: bytes
    headers: dict[str, str]


def declarations() -> list[DeviceDeclaredV1]:
    """The devices that report; declared before anything is measured."""
    streams = [
        DeclaredDatastream(property=name, unit=unit, dataset="environment", observed_property=name)
        for name, unit in PROPERTIES.items()
    ]
    return [DeviceDeclaredV1(device=_device(n), name=f"Messstelle {n}", datastreams=streams) for n in range(DEVICES)]


def readings(first: int, count: int) -> Iterator[Said]:
    """Readings that differ in id and time; the same numbers give the same readings."""
    return (reading(number) for number in range(first, first + count))


def reading(number: int) -> Said:
    """The reading of this number."""
    at = BEGIN + timedelta(seconds=number)
    results = [
        ReportedResult(property=name, value=round(10 + place * 7 + number % 97 / 10, 1), unit=unit)
        for place, (name, unit) in enumerate(PROPERTIES.items())
    ]
    data = ReadingReportedV1(device=_device(number % DEVICES), phenomenon_time=at, results=results)
    body = data.model_dump_json(exclude_none=True).encode()
    envelope = Envelope(f"reading-{number:09d}", SOURCE, TYPE_PREFIX + data.TYPE, at, body)
    return Said(body, envelope.headers())


def _device(number: int) -> str:
    return f"messstelle-{number:03d}"


async def publish(connection: Client, said: Iterable[Said], pace: "Pace | None" = None) -> list[float]:
    """Publish all and wait for every PubAck.

    Args:
        pace: how many a second; as fast as the window allows if it is left out.

    Returns:
        When each was published, by :func:`time.perf_counter`.

    Raises:
        PublishFailed: the broker refused one.
        TimeoutError: an acknowledgement did not come within a minute.
    """
    window = _Window(asyncio.Semaphore(WINDOW))
    inbox = connection.new_inbox()
    subscription = await connection.subscribe(inbox, cb=window.acknowledged, pending_msgs_limit=-1)
    times = []
    try:
        async with asyncio.timeout(60):
            for number, event in enumerate(said):
                await window.open.acquire()
                if pace is not None:
                    await pace.wait(number)
                times.append(perf_counter())
                await connection.publish(SUBJECT, event.body, reply=inbox, headers=event.headers)
            for _ in range(WINDOW):
                await window.open.acquire()
    finally:
        await subscription.unsubscribe()
    if window.refused:
        raise PublishFailed(window.refused[0])
    return times


@dataclass(slots=True)
class Pace:
    """A steady rate; one that was late catches up."""

    per_second: float
    begun: float | None = None

    async def wait(self, number: int) -> None:
        """Wait until it is this reading's turn."""
        now = perf_counter()
        self.begun = now if self.begun is None else self.begun
        early = self.begun + number / self.per_second - now
        if early > 0:
            await asyncio.sleep(early)


class _Window:
    """Counts what is on its way."""

    def __init__(self, open: asyncio.Semaphore) -> None:
        self.open = open
        self.refused: list[Any] = []

    async def acknowledged(self, msg: Msg) -> None:
        if b'"error"' in msg.data or not msg.data:
            self.refused.append(msg.data)
        self.open.release()
