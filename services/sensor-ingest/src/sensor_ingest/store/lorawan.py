"""What network servers said of LoRaWAN devices: append-only. How a device does is a query, and no row of its own.

So the events may come in any order, late and twice. The primary key leads to one device over a span of time, in order;
devices speak in about the order of time, so a batch touches one page of the index a device, however many rows there
are. The BRIN index finds a span of time of all devices and costs next to nothing.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, DateTime, Index, LargeBinary, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.store import run
from sensor_ingest.lorawan.event import NetworkEvent
from sensor_ingest.store.base import Base

Key = tuple[str, str, datetime, str]
"""Company, hardware, time and id: of these four there is one row."""


class LorawanEventRow(Base, table=True):
    """One event of one device, see :class:`sensor_ingest.lorawan.NetworkEvent`."""

    __tablename__ = "lorawan_event"
    __table_args__ = (Index("lorawan_event_time", "time", postgresql_using="brin"),)

    partner: str = Field(primary_key=True, sa_type=Text)
    hardware: str = Field(primary_key=True, sa_type=Text)
    time: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    id: str = Field(sa_column=Column(Text(collation="C"), primary_key=True))
    kind: str = Field(sa_type=Text)
    session: str | None = Field(default=None, sa_type=Text)
    f_cnt: int | None = Field(default=None, sa_type=BigInteger)
    f_port: int | None = Field(default=None, sa_type=SmallInteger)
    payload: bytes | None = Field(default=None, sa_type=LargeBinary)
    object: str | None = Field(default=None, sa_type=Text)
    """JSON of what the network server had decoded: text, since no column of JSON holds NUL."""
    state: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    recorded_at: datetime = Field(sa_type=DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Uplink:
    """A kept uplink, as it can be decoded again."""

    hardware: str
    time: datetime
    id: str
    f_port: int
    payload: bytes


INSERT_EVENTS = """
INSERT INTO lorawan_event
  (partner, hardware, time, id, kind, session, f_cnt, f_port, payload, object, state,
   recorded_at)
SELECT e.partner, e.hardware, e.time, e.id, e.kind, e.session, e.f_cnt, e.f_port, e.payload, e.object, e.state::jsonb,
       $12
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::bigint[],
            $8::smallint[], $9::bytea[], $10::text[], $11::text[])
  AS e(partner, hardware, time, id, kind, session, f_cnt, f_port, payload, object, state)
ON CONFLICT DO NOTHING
RETURNING partner, hardware, time, id
"""


async def save_events(raw: Any, events: Sequence[tuple[str, NetworkEvent]], now: datetime) -> set[Key]:
    """Insert the events of a batch in one statement; what is there already, or stands twice, is kept once.

    Args:
        raw: the asyncpg connection of the transaction.
        events: each with its company.
        now: the time of recording.

    Returns:
        The keys of those that were new.
    """
    if not events:
        return set()
    rows = sorted((_row(partner, event) for partner, event in events), key=lambda row: row[:4])
    found = await raw.fetch(INSERT_EVENTS, *zip(*rows, strict=True), now)
    return {(row["partner"], row["hardware"], row["time"], row["id"]) for row in found}


def _row(partner: str, e: NetworkEvent) -> tuple[Any, ...]:
    state = json.dumps(e.state, separators=(",", ":"))
    decoded = None if e.network_object is None else json.dumps(e.network_object, separators=(",", ":"))
    return (partner, e.hardware, e.time, e.id, e.kind, e.session, e.f_cnt, e.f_port, e.payload, decoded, state)


FIRST_TIMES = """
SELECT partner, hardware, id, min(e.time) AS time FROM lorawan_event AS e
JOIN unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) AS asked(partner, hardware, time, id)
  USING (partner, hardware, id)
