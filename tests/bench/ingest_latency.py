"""``ingest.latency``: from publish to the acknowledgement that follows the commit, at a steady rate, against R1.

The acknowledgement is seen by a subscriber on the durable's ``$JS.ACK`` subject: it comes a hop after the commit, so
the figure is an upper bound. Publisher and subscriber are one process with one clock.
"""

import asyncio
from itertools import count
from statistics import quantiles
from time import perf_counter

from nats.aio.msg import Msg
from tests.bench.figures import Figure, compare
from tests.bench.place import OURS, R1, STREAM, BenchFailed, Place
from tests.bench.readings import Pace, publish, readings

RATE = 1_000
FIRST = 10_000_000
"""Numbers of readings that no other measurement uses."""
WARM_UP_SECONDS = 0.5


async def measure(place: Place, short: bool) -> list[Figure]:
    """Median and 99th percentile of a few seconds, ours and R1 in turn."""
    seconds, rounds = (2, 3) if short else (5, 5)
    first = count(FIRST, int((seconds + WARM_UP_SECONDS) * RATE))
    found: dict[str, list[tuple[float, float]]] = {OURS: [], R1: []}
    for _ in range(rounds):
        for durable in (OURS, R1):
            found[durable].append(await _offered(place, durable, next(first), seconds))
    figures = []
    for position, name in enumerate(("median", "p99")):
        ours, raw = ([both[position] for both in found[durable]] for durable in (OURS, R1))
        figures.append(compare(f"ingest.latency.{name}_ms", "ms", ours, raw))
    return figures


async def _offered(place: Place, durable: str, first: int, seconds: float) -> tuple[float, float]:
    """Median and 99th percentile in milliseconds of one round; the other durable is held and emptied afterwards."""
    other = R1 if durable == OURS else OURS
    await place.hold(other)
    await place.release(durable)
    before = await place.last_sequence()
    total, warm = int((seconds + WARM_UP_SECONDS) * RATE), int(WARM_UP_SECONDS * RATE)
    acknowledged = _Acknowledged(total)
    subscription = await place.bench.subscribe(f"$JS.ACK.{STREAM}.{durable}.>", cb=acknowledged.take)
    published = await publish(place.company, readings(first, total), Pace(RATE))
    async with asyncio.timeout(20):
        await acknowledged.all
    await subscription.unsubscribe()
    await place.drain(other)
    took = [(acknowledged.at[before + 1 + n] - published[n]) * 1000 for n in range(warm, total)]
    hundredths = quantiles(took, n=100)
    return hundredths[49], hundredths[98]


class _Acknowledged:
    """When each sequence was acknowledged."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.at: dict[int, float] = {}
        self.all: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def take(self, msg: Msg) -> None:
        """``$JS.ACK.<stream>.<durable>.<deliveries>.<sequence>…``"""
        if msg.data not in (b"", b"+ACK"):
            raise BenchFailed(f"not acknowledged but {msg.data!r}")
        self.at[int(msg.subject.split(".")[5])] = perf_counter()
        if len(self.at) == self.count and not self.all.done():
            self.all.set_result(None)
