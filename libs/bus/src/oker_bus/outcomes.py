"""What became of an event: the answer to its sender by source and id, whichever way it came."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Query
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.bus import Bus
from oker_bus.edge import Delivery
from oker_bus.router import matches, stream_of
from oker_bus.store import Counts, Said, parts_of, ranges, run
from oker_contracts import catalog
from oker_contracts.base import Slug
from oker_identity import Holder, require

MAX_ASKED = 1_000
MAX_SETTLEMENTS = 100
"""Of one identity: it may have been sent as often as anybody liked."""
MAX_WAITING, MAX_WAITING_BYTES, SEARCH_SECONDS = 5_000, 32_000_000, 5.0
"""What is looked through for messages that have not ended, and how long: a company may have a million of them."""
AT_ONCE = 250
AT_ONCE_BYTES = 2_000_000
ANSWER_SECONDS = 2.0
MAX_SPAN = 100_000
"""Sequences that one look at the settlements passes over."""
MAX_REFUSALS, MAX_REFUSALS_OF_MANY = 100, 10
"""Shown of each end, where one event is asked for, or many."""
FOUND = """
SELECT asked.place, s.consumer, s.stream, s.sequence, s.stored_at, s.settled_at, s.outcome,
       s.read, s.stored, s.duplicate, s.corrected, s.quarantined
FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) WITH ORDINALITY AS asked(source, id, place)
CROSS JOIN LATERAL (
  SELECT * FROM settlement AS s WHERE s.partner = :partner AND left(s.event_id, 64) = left(asked.id, 64) COLLATE "C"
    AND s.event_id = asked.id AND s.event_source = asked.source LIMIT :most
) AS s ORDER BY asked.place, s.stored_at, s.sequence
"""
REFUSALS = """
SELECT q.consumer, q.stream, q.sequence, q.stored_at, q.part, q.reason AS code, q.path, q.detail, q.id AS quarantine,
       q.mended_at, q.parts, coalesce(bit_count(q.parts), least(q.part, 1)) AS readings
FROM unnest(CAST(:consumers AS text[]), CAST(:streams AS text[]), CAST(:sequences AS bigint[]),
            CAST(:stored_ats AS timestamptz[])) AS s(consumer, stream, sequence, stored_at)
CROSS JOIN LATERAL (
  SELECT * FROM quarantine AS q WHERE q.consumer = s.consumer AND q.stream = s.stream AND q.sequence = s.sequence
    AND q.stored_at = s.stored_at ORDER BY q.part LIMIT :most
) AS q ORDER BY q.part
"""
SETTLED_UNTIL = """
SELECT max(sequence) FROM (
  SELECT sequence, sequence - row_number() OVER (ORDER BY sequence) AS before FROM (
    SELECT DISTINCT sequence FROM settlement WHERE consumer = :consumer AND stream = :stream
      AND sequence BETWEEN :first AND :last AND stored_at >= :since) AS settled) AS run
