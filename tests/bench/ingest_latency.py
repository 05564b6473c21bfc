"""``ingest.latency``: from publish to the acknowledgement that follows the commit, at a steady rate, against R1.

A reading's time begins when it was due, so a publisher that is late counts; it ends when the acknowledgement is seen by
a subscriber on the durable's ``$JS.ACK`` subject, a hop after the commit. So the figures are upper bounds. Publisher
and subscriber are one process with one clock.
"""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median, quantiles
from time import perf_counter
from typing import NamedTuple

from tests.bench.figures import Figure, compare
from tests.bench.place import OURS, R1, STREAM, BenchFailed, Place
from tests.bench.readings import frames

RATES = (2_000, 5_000)
WARM_UP_SECONDS = 0.5
ENOUGH = 0.98
"""Of the rate: less is said with the figure."""
LATE_SECONDS = 30.0


class Round(NamedTuple):
    """Milliseconds, and how many a second were published in truth."""

    median: float
    p99: float
    offered: float


Found = dict[str, list[Round]]


async def measure(place: Place, short: bool) -> list[Figure]:
    """Median and 99th percentile of a few seconds at each rate, ours and R1 in turn.

    The figures without a rate are those of the highest rate.
    """
    seconds, rounds = (1, 3) if short else (5, 5)
    figures: list[Figure] = []
    for rate in RATES:
        found: Found = {OURS: [], R1: []}
        for _ in range(rounds):
            for durable in (OURS, R1):
                found[durable].append(await _offered(place, durable, rate, seconds))
        figures += _figures(f"ingest.latency.{rate}", rate, found)
        if rate == max(RATES):
            figures += _figures("ingest.latency", rate, found)
    return figures


def _figures(name: str, rate: int, found: Found) -> list[Figure]:
    ours, raw = found[OURS], found[R1]
    offered = median(round.offered for round in ours)
    note = "" if offered >= ENOUGH * rate else f"the publisher reached {offered:,.0f} of {rate:,} readings/s"
    figures = []
    for which in ("median", "p99"):
        took, reference = ([float(getattr(round, which)) for round in side] for side in (ours, raw))
        figures.append(replace(compare(f"{name}.{which}_ms", "ms", took, reference), note=note))
    return figures


async def _offered(place: Place, durable: str, rate: int, seconds: float) -> Round:
    """One round; the other durable is held."""
    total, warm = int((seconds + WARM_UP_SECONDS) * rate), int(WARM_UP_SECONDS * rate)
    ready = list(frames(place.company, place.take(total), total))
    await place.purge()
    await place.release(durable)
    acknowledged = _Acknowledged(await place.last_sequence() + 1, total)
    sid = await place.listener.subscribe(f"$JS.ACK.{STREAM}.{durable}.>", acknowledged.take)
    with _no_garbage_collection():
        due, offered = await place.company.publish_at(ready, rate)
        async with asyncio.timeout(LATE_SECONDS):
            await acknowledged.all.wait()
    await place.listener.unsubscribe(sid)
    await place.drained(durable)
    await place.hold(durable)
    if acknowledged.wrong:
        raise BenchFailed(f"not acknowledged but {acknowledged.wrong[0]!r}")
    took = [(acknowledged.at[number] - due[number]) * 1000 for number in range(warm, total)]
    hundredths = quantiles(took, n=100)
    return Round(hundredths[49], hundredths[98], offered)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Pauses of this process are not of what is measured."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Acknowledged:
    """When each message was acknowledged, by its place among those that were published."""

    def __init__(self, first: int, count: int) -> None:
        self.first = first
        self.count = count
        self.at: dict[int, float] = {}
        self.wrong: list[bytes] = []
        self.all = asyncio.Event()

    def take(self, subject: bytes, payload: bytes) -> None:
        """``$JS.ACK.<stream>.<durable>.<deliveries>.<sequence>…``"""
        if payload not in (b"", b"+ACK"):
            self.wrong.append(payload)
        self.at[int(subject.split(b".")[5]) - self.first] = perf_counter()
        if len(self.at) == self.count:
            self.all.set()
