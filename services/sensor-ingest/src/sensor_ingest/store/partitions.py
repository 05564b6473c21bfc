"""Partitions of the observations, a month (UTC) each, as ``observation_2026_01``.

Each is made and attached in one short transaction of its own: all of it or nothing, visible to others at once, and its
locks end with it. ``ATTACH PARTITION`` locks the table against other changes of its kind only (SHARE UPDATE EXCLUSIVE).
``CREATE TABLE … PARTITION OF`` would wait for every reader, a backup included, and all intake would wait behind it
(ACCESS EXCLUSIVE).
"""

from collections.abc import Set
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.store import run
from sensor_ingest.domain import Month

Sessions = async_sessionmaker[AsyncSession]
LOCK_PARTITIONS = 0x7061
"""Advisory lock: replicas make partitions one after the other."""
LOCK_SECONDS = 3.0
"""For what else changes the table (a migration, another replica, ANALYZE); then it fails, and is tried again."""
MONTHS_AHEAD = 3

PARTITIONS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'observation'::regclass AND NOT i.inhdetachpending AND c.relname ~ '^observation_[0-9]{4}_[0-9]{2}$'
"""

MAKE_PARTITION = """
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('{name}') AND NOT inhdetachpending) THEN
    RETURN;  -- another replica was first
  END IF;
  IF to_regclass('{name}') IS NOT NULL THEN
    RAISE EXCEPTION 'the table {name} is no partition of observation, so readings of this month find no place; '
      'attach it again, rename it or drop it' USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  CREATE TABLE {name} (LIKE observation INCLUDING ALL);
  ALTER TABLE observation ATTACH PARTITION {name}
    FOR VALUES FROM ('{first} 00:00:00+00') TO ('{after} 00:00:00+00');
END $$
"""


async def make_partitions(sessions: Sessions, months: Set[Month]) -> None:
    """Make the partitions of these months, where they are missing.

    Raises:
        DBAPIError: a lock was not to be had within some seconds (SQLSTATE 55P03), or a table of this name exists
            that is no partition (55000); an outage in any case, so that messages wait and are not buried.
    """
    missing = months - await _partitioned(sessions) if months else months
    if not missing:
        return
    async with sessions() as session, session.begin():
        await run(session, text(f"SET LOCAL lock_timeout = {LOCK_SECONDS * 1_000:.0f}"))
        await run(session, text("SELECT pg_advisory_xact_lock(:lock, 0)"), {"lock": LOCK_PARTITIONS})
        for year, month in sorted(missing):
            after = f"{year + month // 12:04}-{month % 12 + 1:02}-01"
            made = {"name": f"observation_{year:04}_{month:02}", "first": f"{year:04}-{month:02}-01", "after": after}
            await run(session, text(MAKE_PARTITION.format(**made)))


async def make_partitions_ahead(sessions: Sessions, now: datetime) -> None:
    """Make the partitions of this month (UTC) and the next two, so that no reading has to wait for one.

    Raises:
        DBAPIError: see :func:`make_partitions`.
    """
    this = now.astimezone(UTC)
    ahead = [this.year * 12 + this.month - 1 + later for later in range(MONTHS_AHEAD)]
    await make_partitions(sessions, {(month // 12, month % 12 + 1) for month in ahead})


async def _partitioned(sessions: Sessions) -> set[Month]:
    """The months that have a partition."""
    async with sessions() as session:
        names = (await run(session, text(PARTITIONS))).scalars()
        return {(int(name[12:16]), int(name[17:19])) for name in names}
