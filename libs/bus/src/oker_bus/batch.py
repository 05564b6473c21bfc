"""Settling by the batch, for the fast lane: the same rows as one by one, in a few statements."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from oker_bus import days, store
from oker_bus.edge import Delivery, read, storable
from oker_bus.router import Heard
from oker_bus.store import Counts, Outcome, Quarantined, Said, bitmap
from oker_bus.transaction import Cause, Transaction
from oker_contracts import Reason, Refused

MAX_ROWS = 20
"""Refused readings of one message that get a row of quarantine each."""


class Ended(NamedTuple):
    """How one message of a batch ended.

    ``said`` is the identity of what was said where it is known better than from the envelope, as that of the reading
    in an MQTT message. ``parts`` are the outcomes of the message's readings in order, a refused one being
    ``quarantined``; only mending asks for them. ``refusals`` of readings are made by :func:`refusals_of`.
    """

    delivery: Delivery
    outcome: Outcome
    counts: Counts = Counts()
    refusals: Sequence[Quarantined] = ()
    said: Said | None = None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """How a service takes a message of one of its durables, for those who ask later.

    ``again`` takes it once more in a transaction that is given: it saves and announces, but settles and quarantines
    nothing, and returns how the message ends. It announces with ``tx.cause`` behind it, since what the message caused
    at first was announced under other ids. ``said`` tells the identity of what was said.

    Raises:
        Refused: nothing of the message can be accepted.
    """

    again: "Callable[[Delivery, Transaction], Awaitable[Ended]]"
    said: Callable[[Delivery], Said | None] = Delivery.said


def way_of(handlers: dict[str, Heard]) -> Way:
    """The way of a message whose handler takes it whole."""

    async def again(delivery: Delivery, tx: Transaction) -> Ended:
        event, handle = read(delivery, handlers)
        tx.cause = Cause.of(event)  # the handler's first attempt was rolled back, so its ids are free
        if not await store.take(tx.session, delivery.consumer, event.key):
            return Ended(delivery, "duplicate")
        await handle(event, tx)
        return Ended(delivery, "settled")

    return Way(again)


_SETTLE = f"""
WITH said AS (SELECT {days.filled(3)}, 1 AS weight FROM {days.unnest(3)}), kept AS (
  INSERT INTO settlement (consumer, stream, sequence, stored_at, partner, event_source, event_id, outcome,
    read, stored, duplicate, corrected, quarantined, settled_at)
  SELECT $1, stream, sequence, stored_at, partner, source, id, outcome,
    read, stored, duplicate, corrected, quarantined, $2 FROM said
) {days.ADD_UP}
"""  # noqa: S608


async def already_settled(tx: Transaction, deliveries: Sequence[Delivery]) -> dict[tuple[str, int], Outcome]:
    """The outcomes of those messages of a batch that have ended before: redelivered, they change nothing.

    Mostly none has, and all stand side by side in their stream: so a span of sequences is looked at.
    """
    raw = await tx.raw()
    of = {stream: [d.sequence for d in deliveries if d.stream == stream] for stream in {d.stream for d in deliveries}}
    rows = [
        (stream, row)
        for stream, sequences in of.items()
        for row in await raw.fetch(*_settled_query(deliveries[0].consumer, stream, sequences))
    ]
    if not rows:
        return {}
    asked = {(*delivery.position, delivery.stored_at) for delivery in deliveries}
    ended = {(stream, row["sequence"], row["stored_at"]): row["outcome"] for stream, row in rows}
    return {position[:2]: outcome for position, outcome in ended.items() if position in asked}


def _settled_query(consumer: str, stream: str, sequences: list[int]) -> tuple[Any, ...]:
    """By span; sequences that are far apart are asked for one by one."""
    first, last = min(sequences), max(sequences)
    head = "SELECT sequence, stored_at, outcome FROM settlement WHERE consumer = $1 AND stream = $2"
    if last - first > 4 * len(sequences) + 100:
        return f"{head} AND sequence = ANY($3::bigint[])", consumer, stream, sequences
    return f"{head} AND sequence BETWEEN $3 AND $4", consumer, stream, first, last


async def already_taken(tx: Transaction, consumer: str, keys: Collection[UUID]) -> set[UUID]:
    """Those of these events that the durable has taken before."""
    if not keys:
        return set()
    raw = await tx.raw()
    found = "SELECT event_key FROM inbox WHERE consumer = $1 AND event_key = ANY($2::uuid[])"
    return {row["event_key"] for row in await raw.fetch(found, consumer, list(keys))}


async def save_taken(tx: Transaction, consumer: str, keys: Collection[UUID]) -> None:
    """Claim these events for the durable; one taken meanwhile by another replica fails the transaction."""
    if keys:
        raw = await tx.raw()
        taken = "INSERT INTO inbox (consumer, event_key) SELECT $1, unnest($2::uuid[])"
        await raw.execute(taken, consumer, sorted(keys))


async def save_ends(tx: Transaction, ends: Sequence[Ended]) -> None:
    """Write the settlements of a batch, count them, and write its quarantine.

    A sequence settled meanwhile fails the transaction.
    """
    if not ends:
        return
    raw = await tx.raw()
    columns = zip(*(_row(end) for end in ends), strict=True)
    once = (column[:1] if column.count(column[0]) == len(column) else column for column in columns)
    await raw.execute(_SETTLE, ends[0].delivery.consumer, tx.now, *once)
    refusals = [refusal for end in ends for refusal in end.refusals]
    if not refusals:
        return
    await store.quarantine(tx.session, refusals)
    for refusal in refusals:
        tx.quarantine(refusal)


def refusals_of(delivery: Delivery, refused: Sequence[tuple[int, Refused]], at: datetime) -> list[Quarantined]:
    """The refused readings of a message as rows: it may have tens of thousands.

    Each of the first gets a row of its own, the further ones one for each reason. Headers and bytes stand beside the
    first only.

    Args:
        refused: by part, in order.
    """
    if not refused:
        return []
    part, why = refused[0]
    first = delivery.quarantined(why, at, part)
    rest: dict[Reason, list[tuple[int, Refused]]] = {}
    for row in refused[MAX_ROWS:]:
        rest.setdefault(row[1].reason, []).append(row)
    alone = [_further(first, [row]) for row in refused[1:MAX_ROWS]]
    return [first, *alone, *(_further(first, rows) for rows in rest.values())]


def _further(first: Quarantined, refused: Sequence[tuple[int, Refused]]) -> Quarantined:
    """A row for readings that are refused for one reason; path and detail are those of the first of them."""
    part, why = refused[0]
    reason, path, detail = str(why.reason), storable(why.path), storable(why.detail)
    parts = bitmap(part for part, _ in refused) if len(refused) > 1 else None
    return replace(first, part=part, parts=parts, reason=reason, path=path, detail=detail, headers={}, body=b"")


def _row(end: Ended) -> tuple[Any, ...]:
    d, c = end.delivery, end.counts
    source, id = end.said or d.said() or (None, None)
    readings = (c.read, c.stored, c.duplicate, c.corrected, c.quarantined)
    return (d.stream, d.sequence, d.stored_at, d.partner, source, id, end.outcome, *readings)
