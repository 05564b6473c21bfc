"""The way of one message: claim it, read it, handle it, commit, acknowledge. In that order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import asyncpg
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.trace import Link, SpanKind
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus import days, metrics, store
from oker_bus.connection import read_headers
from oker_bus.router import Heard, RetryLater
from oker_bus.store import MAX_SAID, Counts, Outcome, Quarantined, Said, Settled
from oker_bus.transaction import MAX_BODY, Cause, Clock, Transaction
from oker_contracts import Contract, Envelope, Event, Reason, Refused, read_envelope, reader

log = structlog.get_logger()
tracer = trace.get_tracer("oker_bus")
Sessions = async_sessionmaker[AsyncSession]

BURY_FAILED_AFTER = 6
"""Deliveries of a message on which the handler fails, a bug, until it is buried in quarantine."""
BURY_WAITING_AFTER = 40
"""Deliveries of a message that waits (RetryLater) until it is buried: about 35 minutes."""
ACK_FIELDS = 9
"""``$JS.ACK.<stream>.<durable>.<deliveries>.<sequence>.<…>.<nanoseconds>.<…>``, where each message is acknowledged;
a longer one has domain and account after ``ACK`` (NATS, ADR-15). Read here once: nats-py takes three times as long."""


AWAY = ("08", "40", "53", "55", "57", "58", "42P01", "42703")
"""SQLSTATE that says nothing about the message: no connection, a deadlock or lost race, no resources (disk, memory),
locks, shut down or starting, system errors; a table or column that the migration has not made yet."""


def is_outage(error: BaseException) -> bool:
    """Whether the database is away or full: no fault of the message's, which is never buried for it."""
    cause = _cause(error)
    gone = isinstance(error, DBAPIError) and error.connection_invalidated
    lost = (asyncpg.InterfaceError, asyncpg.InternalClientError)
    closed = isinstance(cause, lost) and not isinstance(cause, ValueError)
    busy = isinstance(error, PoolTimeout)
    return gone or closed or busy or isinstance(cause, OSError) or sqlstate(error).startswith(AWAY)


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's code of an error; nothing if it is none of PostgreSQL's."""
    return str(getattr(_cause(error), "sqlstate", None) or "")


def _cause(error: BaseException) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


ACK = b"+ACK"


def pause_before(delivery: int) -> float:
    """Seconds until the next delivery: 0.2, 0.4, 0.8 … at most 60."""
    return float(min(0.2 * 2 ** max(delivery - 1, 0), 60.0))


class Delivery(NamedTuple):
    """One message as it was delivered: where it lies, who spoke, and its bytes."""

    consumer: str
    stream: str
    sequence: int
    partner: str | None
    subject: str
    headers: dict[str, str]
    body: bytes
    stored_at: datetime
    deliveries: int
    reply: str = ""
    """Where it is acknowledged."""

    @classmethod
    def of(cls, msg: Msg, consumer: str) -> "Delivery":
        """A message as nats-py read it."""
        return cls._at(consumer, msg.subject, msg.reply, msg.data, dict(msg.headers or {}))

    @classmethod
    def read(cls, consumer: str, subject: bytes, reply: bytes, body: bytes, headers: bytes) -> "Delivery":
        """A message from its bytes, see :meth:`oker_bus.connection.Connection.tap`."""
        spoken = subject.decode("utf-8", "backslashreplace")
        return cls._at(consumer, spoken, reply.decode(), bytes(body), read_headers(headers))

    @classmethod
    def _at(cls, consumer: str, subject: str, reply: str, body: bytes, headers: dict[str, str]) -> "Delivery":
        """Read the position of a message; the partner of a claim is in the subject, mapped there by the server."""
        said = reply.split(".")
        at = 2 if len(said) == ACK_FIELDS else 4
        partner = subject.split(".", 2)[1] if subject.startswith("ingest.") else None
        stored_at = datetime.fromtimestamp(int(said[at + 5]) / 1e9, UTC)
        place = (consumer, said[at], int(said[at + 3]))
        return cls(*place, partner, subject, headers, body, stored_at, int(said[at + 2]), reply)

    @property
    def position(self) -> tuple[str, int]:
        """Stream and sequence: what is settled."""
        return self.stream, self.sequence

    def envelope(self) -> Envelope:
        """Read the envelope, and hold its type against the subject.

        Raises:
            Refused: with the attribute that is wrong.
        """
        if len(self.body) > MAX_BODY:
            raise Refused(Reason.BODY_TOO_LARGE, "$", f"One event has {MAX_BODY} bytes at most.")
        envelope = read_envelope(self.headers, self.body)
        _check_place(envelope.type, self.partner, self.subject)
        return envelope

    def said(self) -> Said | None:
        """The identity of the event, as far as it can be read; ``None`` if not even that."""
        try:
            envelope = read_envelope(self.headers, self.body)
        except Refused:
            said = {name.lower(): value for name, value in self.headers.items()}
            source, id = storable(said.get("ce-source", "")), storable(said.get("ce-id", ""))
            return (source[:MAX_SAID], id[:MAX_SAID]) if source or id else None
        return envelope.source, envelope.id

    def settled(self, outcome: Outcome, at: datetime, said: Said | None = None) -> Settled:
        """The end of this message.

        Args:
            said: the identity of its event, where it was read already.
        """
        where = (self.consumer, self.stream, self.sequence, self.stored_at)
        return Settled(*where, self.partner, outcome, at, Counts(), said or self.said())

    def quarantined(self, refused: Refused, at: datetime, part: int = 0) -> Quarantined:
        """This message, or a part of it, as refused."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Quarantined(
            consumer=self.consumer,
            stream=self.stream,
            sequence=self.sequence,
            stored_at=self.stored_at,
            part=part,
            partner=self.partner,
            reason=str(refused.reason),
            path=storable(refused.path),
            detail=storable(refused.detail),
            contract=storable(headers.get("ce-type", "")) or None,
            headers={storable(name): storable(value) for name, value in self.headers.items()},
            body=self.body,
            quarantined_at=at,
            event_source=storable(headers.get("ce-source", "")) or None,
            event_id=storable(headers.get("ce-id", "")) or None,
            subject=storable(self.subject),
        )


