"""The ledger by company, source and day: settlements added up in the transaction that writes them."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple

from oker_bus.store import Settled
from oker_bus.transaction import Transaction

MAX_SOURCES = 10_000
"""Sources of a company that get rows of their own on one day: they are strangers' strings, and bounded therefore."""
OTHER = "(other)"
"""Stands for all further ones."""
DAY = "(stored_at AT TIME ZONE 'Europe/Berlin')::date"
"""The day of a settlement, as PostgreSQL says it: the city's, with its clock changes."""
COLUMNS = (
    "stream text, sequence bigint, stored_at timestamptz, partner text, source text, id text, outcome text,"
    " read int, stored int, duplicate int, corrected int, quarantined int"
)
"""Of the relation ``said``: one row a message."""
COUNTS = ("messages_settled", "messages_duplicate", "messages_quarantined")
READINGS = ("read", "stored", "duplicate", "corrected", "quarantined")
_SUMS = ", ".join(
    [
        *(f"coalesce(sum(weight) FILTER (WHERE outcome = '{name[9:]}'), 0)::bigint AS {name}" for name in COUNTS),
        *(f"sum(weight * {name})::bigint AS {name}" for name in READINGS),
        "min(sequence) AS first, max(sequence) AS last",
    ]
)
_NAMES = (*COUNTS, *READINGS)
ADD_UP = f"""
, sums AS (
  SELECT coalesce(partner, '') AS partner, {DAY} AS day, stream, coalesce(source, '') AS source, {_SUMS}
  FROM said GROUP BY 1, 2, 3, 4
), known AS (
  SELECT sums.*, coalesce((SELECT true FROM ledger_day AS l WHERE l.consumer = $1 AND l.stream = sums.stream
    AND l.partner = sums.partner AND l.day = sums.day AND l.source = sums.source LIMIT 1), false) AS known
  FROM sums
), room AS MATERIALIZED (
  SELECT k.*, (SELECT count(*) FROM (SELECT 1 FROM ledger_day AS l WHERE l.consumer = $1 AND l.stream = k.stream
    AND l.partner = k.partner AND l.day = k.day LIMIT {MAX_SOURCES}) AS counted) < {MAX_SOURCES} AS room
  FROM (SELECT DISTINCT stream, partner, day FROM known WHERE NOT known) AS k
)
INSERT INTO ledger_day AS l (consumer, stream, partner, day, source, {", ".join(_NAMES)},
  erased_stored, erased_corrected, first, last)
SELECT $1, k.stream, k.partner, k.day, CASE WHEN k.known OR r.room THEN k.source ELSE '{OTHER}' END,
  {", ".join(f"sum(k.{name})" for name in _NAMES)}, 0, 0, min(k.first), max(k.last)
FROM known AS k LEFT JOIN room AS r USING (stream, partner, day)
GROUP BY 1, 2, 3, 4, 5 ORDER BY 2, 3, 4, 5
ON CONFLICT (consumer, stream, partner, day, source) DO UPDATE SET
  {", ".join(f"{name} = l.{name} + excluded.{name}" for name in _NAMES)},
  first = least(l.first, excluded.first), last = greatest(l.last, excluded.last)
"""  # noqa: S608
"""Adds the rows of ``said``, each by its ``weight``; in the order of the key, so that replicas cannot deadlock.

A source whose first message found no room stays in ``(other)`` for the day, since rows are never taken away.
"""


def unnest(first: int, *more: str) -> str:
    """The relation ``said`` from parameters, one array a column.

    Args:
        first: number of the first of these parameters.
        more: further columns, as in :data:`COLUMNS`.
    """
    columns = [column.split() for column in [*COLUMNS.split(", "), *more]]
    arrays = ", ".join(f"${first + place}::{kind}[]" for place, (_, kind) in enumerate(columns))
    return f"unnest({arrays}) AS s({', '.join(name for name, _ in columns)})"


def filled(first: int) -> str:
    """The columns of ``said``, where an array of one stands for a column that says the same in each row."""
    columns = [column.split() for column in COLUMNS.split(", ")]
    return ", ".join(
        f"CASE WHEN cardinality(${number}::{kind}[]) = 1 THEN (${number}::{kind}[])[1] ELSE s.{name} END AS {name}"
        for number, (name, kind) in enumerate(columns, first)
    )


_ADD = f"WITH said AS (SELECT * FROM {unnest(2, 'weight int')}) {ADD_UP}"  # noqa: S608


def row(settled: Settled) -> tuple[Any, ...]:
    """A settlement as a row of ``said``."""
    source, id = settled.said or (None, None)
    where = (settled.stream, settled.sequence, settled.stored_at, settled.partner)
    c = settled.counts
    return (*where, source, id, settled.outcome, c.read, c.stored, c.duplicate, c.corrected, c.quarantined)


async def add(tx: Transaction, added: Sequence[Settled], taken: Sequence[Settled] = ()) -> None:
    """Count the ends of messages of one durable; ``taken`` are ends that no longer hold (a mended message)."""
    rows = [(*row(settled), 1) for settled in added] + [(*row(settled), -1) for settled in taken]
    raw = await tx.raw()
    await raw.execute(_ADD, added[0].consumer, *zip(*rows, strict=True))


_ERASE = f"""
INSERT INTO ledger_day AS l (consumer, stream, partner, day, source, {", ".join(_NAMES)},
  erased_stored, erased_corrected)
SELECT $1, $2, $3, e.day, '', {", ".join("0" for _ in _NAMES)}, sum(e.stored), sum(e.corrected)
FROM unnest($4::date[], $5::bigint[], $6::bigint[]) AS e(day, stored, corrected) GROUP BY e.day ORDER BY e.day
ON CONFLICT (consumer, stream, partner, day, source) DO UPDATE SET
  erased_stored = l.erased_stored + excluded.erased_stored,
  erased_corrected = l.erased_corrected + excluded.erased_corrected
"""  # noqa: S608


class Erased(NamedTuple):
    """Observations that were deleted because their time is over."""

    day: date
    """on which they were recorded (Europe/Berlin)"""
    stored: int
    """keys (datastream, phenomenon time) that no longer have a value"""
    corrected: int
    """deleted values beyond one a key"""


async def erase(tx: Transaction, consumer: str, partner: str, erased: Iterable[Erased]) -> None:
    """Leave the counts of what is deleted in this transaction: ``stored = recounted + erased``.

    Args:
        consumer: the durable through which the values came.
    """
    rows = sorted(erased)
    if not rows:
        return
    raw = await tx.raw()
    await raw.execute(
        _ERASE,
        consumer,
        f"IN_{partner}",
        partner,
        *zip(*rows, strict=True),
    )