WHERE before = CAST(:first AS bigint) - 1
"""
"""The last of the settled sequences that follow each other without a gap from the first on."""
EVER = datetime.min.replace(tzinfo=UTC)
PLACE = ("consumer", "stream", "sequence", "stored_at")


def word(outcome: str, counts: Counts) -> str:
    """The end of a message in one word: ``stored``, ``duplicate``, ``corrected``, ``quarantined``.

    Or ``partly``: some of its readings are in quarantine; or ``settled``: it was accepted and has no readings.
    """
    if outcome != "settled":
        return outcome
    if counts.quarantined:
        return "partly"
    if counts.stored:
        return "stored"
    return "corrected" if counts.corrected else "settled"


async def ends(session: AsyncSession, partner: str, asked: Sequence[Said]) -> list[list[dict[str, Any]]]:
    """The ends of each event asked for, the earliest first; it may have been sent more than once."""
    said = {"partner": partner, "most": MAX_SETTLEMENTS}
    said |= {"sources": [source for source, _ in asked], "ids": [id for _, id in asked]}
    rows = (await run(session, text(FOUND), said)).mappings().all()
    refusals = await _refusals(session, rows, MAX_REFUSALS if len(asked) == 1 else MAX_REFUSALS_OF_MANY)
    found: list[list[dict[str, Any]]] = [[] for _ in asked]
    for row in rows:
        found[row["place"] - 1].append(_shown(row, refusals.get(_place(row), [])))
    return found


def _place(row: Any) -> tuple[Any, ...]:
    return tuple(row[name] for name in PLACE)


async def _refusals(session: AsyncSession, rows: Sequence[Any], most: int) -> dict[tuple[Any, ...], list[Any]]:
    found: dict[tuple[Any, ...], list[Any]] = {}
    if not rows:
        return found
    asked: dict[str, Any] = {f"{name}s": [row[name] for row in rows] for name in PLACE} | {"most": most}
    for row in (await run(session, text(REFUSALS), asked)).mappings():
        said = {name: row[name] for name in row if name not in PLACE}
        said["parts"] = ranges(parts_of(row["part"], row["parts"]))
        found.setdefault(_place(row), []).append(said)
    return found


def _shown(row: Any, refusals: list[Any]) -> dict[str, Any]:
    counts = Counts(*(row[name] for name in Counts._fields))
    return {
        "outcome": word(row["outcome"], counts),
        "readings": {name: getattr(counts, name) for name in Counts._fields},
        "refusals": refusals,
        **{name: row[name] for name in ("stream", "sequence", "stored_at", "settled_at")},
    }


def _waits(delivery: Delivery) -> dict[str, Any]:
    where = {"stream": delivery.stream, "sequence": delivery.sequence, "stored_at": delivery.stored_at}
    return {"outcome": "pending", "readings": None, "refusals": [], **where, "settled_at": None}


@dataclass(slots=True)
class Budget:
    """What is left of a search."""

    until: float
    """By the clock of the event loop."""
    messages: int
    bytes: int
    looked: int = 0
    is_spent: bool = False
    """Whether it ended before the end of the stream."""

    @classmethod
    def new(cls) -> "Budget":
        """One search from now on."""
        until = asyncio.get_running_loop().time() + SEARCH_SECONDS
        return cls(until, MAX_WAITING, MAX_WAITING_BYTES)

    def has_room(self) -> bool:
        """Whether to look on."""
        late = asyncio.get_running_loop().time() > self.until
        self.is_spent = late or self.looked >= self.messages or self.bytes <= 0
        return not self.is_spent


async def waiting(bus: Bus, consumer: str, partner: str, budget: Budget) -> AsyncIterator[Delivery]:
    """The messages of a company that a durable has not settled yet, the oldest first, as far as the budget goes.

    What is settled behind one that waits long is passed over by the table of settlements, not read.
    """
    stream = f"IN_{partner}"
    try:
        info = await bus.jetstream.consumer_info(stream, consumer)
        since = (await bus.jetstream.stream_info(stream)).created or EVER
    except (NatsError, APIError, TimeoutError):
        return
    if not (info.num_pending or info.num_ack_pending):
        return
    heard = info.config.filter_subjects or [info.config.filter_subject or ">"]
    sequence = (info.ack_floor.stream_seq if info.ack_floor else 0) + 1
    while budget.has_room():
        sequence = await _unsettled_from(bus, consumer, stream, sequence, since)
        messages = [msg async for msg in _messages_from(bus.nats, stream, sequence)]
        if not messages:
            return
        for delivery in (_delivery(msg, consumer, partner) for msg in messages):
            budget.looked += 1
            budget.bytes -= len(delivery.body)
            if any(matches(pattern, delivery.subject) for pattern in heard):
                yield delivery
        sequence = _sequence(messages[-1]) + 1


async def _unsettled_from(bus: Bus, consumer: str, stream: str, sequence: int, since: datetime) -> int:
    """The first sequence from this one on that has not ended, or one that is not far before it."""
    said = {"consumer": consumer, "stream": stream, "first": sequence, "last": sequence + MAX_SPAN, "since": since}
    async with bus.sessions() as session:
        last = (await run(session, text(SETTLED_UNTIL), said)).scalar_one()
    return sequence if last is None else int(last) + 1


async def _messages_from(nats: Client, stream: str, sequence: int) -> AsyncIterator[Msg]:
    """A batch of messages straight from the stream, without a consumer (NATS, ADR-31)."""
    inbox = nats.new_inbox()
    subscription = await nats.subscribe(inbox)
    wanted = {"seq": sequence, "batch": AT_ONCE, "max_bytes": AT_ONCE_BYTES}
    try:
        await nats.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(wanted).encode(), reply=inbox)
        with suppress(TimeoutError, NatsError):
            while True:
                msg = await subscription.next_msg(ANSWER_SECONDS)
                if "Nats-Sequence" not in (msg.headers or {}):
                    return  # the end of the batch, or nothing there
                yield msg
    finally:
        await subscription.unsubscribe()


def _sequence(msg: Msg) -> int:
    return int((msg.headers or {})["Nats-Sequence"])


def _delivery(msg: Msg, consumer: str, partner: str) -> Delivery:
    headers = dict(msg.headers or {})
    return Delivery(
        consumer=consumer,
        stream=headers["Nats-Stream"],
        sequence=_sequence(msg),
        partner=partner,
        subject=headers["Nats-Subject"],
        headers=headers,
        body=msg.data,
        stored_at=_instant(headers["Nats-Time-Stamp"]),
        deliveries=1,
    )


def _instant(said: str) -> datetime:
    """RFC 3339 with nanoseconds; Python reads microseconds."""
    whole, _, rest = said.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{rest[:6]:0<6}+00:00")


def claims_durables(service: str) -> list[str]:
    """The durables through which a service hears companies."""
    heard = {consumer for entry in catalog().claims() for consumer in entry.consumers}
    return sorted(consumer for consumer in heard if consumer.startswith(f"{service}-"))


class Asked(BaseModel):
    """The identity of an event."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(max_length=512)
    id: str = Field(max_length=512)


