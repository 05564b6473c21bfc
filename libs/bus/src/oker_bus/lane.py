"""The lane of claims: one durable a company, multiplexed into one queue, emptied by the batch.

Pulls by credit with public nats-py calls only: one subscription, and MSG.NEXT requests (JetStream wire API). While
batch k is written, batch k+1 is prepared; acknowledged is after the commit. FastStream's own batch subscriber loses
what it has collected when a fetch times out, and a sourcing stream loses messages (docs/adr/0006).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from oker_bus.edge import Delivery, acknowledge, is_outage
from oker_bus.partners import PartnersFile
from oker_bus.store import Outcome
from oker_bus.watch import Watch

log = structlog.get_logger()
P = TypeVar("P")
LOOK_SECONDS = 5.0
EXPIRES_SECONDS = 5.0
MAX_BYTES = 8_000_000
"""Of one request: what a company may have in memory here, whatever the size of its messages."""
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
    batch: int = 500
    linger_seconds: float = 0.01


async def run(lane: Lane[P], nats: Client, partners: PartnersFile, watch: Watch) -> None:
    """Empty the durables of all companies, also of those that join later, for ever."""
    pulls = _Pulls(lane.consumer, lane.batch, nats)
    subscription = await nats.subscribe(f"{pulls.inbox}.*", cb=pulls.take, pending_msgs_limit=-1)
    asking = asyncio.create_task(pulls.ask_for_ever(partners, watch))
    writing: asyncio.Task[None] | None = None
    try:
        while not asking.done():
            messages = await _collect(lane, pulls.queue)
            if not messages:
                continue
            prepared = await _prepared(lane, messages)
            if writing is not None:
                await writing
            writing = asyncio.create_task(_finish(lane, prepared, messages))
            await pulls.ask_again()
        await asking
    finally:
        asking.cancel()  # nats-py may swallow it once; the task ends with its next request
        if writing is not None:
            await asyncio.wait([writing], timeout=5)
        await subscription.unsubscribe()


@dataclass(slots=True)
class _Pulls:
    """The open requests, one stream a company: how much was asked for and has not come."""

    consumer: str
    batch: int
    nats: Client
    inbox: str = ""
    queue: "asyncio.Queue[Msg]" = field(default_factory=asyncio.Queue)
    open: dict[str, int] = field(default_factory=dict)
    deadline: dict[str, float] = field(default_factory=dict)

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
        now = asyncio.get_running_loop().time()
        for stream, asked in list(self.open.items()):
            if now > self.deadline.get(stream, 0.0):
                asked = self.open[stream] = 0
            if asked <= self.batch // 2 and self.queue.qsize() <= 2 * self.batch:
                await self._ask(stream, now)

    async def _ask(self, stream: str, now: float) -> None:
        self.open[stream] += self.batch
        self.deadline[stream] = now + EXPIRES_SECONDS + 1.0
        limits = {"batch": self.batch, "max_bytes": MAX_BYTES, "expires": int(EXPIRES_SECONDS * 1e9)}
        request = json.dumps(limits).encode()
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{self.consumer}"
        with suppress(NatsError):  # not sent is asked again after the deadline
            await self.nats.publish(subject, request, reply=f"{self.inbox}.{stream}")

    async def take(self, msg: Msg) -> None:
        """A message goes into the queue; a status (the request ended) gives its credit back."""
        if msg.reply:
            stream = msg.reply.split(".", 3)[2]
            self.open[stream] = max(self.open.get(stream, 0) - 1, 0)
            self.queue.put_nowait(msg)
            return
        stream = msg.subject.rsplit(".", 1)[1]
        left = int((msg.headers or {}).get("Nats-Pending-Messages", self.batch))
        self.open[stream] = max(self.open.get(stream, 0) - left, 0)


async def _collect(lane: Lane[Any], queue: "asyncio.Queue[Msg]") -> list[Msg]:
    """Up to a batch: waits for the first, then lingers for more, 10 ms at most."""
    try:
        messages = [await asyncio.wait_for(queue.get(), 1.0)]
    except TimeoutError:
        return []
    loop = asyncio.get_running_loop()
    until = loop.time() + lane.linger_seconds
    while len(messages) < lane.batch:
        if not queue.empty():
            messages.append(queue.get_nowait())
        elif loop.time() < until:
            await asyncio.sleep(0.001)
        else:
            break
    return messages


async def _prepared(lane: Lane[P], messages: list[Msg]) -> list[P] | Exception:
    """What ``write`` needs; or why there is none, for then each message is tried alone.

    Slice by slice, so that the batch that is being written gets on whenever the database has answered.
    """
    prepared: list[P] = []
    try:
        for start in range(0, len(messages), SLICE):
            prepared += lane.prepare([Delivery.of(msg, lane.consumer) for msg in messages[start : start + SLICE]])
            await asyncio.sleep(0)
    except Exception as error:
        return error
    return prepared


async def _finish(lane: Lane[P], prepared: list[P] | Exception, messages: list[Msg]) -> None:
    try:
        if isinstance(prepared, Exception):
            raise prepared
        outcomes = await lane.write(prepared)
    except Exception as error:
        log.warning("lane.batch_failed", consumer=lane.consumer, messages=len(messages), error=type(error).__name__)
        outcomes = [await _alone(lane, msg) for msg in messages]
    for msg, outcome in zip(messages, outcomes, strict=True):
        await acknowledge(msg, outcome)


async def _alone(lane: Lane[Any], msg: Msg) -> Outcome | None:
    """A batch failed: each message gets its own transaction, so that one bad message harms no neighbour."""
    delivery = Delivery.of(msg, lane.consumer)
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
