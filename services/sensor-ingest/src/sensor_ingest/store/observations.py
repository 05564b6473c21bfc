"""Observations: append-only, partitioned by month.

The primary key starts with the datastream and goes on with the time: readings come about in the order of time, so a
batch touches one page of the index a datastream, however many rows there are; and one datastream over a span of time
is one range of it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Double, Text, text
from sqlmodel import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.store import run
from sensor_ingest.domain import EventRow, Observation
from sensor_ingest.store.base import Base

LOCK_DATASTREAMS = 0x6473
"""Advisory lock, held until the commit: replicas do not decide at once on one datastream."""
DATASTREAM_LOCKS = 64


class ObservationRow(Base, table=True):
    """Every value ever accepted; of one datastream and time the greatest (result_time, source, id) counts.

    Append-only: what was known at a time is what was recorded until then.
    """

    __tablename__ = "observation"
    __table_args__ = ({"postgresql_partition_by": "RANGE (phenomenon_time)"},)

    datastream: UUID = Field(primary_key=True)
    phenomenon_time: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    event_key: UUID = Field(primary_key=True)
    result_time: datetime = Field(sa_type=DateTime(timezone=True))
    value: float = Field(sa_type=Double)
    event_source: str = Field(sa_type=Text)
    event_id: str = Field(sa_type=Text)
    recorded_at: datetime = Field(sa_type=DateTime(timezone=True))
    reported_value: float | None = Field(default=None, sa_type=Double)
    reported_unit: str | None = Field(default=None, sa_type=Text)


INSERT = """
INSERT INTO observation
  (datastream, phenomenon_time, event_key, result_time, value, event_source, event_id, recorded_at,
   reported_value, reported_unit)
SELECT o.datastream, r.phenomenon_time, r.event_key, r.result_time, o.value, r.event_source, r.event_id,
       $11::timestamptz, o.reported_value, o.reported_unit
FROM unnest($6::int[], $7::uuid[], $8::float8[], $9::float8[], $10::text[])
  AS o(number, datastream, value, reported_value, reported_unit)
JOIN (
  SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[])
  WITH ORDINALITY AS r(phenomenon_time, event_key, result_time, event_source, event_id, number)
) AS r USING (number)
ON CONFLICT DO NOTHING
"""
"""The readings of a batch by number, and their values: what a reading says once is sent once."""

INSERT_AND_TELL = f"""
WITH inserted AS ({INSERT} RETURNING datastream, phenomenon_time, event_key)
SELECT i.*, coalesce((SELECT true FROM observation o WHERE o.datastream = i.datastream
                      AND o.phenomenon_time = i.phenomenon_time
                      AND o.phenomenon_time >= $12 AND o.phenomenon_time <= $13 LIMIT 1), false) AS known
FROM inserted i
"""  # noqa: S608
"""The query around the insert sees the table as it was before it: `known` means known before this batch.

No EXISTS, since a plan made while the table is young answers it by reading the whole table for every batch. The span of
the batch ($12 to $13) leaves all partitions alone that it does not touch.
"""

NOT_THE_NEWEST = """
SELECT s.id FROM unnest($1::uuid[], $2::timestamptz[]) AS s(id, first)
CROSS JOIN LATERAL (SELECT FROM observation o WHERE o.datastream = s.id AND o.phenomenon_time >= s.first
                    AND o.phenomenon_time >= $3 ORDER BY o.phenomenon_time DESC LIMIT 1) AS later
"""
"""Datastreams that have a value of the batch's first time or later. Where there is none, all of the batch is new, and
nobody needs to be told row by row, which costs more than the insert: readings mostly come in the order of time."""

CURRENT = """
SELECT DISTINCT ON (o.phenomenon_time) o.phenomenon_time, o.result_time, o.value, o.event_source, o.event_id,
       o.recorded_at, o.reported_value, o.reported_unit