Asks = Annotated[Holder, Depends(require("partner", "unit", "auditor"))]
Many = Annotated[list[Asked], Body(min_length=1, max_length=MAX_ASKED)]


def outcomes_api(bus: Bus) -> APIRouter:
    """``GET`` and ``POST /outcomes`` of a service that hears companies: a company asks for its own events."""
    router = APIRouter(tags=["outcomes"])
    searches: dict[str, asyncio.Lock] = {}

    @router.get("/outcomes")
    async def outcomes(
        holder: Asks,
        source: Annotated[str, Query(max_length=512)],
        id: Annotated[str, Query(max_length=512)],
        partner: Slug | None = None,
    ) -> list[dict[str, Any]]:
        """How an event has ended, each time that it was sent; ``pending`` while it waits."""
        whose = _whose(holder, partner)
        (found,), looked = await _answer(bus, searches, whose, [(source, id)])
        if not found:
            raise HTTPException(404, _not_found(bus, whose, (source, id), looked))
        return found

    @router.post("/outcomes")
    async def many_outcomes(holder: Asks, asked: Many, partner: Slug | None = None) -> list[dict[str, Any]]:
        """The same for up to 1,000 events, in the order asked; ``unknown`` is one that is not found."""
        whose = _whose(holder, partner)
        found, _ = await _answer(bus, searches, whose, [(event.source, event.id) for event in asked])
        return [
            {"source": event.source, "id": event.id, "outcome": _summary(ends), "ends": ends}
            for event, ends in zip(asked, found, strict=True)
        ]

    return router


def _summary(ends: list[dict[str, Any]]) -> str:
    """Of an event that was sent several times: what was accepted first; otherwise how it ended last."""
    words = [end["outcome"] for end in ends]
    accepted = (word for word in words if word not in ("quarantined", "pending", "duplicate"))
    return next(accepted, words[-1] if words else "unknown")


def _whose(holder: Holder, asked: str | None) -> str:
    partner = holder.partner or asked
    if partner is None:
        raise HTTPException(422, "Name the company: ?partner=….")
    if asked not in (None, partner):
        raise HTTPException(403, f"You speak for {partner} and learn the outcome of its events only.")
    return partner


def _not_found(bus: Bus, partner: str, asked: Said, looked: Budget) -> str:
    source, id = asked
    which = f"the first {looked.looked}" if looked.is_spent else "all"
    more = " More wait behind them: ask again later." if looked.is_spent else ""
    where = f"the settlements of {bus.service} and {which} waiting messages of IN_{partner}"
    return f"No event {id!r} of source {source!r}; looked at: {where}.{more}"


async def _answer(
    bus: Bus, searches: dict[str, asyncio.Lock], partner: str, asked: list[Said]
) -> tuple[list[list[dict[str, Any]]], Budget]:
    """Ended, or waiting; one search of a company's stream at a time, since it reads thousands of messages."""
    found = await _ends(bus, partner, asked)
    if all(found):
        return found, Budget.new()
    missing = {said for said, ends in zip(asked, found, strict=True) if not ends}
    async with searches.setdefault(partner, asyncio.Lock()):
        budget = Budget.new()
        waits = await _search(bus, partner, missing, budget)
    late = await _ends(bus, partner, asked)  # it may have ended during the search
    return [ended or waits.get(said, []) for said, ended in zip(asked, late, strict=True)], budget


async def _ends(bus: Bus, partner: str, asked: list[Said]) -> list[list[dict[str, Any]]]:
    clean = [(source.replace("\x00", ""), id.replace("\x00", "")) for source, id in asked]
    async with bus.sessions() as session:
        return await ends(session, partner, clean)


async def _search(bus: Bus, partner: str, missing: set[Said], budget: Budget) -> dict[Said, list[dict[str, Any]]]:
    found: dict[Said, list[dict[str, Any]]] = {}
    for consumer, way in bus.ways.items():
        if stream_of(consumer) != "IN_*":
            continue
        async for delivery in waiting(bus, consumer, partner, budget):
            said = way.said(delivery)
            if said in missing:
                found.setdefault(said, []).append(_waits(delivery))
            await asyncio.sleep(0)  # a search must not hold up the intake
    return found
