"""What a test says to the bus, and how it waits for the end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig
from nats.js.errors import NotFoundError
from sqlmodel import col, select

from oker_bus import Bus, store, topology
from oker_bus.partners import Partners
from oker_contracts import TYPE_PREFIX, Contract, Envelope, Event, catalog, read_envelope, reader

C = TypeVar("C", bound=Contract)
DEADLINE_SECONDS = 10.0


class NotSettled(AssertionError):
    """The bus did not come to rest; says what still waits."""


async def eventually(look: Any, what: str, seconds: float = DEADLINE_SECONDS) -> Any:
    """Wait for a state: call ``look`` until it returns something true.

    Raises:
        NotSettled: it did not in time; ``what`` names the state.
    """
    deadline = time.monotonic() + seconds
    while True:
        seen = await look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise NotSettled(f"{what} within {seconds:.0f} s")
        await asyncio.sleep(0.02)


@dataclass(slots=True)
class TestBus:
    """The real bus of a service under test, with the words of a test."""

    __test__ = False

    bus: Bus
    jetstream: JetStreamContext
    nats: Client
    partners: Partners

    async def publish(
        self,
        data: Contract,
        *,
        partner: str | None = None,
        id: str | None = None,
        source: str = "/test",
        time: datetime | None = None,
        msg_id: str | None = None,
    ) -> str:
        """Publish a fact, or a claim of ``partner``; returns the event's id."""
        event_id = id or str(uuid4())
        envelope = Envelope(event_id, source, TYPE_PREFIX + data.TYPE, time, data.model_dump_json().encode())
        subject = catalog().events[data.TYPE].claim_subject(partner) if partner else data.subject
        headers = envelope.headers() | ({"Nats-Msg-Id": msg_id} if msg_id else {})
        await self.jetstream.publish(subject, envelope.data, headers=headers)
        return event_id

    async def publish_raw(self, subject: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Publish bytes as they are."""
        await self.jetstream.publish(subject, body, headers=headers)

    async def settled(self, seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until nothing is pending or unacknowledged, no sourcing lags, and the outbox is empty."""
        waiting: dict[str, int] = {}

        async def quiet() -> bool:
            waiting.clear()
            waiting.update({name: n for name, n in (await self._waiting()).items() if n})
            return not waiting

        try:
            await eventually(quiet, "settled", seconds)
        except NotSettled:
            raise NotSettled(f"not settled within {seconds:.0f} s: {waiting}") from None

    async def _waiting(self) -> dict[str, int]:
        """What waits, from the parts that know: durables and outbox.

        The broker tells a durable of a new message after it has answered the publisher, so that ``num_pending`` may be
        0 for a moment too long; the stream itself knows better.
        """
        waiting = {}
        for stream, consumer in sorted(self._durables()):
            info = await self.jetstream.consumer_info(stream, consumer)
            unheard = await self._last(stream, info.config) > info.delivered.stream_seq
            waiting[f"{consumer} on {stream}"] = (info.num_pending or 0) + (info.num_ack_pending or 0) + unheard
        async with self.bus.sessions() as session:
            waiting["outbox"] = await store.outbox_size(session)
        return waiting

    async def _last(self, stream: str, config: ConsumerConfig) -> int:
        """The sequence of the last message that a durable is meant to hear; 0 if there is none."""
        last = 0
        for subject in config.filter_subjects or [config.filter_subject or ">"]:
            with suppress(NotFoundError):
                last = max(last, int((await self.jetstream.get_last_msg(stream, subject)).seq or 0))
        return last

    def _durables(self) -> set[tuple[str, str]]:
        """All that the service hears or is meant to hear: a lane that has just begun may not be watched yet."""
        wanted = ((stream, str(config.name)) for stream, config in topology.durables(self.partners))
        meant = {(stream, name) for stream, name in wanted if name.startswith(f"{self.bus.service}-")}
        return meant | {(w.stream, w.consumer) for w in self.bus.watch.durables.values()}

    async def events(self, model: type[C]) -> list[Event[C]]:
        """All events of one contract on its stream, in order."""
        entry = catalog().events[model.TYPE]
        found: list[Event[Any]] = []
        async for msg in messages(self.jetstream, entry.stream, entry.filter_subject):
            found.append(reader().event(read_envelope(msg.headers, msg.data), datetime.now(UTC)))
        return found

    async def announced(self, model: type[C]) -> list[C]:
        """The data of all events of one contract, in order."""
        return [event.data for event in await self.events(model)]

    async def quarantined(self) -> list[tuple[str, str]]:
        """Reason and path of everything in quarantine, in order of arrival."""
        async with self.bus.sessions() as session:
            table = store.Quarantine
            query = select(table).order_by(col(table.quarantined_at), col(table.sequence), col(table.part))
            return [(row.reason, row.path) for row in (await session.exec(query)).all()]

    async def settlements(self) -> list[tuple[str, int, str]]:
        """Consumer, sequence and outcome of every settled message."""
        async with self.bus.sessions() as session:
            table = store.Settlement
            query = select(table).order_by(col(table.consumer), col(table.sequence))
            return [(row.consumer, row.sequence, row.outcome) for row in (await session.exec(query)).all()]


async def messages(js: JetStreamContext, stream: str, subject: str = ">") -> AsyncIterator[Any]:
    """Every message of a stream on a subject, in order, without a consumer."""
    sequence = 1
    while True:
        try:
            msg = await js.get_msg(stream, seq=sequence, subject=subject, next=True)
        except NotFoundError:
            return
        yield msg
        sequence = int(msg.seq or 0) + 1