WHERE e.time BETWEEN asked.time - $5::interval AND asked.time + $5::interval
GROUP BY partner, hardware, id
"""
TIMELESS = 3_718_204_917
"""The lock under which events without a time are taken, one batch after the other."""


async def first_times(raw: Any, keys: Collection[Key], within: timedelta) -> dict[tuple[str, str, str], datetime]:
    """When events that say no time were heard first, by company, hardware and id, not further away than ``within``.

    Until the end of the transaction no other one asks: of two copies at once, one would not see the other.

    Args:
        raw: the asyncpg connection of the transaction.
        keys: with the time at which each came in.
    """
    await raw.execute("SELECT pg_advisory_xact_lock($1)", TIMELESS)
    rows = await raw.fetch(FIRST_TIMES, *zip(*keys, strict=True), within)
    return {(row["partner"], row["hardware"], row["id"]): row["time"] for row in rows}


NETWORK_OBJECTS = """
SELECT partner, hardware, time, id, object FROM lorawan_event
JOIN unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) AS asked(partner, hardware, time, id)
  USING (partner, hardware, time, id)
WHERE object IS NOT NULL
"""


async def network_objects(raw: Any, keys: Collection[Key]) -> dict[Key, Any]:
    """What network servers had decoded of these uplinks, where they had.

    Args:
        raw: the asyncpg connection of the transaction.
    """
    found = await raw.fetch(NETWORK_OBJECTS, *zip(*keys, strict=True))
    return {(row["partner"], row["hardware"], row["time"], row["id"]): json.loads(row["object"]) for row in found}


STEPS = """
WITH heard AS (
  SELECT hardware, time, id, kind, session, f_cnt,
         count(*) FILTER (WHERE kind = 'join') OVER passed AS joins,
         kind = 'up' AND time - lag(time) OVER same < interval '30 seconds' AS repeated
  FROM lorawan_event
  WHERE partner = :partner AND kind IN ('up', 'join') AND time >= :since AND time <= :until AND {devices}
  WINDOW passed AS (PARTITION BY hardware ORDER BY time, f_cnt NULLS FIRST, id),
         same AS (PARTITION BY hardware, kind, session, f_cnt ORDER BY time, id)
), pairs AS (
  SELECT hardware, time, id, f_cnt, session, lag(time) OVER pair AS time_before, lag(f_cnt) OVER pair AS f_cnt_before,
         lag(session) OVER pair AS session_before, joins > lag(joins) OVER pair AS joined
  FROM heard WHERE kind = 'up' AND NOT coalesce(repeated, false)
  WINDOW pair AS (PARTITION BY hardware ORDER BY time, f_cnt, id)
), counted AS (
  SELECT *, CASE WHEN session IS DISTINCT FROM session_before OR (joined AND f_cnt <= f_cnt_before) THEN NULL
                 WHEN f_cnt > f_cnt_before THEN f_cnt - f_cnt_before - 1
                 WHEN f_cnt_before < 65536 AND f_cnt_before - f_cnt > 49152 THEN f_cnt + 65535 - f_cnt_before
                 ELSE -1 END AS missing
  FROM pairs WHERE f_cnt_before IS NOT NULL
), steps AS (
  SELECT hardware, time, id, time_before, f_cnt_before, f_cnt, greatest(missing, 0) AS missing,
         CASE WHEN missing IS NULL THEN 'rejoin' WHEN missing < 0 THEN 'reset' WHEN missing > 0 THEN 'gap' END AS step
  FROM counted
)
"""
"""From one uplink of a device to the next, in the order of the network server's time.

An uplink that comes again within half a minute under another id is the same frame, heard late by one more gateway. A
new session, or a counter that begins again after a join, is a rejoin. A counter of 16 bits begins again after 65535.
Any other counter that does not rise is a reset.
"""

COUNTS = """
SELECT h.hardware, h.uplinks, h.uplinks_24h, h.uplinks_7d, h.duplicates, h.joins,
       coalesce(s.gaps, 0) AS gaps, coalesce(s.missing, 0) AS missing,
       coalesce(s.resets, 0) AS resets, coalesce(s.rejoins, 0) AS rejoins