@lru_cache(maxsize=10_000)
def _check_place(type: str, partner: str | None, subject: str) -> None:
    """Hold the type of an event against the subject it was published on."""
    entry = reader().entry(type)
    spoken = subject.split(".", 2)[2] if partner else subject
    if partner and (entry.kind != "claim" or not spoken.startswith(entry.place)):
        raise Refused(Reason.TYPE_NOT_CLAIMABLE, "ce-type")
    said = entry.place + entry.name if partner else entry.name
    if spoken != said and not spoken.startswith(f"{said}."):
        raise Refused(Reason.TYPE_MISMATCH, "ce-type", f"Published on {spoken[:120]}.")


def storable(value: str) -> str:
    """PostgreSQL text holds neither NUL nor lone surrogates; the raw bytes are kept beside it."""
    return value.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()[:2000]


@dataclass(frozen=True, slots=True)
class Edge:
    """Settles messages: the only place that commits and acknowledges."""

    service: str
    sessions: Sessions
    clock: Clock

    @asynccontextmanager
    async def transaction(self, cause: Cause) -> AsyncIterator[Transaction]:
        """Open a transaction; its facts are written to the outbox and committed with the tables."""
        async with self.sessions() as session, session.begin():
            tx = Transaction(session, self.clock(), cause, self.service)
            yield tx
            await tx.write_outbox()

    async def receive(self, msg: Msg, consumer: str, handlers: dict[str, Heard]) -> None:
        """Take one message to its end, then tell the broker."""
        delivery = Delivery.of(msg, consumer)
        outcome = await self.settle(delivery, handlers)
        metrics.count_messages(consumer, delivery.partner, outcome)
        await acknowledge(msg, outcome)

    async def settle(self, delivery: Delivery, handlers: dict[str, Heard]) -> Outcome | None:
        """Take one message to its end; ``None`` if it is to be delivered again."""
        consumer, sequence = delivery.consumer, delivery.sequence
        links = span_links([delivery])
        with tracer.start_as_current_span(f"settle {consumer}", kind=SpanKind.CONSUMER, links=links):
            try:
                return await self._settle(delivery, handlers)
            except RetryLater as error:
                log.info("message.waits", consumer=consumer, sequence=sequence, for_=type(error).__name__)
                return await self._again(delivery, Reason.WAITED_TOO_LONG, BURY_WAITING_AFTER)
            except Exception as error:
                log.exception("message.failed", consumer=consumer, sequence=sequence, error=type(error).__name__)
                if is_outage(error):
                    return None
                return await self._again(delivery, Reason.HANDLER_FAILED, BURY_FAILED_AFTER)

    async def _settle(self, delivery: Delivery, handlers: dict[str, Heard]) -> Outcome:
        """One transaction: claim the sequence, take the event, handle it; or quarantine it."""
        try:
            event, handle = read(delivery, handlers)
        except Refused as refused:
            return await self.bury(delivery, refused)
        try:
            async with self.transaction(Cause.of(event)) as tx:
                return await _handle_once(delivery, event, handle, tx)
        except Refused as refused:
            return await self.bury(delivery, refused)

    async def bury(self, delivery: Delivery, refused: Refused) -> Outcome:
        """Settle a message as quarantined: the row, the copy for QUARANTINE and the settlement together.

        One that had ended before stays as it ended: redelivered, it may be refused by now, after an update.
        """
        cause = Cause(delivery.stream, str(delivery.sequence), delivery.partner)
        async with self.transaction(cause) as tx:
            refusal = delivery.quarantined(refused, tx.now)
            settled = delivery.settled("quarantined", tx.now)
            if not await store.settle(tx.session, settled):
                return await store.outcome_of(tx.session, settled)
            await store.quarantine(tx.session, [refusal])
            tx.quarantine(refusal)
            await days.add(tx, [settled])
        log.warning(
            "message.quarantined",
            consumer=delivery.consumer,
            stream=delivery.stream,
            sequence=delivery.sequence,
            reason=str(refused.reason),
            path=refused.path[:200],
        )
        return "quarantined"

    async def _again(self, delivery: Delivery, reason: Reason, bury_after: int) -> Outcome | None:
        if delivery.deliveries < bury_after:
            return None
        try:
            return await self.bury(delivery, Refused(reason))
        except Exception as error:
            log.exception("message.not_buried", sequence=delivery.sequence, error=type(error).__name__)
            return None


