"""The lane of claims: one durable a company, multiplexed into one queue, emptied by the batch.

Pulls by credit: one subscription, and MSG.NEXT requests (JetStream wire API). While batch k is with the database, batch
k+1 is prepared and decided; acknowledged is after the commit. FastStream's own batch subscriber loses
what it has collected when a fetch times out, and a sourcing stream loses messages (docs/adr/0006).
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Generic, TypeVar

import structlog
from nats.errors import Error as NatsError

from oker_bus import metrics
from oker_bus.connection import Connection, read_headers
from oker_bus.edge import ACK, Delivery, is_outage, verdict
from oker_bus.partners import PartnersFile
from oker_bus.store import Outcome
from oker_bus.watch import Watch

log = structlog.get_logger()
P = TypeVar("P")
LOOK_SECONDS = 5.0
EXPIRES_SECONDS = 5.0
MAX_BYTES = 4_000_000
"""Of one request: what a company may have in memory here, whatever the size of its messages. With as much waiting, no
more is asked for."""
BATCH_BYTES = 2_000_000
"""Of the bodies of a batch: a message may hold thousands of readings, and what is made of them takes thirty times as
much memory."""
SLICE = 50
"""Messages that are prepared before other work gets its turn: about a millisecond."""


@dataclass(frozen=True, slots=True)
class Lane(Generic[P]):
    """How claims are taken.

    ``prepare`` turns deliveries into what ``write`` needs, one for one and without any I/O; ``write`` is one
    transaction (or one a message) and returns the outcome of each delivery, in order; ``give_up`` is asked for a
    message that failed alone.
    """

    consumer: str
    prepare: Callable[[list[Delivery]], list[P]]
    write: Callable[[list[P]], Awaitable[list[Outcome | None]]]
    give_up: Callable[[Delivery], Awaitable[Outcome | None]]
    alone: Callable[[list[P]], bool] = lambda prepared: True
    """Whether a batch must not be written while another is: it changes what the other is held against."""
    batch: int = 500
    writers: int = 2
    """Batches that may be written at a time: one is with the database while another is decided."""
    linger_seconds: float = 0.01


async def run(lane: Lane[P], nats: Connection, partners: PartnersFile, watch: Watch) -> None:
    """Empty the durables of all companies, also of those that join later, for ever."""
    pulls = _Pulls(lane.consumer, lane.batch, nats)
    subscription = await nats.tap(f"{pulls.inbox}.*", pulls.take)
    asking = asyncio.create_task(pulls.ask_for_ever(partners, watch))
    writing: deque[asyncio.Task[None]] = deque()
    try:
        while not asking.done():
            deliveries = await _collect(lane, pulls, writing)
            if not deliveries:
                continue
            prepared = await _prepared(lane, deliveries)
            alone = isinstance(prepared, Exception) or lane.alone(prepared)
            await _until(writing, 0 if alone else lane.writers - 1)
            writing.append(asyncio.create_task(_finish(lane, nats, prepared, deliveries)))
            await _until(writing, 0 if alone else lane.writers)
            await pulls.ask_again()
        await asking
    finally:
        asking.cancel()  # nats-py may swallow it once; the task ends with its next request
        if writing:
            await asyncio.wait(writing, timeout=5)
        await subscription.unsubscribe()


async def _until(writing: deque[asyncio.Task[None]], left: int) -> None:
    """Wait for the oldest batches, until no more than ``left`` are being written."""
    while len(writing) > left:
        await writing.popleft()
    await asyncio.sleep(0)  # the newest gets to the database before the next batch is prepared


@dataclass(slots=True)
class _Pulls:
    """The open requests, one stream a company: how much was asked for and has not come."""

    consumer: str
    batch: int
    nats: Connection
    inbox: str = ""
    waiting: deque[Delivery] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    open: dict[str, int] = field(default_factory=dict)
    deadline: dict[str, float] = field(default_factory=dict)
    size: int = 0
    """Bytes of the bodies that wait."""

    def __post_init__(self) -> None:
        self.inbox = self.nats.new_inbox()

    async def ask_for_ever(self, partners: PartnersFile, watch: Watch) -> None:
        """Keep requests open for every company, and have their durables watched."""
        while True:
            for slug in partners.current().partners:
                self.open.setdefault(f"IN_{slug}", 0)
                watch.add(self.consumer, f"IN_{slug}")
            await self.ask_again()
            await asyncio.sleep(0.25)

    async def ask_again(self) -> None:
        """Ask for more where a request ended or half of the credit is used: two batches are on their way at most."""
        if not self.nats.is_connected:  # a request would wait in the client, and all of them be sent at once afterwards
            return
        now = asyncio.get_running_loop().time()
        for stream, asked in list(self.open.items()):
            if now > self.deadline.get(stream, 0.0):
                asked = self.open[stream] = 0
            if asked <= self.batch // 2 and len(self.waiting) <= 2 * self.batch and self.size <= MAX_BYTES:
                await self._ask(stream, now)

    async def _ask(self, stream: str, now: float) -> None:
        self.open[stream] += self.batch
        self.deadline[stream] = now + EXPIRES_SECONDS + 1.0
        limits = {"batch": self.batch, "max_bytes": MAX_BYTES, "expires": int(EXPIRES_SECONDS * 1e9)}
        request = json.dumps(limits).encode()
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{self.consumer}"
        with suppress(NatsError):  # not sent is asked again after the deadline
            await self.nats.publish(subject, request, reply=f"{self.inbox}.{stream}")

    def take(self, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        """A message waits for its batch; a status (the request ended) gives its credit back."""
        if reply:
            delivery = Delivery.read(self.consumer, subject, reply, data, headers)
            self.open[delivery.stream] = max(self.open.get(delivery.stream, 0) - 1, 0)
            self.waiting.append(delivery)
            self.size += len(delivery.body)
            self.arrived.set()
            return
        stream = subject.rsplit(b".", 1)[1].decode()
        left = int(read_headers(headers).get("Nats-Pending-Messages", self.batch))
        self.open[stream] = max(self.open.get(stream, 0) - left, 0)

    @property
    def has_batch(self) -> bool:
        """Whether as much waits as is taken at once."""
        return len(self.waiting) >= self.batch or self.size >= BATCH_BYTES

    def take_batch(self) -> list[Delivery]:
        """The oldest, up to a batch; one message at least."""
        taken: list[Delivery] = []
        size = 0
        while self.waiting and len(taken) < self.batch:
            size += len(self.waiting[0].body)
            if taken and size > BATCH_BYTES:
                break
            taken.append(self.waiting.popleft())
            self.size -= len(taken[-1].body)
        return taken


async def _collect(lane: Lane[Any], pulls: _Pulls, writing: "deque[asyncio.Task[None]]") -> list[Delivery]:
    """Up to a batch: waits for the first, then lingers for more, 10 ms at most.

    While a batch is being written, only a whole one follows it: small ones side by side would cost more than they save.
    """
    waiting = pulls.waiting
    if not waiting:
        pulls.arrived.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(pulls.arrived.wait(), 1.0)
    loop = asyncio.get_running_loop()
    until = loop.time() + lane.linger_seconds
    while waiting and not pulls.has_batch and (loop.time() < until or _busy(writing)):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    return pulls.take_batch()


def _busy(writing: "deque[asyncio.Task[None]]") -> bool:
    return any(not task.done() for task in writing)


async def _prepared(lane: Lane[P], deliveries: list[Delivery]) -> list[P] | Exception:
    """What ``write`` needs; or why there is none, for then each message is tried alone.

    Slice by slice, so that the batch that is being written gets on whenever the database has answered.
    """
    prepared: list[P] = []
    try:
        for start in range(0, len(deliveries), SLICE):
            prepared += lane.prepare(deliveries[start : start + SLICE])
            await asyncio.sleep(0)
    except Exception as error:
        return error
    return prepared


async def _finish(lane: Lane[P], nats: Connection, prepared: list[P] | Exception, deliveries: list[Delivery]) -> None:
    began = perf_counter()
    try:
        if isinstance(prepared, Exception):
            raise prepared
        outcomes = await lane.write(prepared)
    except Exception as error:
        log.warning("lane.batch_failed", consumer=lane.consumer, messages=len(deliveries), error=type(error).__name__)
        outcomes = [await _alone(lane, delivery) for delivery in deliveries]
    ended = [(delivery.partner, outcome) for delivery, outcome in zip(deliveries, outcomes, strict=True)]
    metrics.count_batch(lane.consumer, ended, perf_counter() - began)
    verdicts = [
        (d.reply, ACK if outcome == "settled" else verdict(outcome, d.deliveries))
        for d, outcome in zip(deliveries, outcomes, strict=True)
    ]
    with suppress(NatsError):  # what cannot be told now is delivered again and found settled
        await nats.send(verdicts)


async def _alone(lane: Lane[Any], delivery: Delivery) -> Outcome | None:
    """A batch failed: each message gets its own transaction, so that one bad message harms no neighbour."""
    try:
        outcomes = await lane.write(lane.prepare([delivery]))
        return outcomes[0]
    except Exception as error:
        log.exception("message.failed", consumer=lane.consumer, sequence=delivery.sequence, error=type(error).__name__)
        if is_outage(error):
            return None
    try:
        return await lane.give_up(delivery)
    except Exception as error:
        log.exception("message.not_buried", sequence=delivery.sequence, error=type(error).__name__)
        return None