FROM (
  SELECT hardware,
         count(*) FILTER (WHERE up) AS uplinks,
         count(*) FILTER (WHERE up AND time > CAST(:until AS timestamptz) - interval '1 day') AS uplinks_24h,
         count(*) FILTER (WHERE up AND time > CAST(:until AS timestamptz) - interval '7 days') AS uplinks_7d,
         count(*) FILTER (WHERE repeated) AS duplicates,
         count(*) FILTER (WHERE kind = 'join') AS joins
  FROM (SELECT *, kind = 'up' AND NOT coalesce(repeated, false) AS up FROM heard) AS each
  GROUP BY hardware
) AS h LEFT JOIN (
  SELECT hardware,
         count(*) FILTER (WHERE step = 'gap') AS gaps,
         CAST(sum(missing) AS bigint) AS missing,
         count(*) FILTER (WHERE step = 'reset') AS resets,
         count(*) FILTER (WHERE step = 'rejoin') AS rejoins
  FROM steps GROUP BY hardware
) AS s USING (hardware)
ORDER BY h.hardware
"""

LAST_STEPS = """
SELECT step, time_before, time, f_cnt_before, f_cnt, missing
FROM (SELECT *, row_number() OVER (PARTITION BY step ORDER BY time DESC, id DESC) AS place FROM steps
      WHERE step IS NOT NULL) AS numbered
WHERE place <= :limit ORDER BY step, time DESC, id DESC
"""

LATEST = """
SELECT h.hardware, e.*
FROM unnest(CAST(:hardware AS text[])) AS h(hardware)
CROSS JOIN unnest(CAST(:kinds AS text[])) AS k(kind)
CROSS JOIN LATERAL (
  SELECT kind, time, f_cnt, f_port, session, state FROM lorawan_event
  WHERE partner = :partner AND hardware = h.hardware AND kind = k.kind AND time <= :until
        AND (k.kind = 'up' OR time >= :since)
  ORDER BY time DESC, id DESC LIMIT 1
) AS e
"""

UPLINKS = """
SELECT hardware, time, id, f_port, payload FROM lorawan_event
WHERE partner = :partner AND hardware = :hardware AND kind = 'up'
      AND (payload <> '' OR object IS NOT NULL)
      AND (time, id) > (:after_time, :after_id) AND time < :until
ORDER BY time, id LIMIT :limit
"""


async def counts(
    session: AsyncSession, partner: str, hardware: str | None, since: datetime, until: datetime
) -> dict[str, dict[str, Any]]:
    """Uplinks, gaps, resets, rejoins and duplicates of a span of time, by hardware; of all of it with ``None``."""
    query = STEPS.format(devices="true" if hardware is None else "hardware = :hardware") + COUNTS
    given = {"partner": partner, "since": since, "until": until} | ({"hardware": hardware} if hardware else {})
    rows = (await run(session, text(query), given)).mappings()
    return {row["hardware"]: {name: row[name] for name in row if name != "hardware"} for row in rows}


async def last_steps(
    session: AsyncSession, partner: str, hardware: str, since: datetime, until: datetime, limit: int
) -> list[dict[str, Any]]:
    """The last gaps, resets and rejoins of one device, each newest first, at most ``limit`` of each."""
    query = STEPS.format(devices="hardware = :hardware") + LAST_STEPS
    given = {"partner": partner, "hardware": hardware, "since": since, "until": until, "limit": limit}
    return [dict(row) for row in (await run(session, text(query), given)).mappings()]


async def latest(
    session: AsyncSession,
    partner: str,
    hardware: Collection[str],
    since: datetime,
    until: datetime,
    kinds: Sequence[str] = ("up", "status", "location"),
) -> dict[str, dict[str, dict[str, Any]]]:
    """The newest event of each kind, by hardware and kind: uplinks of all times, all else not before ``since``."""
    given = {"partner": partner, "hardware": sorted(hardware), "kinds": list(kinds), "since": since, "until": until}
    rows = (await run(session, text(LATEST).columns(state=JSONB), given)).mappings()
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["hardware"], {})[row["kind"]] = dict(row)
    return found


async def uplinks(
    session: AsyncSession, partner: str, hardware: str, after: tuple[datetime, str], until: datetime, limit: int
) -> list[Uplink]:
    """Kept uplinks that carry something, in the order of (time, id), after such a pair and before a time."""
    given = {
        "partner": partner,
        "hardware": hardware,
        "after_time": after[0],
        "after_id": after[1],
        "until": until,
        "limit": limit,
    }
    rows = await run(session, text(UPLINKS), given)
    return [Uplink(row.hardware, row.time, row.id, row.f_port, row.payload) for row in rows]
