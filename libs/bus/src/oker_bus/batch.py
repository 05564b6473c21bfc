"""Settling by the batch, for the fast lane: the same rows as one by one, in a few statements."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from oker_bus import store
from oker_bus.edge import Delivery
from oker_bus.store import Counts, Outcome, Quarantined
from oker_bus.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Ended:
    """How one message of a batch ended."""

    delivery: Delivery
    outcome: Outcome
    counts: Counts = field(default_factory=Counts)
    refusals: list[Quarantined] = field(default_factory=list)


async def already_settled(tx: Transaction, deliveries: Sequence[Delivery]) -> dict[tuple[str, int], Outcome]:
    """The outcomes of those messages of a batch that have ended before: redelivered, they change nothing.

    LATERAL, since a join planned while the table is young reads the whole table for every batch.
    """
    raw = await tx.raw()
    rows = await raw.fetch(
        "SELECT d.stream, d.sequence, s.outcome FROM unnest($2::text[], $3::bigint[], $4::timestamptz[]) "
        "AS d(stream, sequence, stored_at) "
        "CROSS JOIN LATERAL (SELECT outcome FROM settlement "
        "WHERE consumer = $1 AND stream = d.stream AND sequence = d.sequence AND stored_at = d.stored_at "
        "LIMIT 1) AS s",
        deliveries[0].consumer,
        [d.stream for d in deliveries],
        [d.sequence for d in deliveries],
        [d.stored_at for d in deliveries],
    )
    return {(row["stream"], row["sequence"]): row["outcome"] for row in rows}


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
    """Write the settlements of a batch and its quarantine; a sequence settled meanwhile fails the transaction."""
    if not ends:
        return
    raw = await tx.raw()
    columns = list(zip(*(_row(end) for end in ends), strict=True))
    await raw.execute(
        "INSERT INTO settlement (consumer, stream, sequence, stored_at, partner, outcome, read, stored, duplicate,"
        " corrected, quarantined, settled_at) SELECT $1, s.*, $12 FROM unnest($2::text[], $3::bigint[],"
        " $4::timestamptz[], $5::text[], $6::text[], $7::int[], $8::int[], $9::int[], $10::int[], $11::int[]) AS s",
        ends[0].delivery.consumer,
        *columns,
        tx.now,
    )
    refusals = [refusal for end in ends for refusal in _body_once(end.refusals)]
    await store.quarantine(tx.session, refusals)
    for refusal in refusals:
        tx.quarantine(refusal)


def _body_once(refusals: list[Quarantined]) -> list[Quarantined]:
    """The bytes of a message stand beside its first refusal only; it may have hundreds."""
    return [refusal if at == 0 else replace(refusal, body=b"") for at, refusal in enumerate(refusals)]


def _row(end: Ended) -> tuple[Any, ...]:
    d, c = end.delivery, end.counts
    readings = (c.read, c.stored, c.duplicate, c.corrected, c.quarantined)
    return (d.stream, d.sequence, d.stored_at, d.partner, end.outcome, *readings)