def verdict(outcome: Outcome | None, deliveries: int) -> bytes:
    """What the broker is told after the commit; ``None`` asks for the message again, after a pause (NATS, ADR-13)."""
    if outcome is None:
        return b'-NAK {"delay": %d}' % int(pause_before(deliveries) * 1e9)
    return b"+TERM" if outcome == "quarantined" else ACK


async def acknowledge(msg: Msg, outcome: Outcome | None) -> None:
    """Tell the broker; what cannot be told now, the broker being away, is delivered again and found settled."""
    with suppress(NatsError):
        await msg.respond(verdict(outcome, msg.metadata.num_delivered))


def read(delivery: Delivery, handlers: dict[str, Heard]) -> tuple[Event[Contract], Heard]:
    """The event of a message, and the handler that hears it.

    Raises:
        Refused: it cannot be read, or this durable does not hear it.
    """
    event = reader().event(delivery.envelope(), delivery.stored_at, delivery.partner)
    if event.type not in handlers:
        raise Refused(Reason.TYPE_UNKNOWN, "ce-type", f"{delivery.consumer} does not hear {event.type}.")
    return event, handlers[event.type]


async def _handle_once(delivery: Delivery, event: Event[Any], handle: Heard, tx: Transaction) -> Outcome:
    settled = delivery.settled("settled", tx.now, (event.source, event.id))
    if not await store.settle(tx.session, settled):
        return "duplicate"
    if not await store.take(tx.session, delivery.consumer, event.key):
        settled = replace(settled, outcome="duplicate")
        await store.change_outcome(tx.session, settled)
    else:
        await handle(event, tx)
    await days.add(tx, [settled])
    return settled.outcome


def span_links(deliveries: list[Delivery], most: int = 64) -> list[Link]:
    """Links from the span that settles to the spans that published."""
    links = []
    for delivery in deliveries[:most]:
        traceparent = delivery.headers.get("ce-traceparent") or delivery.headers.get("traceparent")
        if traceparent:
            context = trace.get_current_span(extract({"traceparent": traceparent})).get_span_context()
            if context.is_valid:
                links.append(Link(context))
    return links
