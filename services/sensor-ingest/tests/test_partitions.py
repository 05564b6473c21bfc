"""Partitions of the observations: made in time, beside readers, by several at once, and never half."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from builders_sensor_ingest import NOON, a_declared_device, a_reading, say, values
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.edge import Sessions, is_outage
from oker_bus.store import run
from oker_testkit.bus import TestBus, eventually
from sensor_ingest import store
from sensor_ingest.store import partitions

NAMES = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'observation'::regclass ORDER BY 1"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
INDEXES = """
SELECT count(*) FROM pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid
WHERE i.inhparent = 'observation_pkey'::regclass AND x.indisprimary AND x.indisvalid
"""
LONG_AGO = datetime(2003, 12, 31, 23, 30, tzinfo=UTC)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Sessions]:
    """Sessions on a database that no service works on."""
    engine = create_async_engine(database_url)
    yield async_sessionmaker(engine, class_=AsyncSession)
    await engine.dispose()


async def asked(sessions: Sessions, statement: str) -> list[Any]:
    async with sessions() as session:
        return list((await run(session, text(statement))).scalars())


async def does(sessions: Sessions, statement: str) -> None:
    async with sessions() as session, session.begin():
        await run(session, text(statement))


@asynccontextmanager
async def holding(sessions: Sessions, statement: str) -> AsyncIterator[None]:
    """A transaction that has done this and stays open."""
    async with sessions() as session, session.begin():
        await run(session, text(statement))
        yield


async def test_readings_of_a_new_month_are_stored_beside_a_long_reader(bus: TestBus, sessions: Sessions) -> None:
    """A backup reads the whole table in one transaction, for hours."""
    await say(bus, a_declared_device())

    async with holding(sessions, "SELECT count(*) FROM observation"):
        await say(bus, a_reading(1.0, at=NOON), a_reading(2.0, at=LONG_AGO))

    assert await values(sessions) == [1.0, 2.0]


async def test_the_months_to_come_have_their_partitions_before_readings_come(bus: TestBus, sessions: Sessions) -> None:
    now = datetime.now(UTC)
    months = [now.year * 12 + now.month - 1 + later for later in range(3)]
    wanted = [f"observation_{month // 12}_{month % 12 + 1:02}" for month in months]

    async def made() -> bool:
        return await asked(sessions, NAMES) == wanted

    await eventually(made, f"{wanted} are there")


async def test_a_month_goes_on_into_the_next_year(database: Sessions) -> None:
    await store.make_partitions_ahead(database, datetime(2025, 12, 31, 23, 59, tzinfo=UTC))

    assert await asked(database, NAMES) == ["observation_2025_12", "observation_2026_01", "observation_2026_02"]


async def test_a_partition_is_found_by_the_key_of_the_whole(database: Sessions) -> None:
    await store.make_partitions(database, {(2026, 1), (2026, 2)})

    assert await asked(database, INDEXES) == [2]


async def test_several_replicas_make_a_month_once(database: Sessions) -> None:
    months = {(2026, month) for month in range(1, 13)}

    await asyncio.gather(*(store.make_partitions(database, months) for _ in range(4)))

    assert len(await asked(database, NAMES)) == 12


async def test_who_comes_second_waits_and_finds_it_made(database: Sessions) -> None:
    """Also if it looked before the other had committed."""
    lock = f"SELECT pg_advisory_xact_lock({partitions.LOCK_PARTITIONS}, 0)"

    async def waits() -> bool:
        return bool((await asked(database, WAITING))[0])

    async with database() as session, session.begin():
        await run(session, text(lock))
        second = asyncio.create_task(store.make_partitions(database, {(2026, 1)}))
        await eventually(waits, "the second waits")
        await run(
            session,
            text(partitions.MAKE_PARTITION.format(name="observation_2026_01", first="2026-01-01", after="2026-02-01")),
        )
    await second

    assert await asked(database, NAMES) == ["observation_2026_01"]


async def test_who_is_killed_in_between_leaves_nothing_behind(
    database: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = re.sub(
        r"ALTER TABLE.*;\n",
        "PERFORM pg_terminate_backend(pg_backend_pid());\n",
        partitions.MAKE_PARTITION,
        flags=re.S,
    )
    with monkeypatch.context() as patched:
        patched.setattr(partitions, "MAKE_PARTITION", cut)
        with pytest.raises(DBAPIError):
            await store.make_partitions(database, {(2026, 1)})

    await store.make_partitions(database, {(2026, 1)})

    assert await asked(database, NAMES) == ["observation_2026_01"]


@pytest.mark.parametrize(
    ("blocked", "why"),
    [
        ("LOCK TABLE observation IN SHARE UPDATE EXCLUSIVE MODE", "lock timeout"),
        ("LOCK TABLE observation IN ACCESS EXCLUSIVE MODE", "lock timeout"),
    ],
)
async def test_a_lock_that_is_not_to_be_had_is_an_outage_and_no_wait_without_end(
    database: Sessions, monkeypatch: pytest.MonkeyPatch, blocked: str, why: str
) -> None:
    monkeypatch.setattr(partitions, "LOCK_SECONDS", 0.1)

    async with holding(database, blocked):
        with pytest.raises(DBAPIError, match=why) as raised:
            await store.make_partitions(database, {(2026, 1)})
    assert is_outage(raised.value)

    await store.make_partitions(database, {(2026, 1)})
    assert await asked(database, NAMES) == ["observation_2026_01"]


async def test_a_month_that_the_operator_took_out_is_neither_hidden_nor_filled_again(database: Sessions) -> None:
    """Readings for it wait, and the error says what to do."""
    await store.make_partitions(database, {(2026, 1)})
    await does(database, "ALTER TABLE observation DETACH PARTITION observation_2026_01")

    with pytest.raises(
        DBAPIError, match=r"observation_2026_01 is no partition .* attach it again, rename it or drop it"
    ) as raised:
        await store.make_partitions(database, {(2026, 1)})
    assert is_outage(raised.value)

    await does(database, "ALTER TABLE observation_2026_01 RENAME TO archive_2026_01")
    await store.make_partitions(database, {(2026, 1)})
    assert await asked(database, NAMES) == ["observation_2026_01"]


async def test_readings_of_a_month_that_was_dropped_make_it_anew(bus: TestBus, sessions: Sessions) -> None:
    """Though the service knew it as made: retention is the operator's, and a late reading still has its place."""
    await say(bus, a_declared_device(), a_reading(1.0, at=LONG_AGO))
    await does(sessions, "DROP TABLE observation_2003_12")

    await say(bus, a_reading(2.0, at=LONG_AGO))

    assert await values(sessions) == [2.0]
    assert await bus.quarantined() == []