FROM observation o
WHERE o.datastream = :datastream AND o.recorded_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity')
ORDER BY o.phenomenon_time DESC, o.result_time DESC, o.event_source COLLATE "C" DESC, o.event_id COLLATE "C" DESC
LIMIT :limit
"""

RECOUNT = """
SELECT d.partner, CAST(sum(o.values) AS bigint) AS values, CAST(sum(o.keys) AS bigint) AS keys
FROM (
  SELECT datastream, count(*) AS values, count(DISTINCT phenomenon_time) AS keys FROM observation GROUP BY datastream
) AS o
JOIN datastream d ON d.id = o.datastream GROUP BY d.partner
"""
"""By datastream first, in the order of the primary key: nothing has to be sorted."""


async def insert_observations(
    raw: Any, observations: Sequence[Observation], now: datetime
) -> dict[EventRow, bool] | None:
    """Insert a batch.

    Args:
        raw: the asyncpg connection of the transaction.
        observations: those of one reading stand together.
        now: the time of recording.

    Returns:
        The rows that were new; the value says whether their natural key was known before. ``None``: all were new, and
        no natural key was known.
    """
    buckets = sorted({id.int % DATASTREAM_LOCKS for id in {o.datastream.id for o in observations}})
    lock = "SELECT pg_advisory_xact_lock($1, bucket) FROM unnest($2::int[]) AS bucket"
    await raw.execute(lock, LOCK_DATASTREAMS, buckets)
    mixed = await _not_the_newest(raw, observations)
    newest = [o for o in observations if o.datastream.id not in mixed] if mixed else observations
    found: dict[EventRow, bool] = {}
    if newest:
        status = await raw.execute(INSERT, *_columns(newest), now)
        if not mixed and int(status.rsplit(" ", 1)[1]) == len(newest):
            return None
        found = dict.fromkeys((o.row for o in newest), False)
    if mixed:
        rest = [o for o in observations if o.datastream.id in mixed]
        times = [o.reading.phenomenon_time for o in rest]
        rows = await raw.fetch(INSERT_AND_TELL, *_columns(rest), now, min(times), max(times))
        found |= {(row[0], row[1], row[2]): row[3] for row in rows}
    return found


async def _not_the_newest(raw: Any, observations: Sequence[Observation]) -> set[UUID]:
    firsts: dict[UUID, datetime] = {}
    for reading, stream, _, _ in observations:
        at = firsts.get(stream.id)
        if at is None or reading.phenomenon_time < at:
            firsts[stream.id] = reading.phenomenon_time
    rows = await raw.fetch(NOT_THE_NEWEST, list(firsts), list(firsts.values()), min(firsts.values()))
    return {row[0] for row in rows}


def _columns(observations: Sequence[Observation]) -> list[list[Any]]:
    """The readings and their values, as :data:`INSERT` takes them."""
    readings = list({id(o.reading): o.reading for o in observations}.values())
    place = {id(reading): number for number, reading in enumerate(readings, 1)}
    numbers = [place[id(o.reading)] for o in observations]
    converted = any(o.reported for o in observations)
    return [
        [r.phenomenon_time for r in readings],
        [r.event_key for r in readings],
        [r.result_time for r in readings],
        [r.event_source for r in readings],
        [r.event_id for r in readings],
        numbers,
        [o.datastream.id for o in observations],
        [o.value for o in observations],
        [o.reported and o.reported[0] for o in observations] if converted else [],
        [o.reported and o.reported[1] for o in observations] if converted else [],
    ]


async def observations(
    session: AsyncSession, datastream: UUID, known_at: datetime | None, limit: int
) -> list[dict[str, Any]]:
    """The values of one datastream, newest first: what counts now, or counted by what was known at a time."""
    parameters = {"datastream": datastream, "known_at": known_at, "limit": limit}
    return [dict(row) for row in (await run(session, text(CURRENT), parameters)).mappings()]


async def recount(session: AsyncSession) -> dict[str, dict[str, int]]:
    """Readings by company, counted anew from the observations: what the ledger must agree with."""
    rows = (await run(session, text(RECOUNT))).mappings()
    return {row["partner"]: {"stored": row["keys"], "corrected": row["values"] - row["keys"]} for row in rows}
