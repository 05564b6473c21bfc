"""What the tables answer: the value that counts, what was known when, and two replicas at once."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from builders_sensor_ingest import NOON, a_claimed_number, a_datastream, a_device, current, minutes
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.edge import Sessions
from oker_bus.store import run
from oker_testkit.bus import eventually
from sensor_ingest import domain, store
from sensor_ingest.domain import Observation

STREAM = a_datastream()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Sessions]:
    """Sessions on a database that no service works on."""
    engine = create_async_engine(database_url)
    yield async_sessionmaker(engine, class_=AsyncSession)
    await engine.dispose()


def an_observation(
    value: float, event: str, *, source: str = "/a", minute: int = 0, determined: int = 0
) -> Observation:
    phenomenon, result = NOON + minutes(minute), NOON + minutes(determined)
    reading = a_claimed_number(value, event=event, source=source, phenomenon_time=phenomenon, result_time=result)
    return Observation(reading, STREAM, value)


def many(count: int) -> list[Observation]:
    """Few moments, many versions, and sources whose order depends on the collation."""
    chance = random.Random(7)  # noqa: S311
    return [
        an_observation(
            float(number),
            str(number),
            source=chance.choice(["/a", "/B", "/ä", "/z", "/_", "/€", "/😀"]),
            minute=chance.randrange(5),
            determined=chance.randrange(3),
        )
        for number in range(count)
    ]


async def insert(session: AsyncSession, batch: list[Observation], now: datetime = NOON) -> list[bool]:
    """Insert a batch; says of each new row whether its natural key was known before."""
    connection = await session.connection()
    await connection.exec_driver_sql("SELECT 1")
    raw: Any = (await connection.get_raw_connection()).driver_connection
    others = async_sessionmaker(session.bind, class_=AsyncSession)
    await store.make_partitions(others, domain.months([observation.reading for observation in batch]))
    found = await store.insert_observations(raw, batch, now)
    return [False] * len(batch) if found is None else list(found.values())


async def shown(session: AsyncSession, known_at: datetime | None = None) -> dict[Any, float]:
    rows = await store.observations(session, STREAM.id, known_at, 1_000)
    return {(STREAM.id, row["phenomenon_time"]): row["value"] for row in rows}


@pytest.mark.parametrize("backwards", [False, True])
async def test_the_greatest_version_counts_whatever_came_first(database: Sessions, backwards: bool) -> None:
    """Also in a database that sorts text as people do."""
    sent = many(100)
    arriving = sent[::-1] if backwards else sent

    await store.make_partitions(database, domain.months([observation.reading for observation in sent]))
    async with database() as session, session.begin():
        for column in ("event_source", "event_id"):
            await run(session, text(f'ALTER TABLE observation ALTER COLUMN {column} TYPE text COLLATE "unicode"'))
        for start in range(0, len(arriving), 7):
            await insert(session, arriving[start : start + 7])
        assert await shown(session) == current(sent)


async def test_what_was_known_at_a_time_can_be_asked(database: Sessions) -> None:
    async with database() as session, session.begin():
        await insert(session, [an_observation(1.0, "1")], NOON)
        await insert(session, [an_observation(2.0, "2", determined=5)], NOON + minutes(10))

        assert list((await shown(session)).values()) == [2.0]
        assert list((await shown(session, NOON + minutes(9))).values()) == [1.0]
        assert await shown(session, NOON - minutes(1)) == {}


async def test_a_batch_says_what_was_known_before_it(database: Sessions) -> None:
    first, again, other = an_observation(1.0, "1"), an_observation(2.0, "2"), an_observation(3.0, "3", minute=1)

    async with database() as session, session.begin():
        assert await insert(session, [first, first]) == [False]
        assert await insert(session, [first, again, other]) == [True, False]


async def test_two_replicas_at_once_store_one_value_and_correct_it_once(database: Sessions) -> None:
    """Unless one waits for the other, both would find the moment unknown and the ledger would count it twice."""

    async def second() -> list[bool]:
        async with database() as session, session.begin():
            return await insert(session, [an_observation(2.0, "2")])

    async def is_waiting() -> bool:
        async with database() as session:
            waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            return bool((await run(session, waiting)).scalar_one())

    async with database() as session, session.begin():
        assert await insert(session, [an_observation(1.0, "1")]) == [False]
        other = asyncio.create_task(second())
        await eventually(is_waiting, "the second replica waits")

    assert await other == [True]


async def test_a_batch_does_not_read_the_whole_table(database: Sessions) -> None:
    """PostgreSQL keeps the plan it made while the table was young, until the table is analysed."""
    said = "SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_xact_user_tables WHERE relname LIKE 'observation%'"

    async with database() as session, session.begin():
        for minute in range(30):
            await insert(session, [an_observation(1.0, f"{minute}-{n}", minute=minute) for n in range(20)])
        assert (await run(session, text(said))).scalar_one() == 0


async def test_the_recount_agrees_with_the_rows(database: Sessions) -> None:
    sent = many(40)
    device = a_device(STREAM)

    async with database() as session, session.begin():
        await store.save_devices(session, {device.key: device})
        await insert(session, sent, datetime(2026, 2, 1, tzinfo=UTC))
        keys = len({observation.natural_key for observation in sent})
        assert await store.recount(session) == {"stadtwerke": {"stored": keys, "corrected": len(sent) - keys}}
