"""The tables of a service can be folded anew from its stream, while it works; what differs is found and named."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import APIRouter
from sqlalchemy import Column, DateTime, MetaData, String, Table, insert, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus import Bus, Router, Transaction
from oker_bus.rebuild import CannotRebuild, Rebuilt, rebuild
from oker_bus.service import Service
from oker_bus.settings import ServiceSettings
from oker_contracts.selection.candidate_listed_v1 import CandidateListedV1
from oker_contracts.selection.candidate_listed_v2 import CandidateListedV2
from oker_testkit.bus import TestBus, eventually

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CANDIDATE = Table(
    "candidate",
    MetaData(),
    Column("project_id", String, primary_key=True),
    Column("title", String, nullable=False),
    Column("fields_of_action", ARRAY(String), nullable=False),
    Column("listed_at", DateTime(timezone=True), nullable=False),
)
MAKE = """
CREATE TABLE candidate (
  project_id text PRIMARY KEY, title text NOT NULL, fields_of_action text[] NOT NULL, listed_at timestamptz NOT NULL
)
"""
Again = Callable[..., Awaitable[Rebuilt]]


async def fold(session: AsyncSession, fact: CandidateListedV2) -> None:
    row = fact.model_dump(include={"project_id", "title", "fields_of_action", "listed_at"})
    await (await session.connection()).execute(insert(CANDIDATE).values(row))


@pytest.fixture
def service() -> Service[ServiceSettings]:
    def build(bus: Bus) -> APIRouter:
        return APIRouter()

    return Service(
        "selection-scoring",
        "oker_bus",
        ServiceSettings,
        Router("selection-scoring"),
        build,
        fold={CandidateListedV2: fold},
        folded=[CANDIDATE],
    )


@pytest.fixture
async def running_table(bus: TestBus) -> TestBus:
    async with bus.bus.sessions() as session:
        await (await session.connection()).execute(text(MAKE))
        await session.commit()
    return bus


@pytest.fixture
def again(service: Service[ServiceSettings], settings: ServiceSettings, running_table: TestBus) -> Again:
    """Rebuild the tables of the service under test."""

    async def run(into: str | None = None) -> Rebuilt:
        return await rebuild(settings, service.name, service.fold, service.folded, into=into)

    return run


def listed(project: str, title: str = "Ein Projekt") -> CandidateListedV2:
    return CandidateListedV2(
        project_id=project,
        version=1,
        title=title,
        fields_of_action=["mobilitaet"],
        costs={},
        profile_sha256="0" * 64,
        listed_at=AT,
    )


async def record(tx: Transaction, *facts: CandidateListedV2) -> None:
    for fact in facts:
        await fold(tx.session, fact)
        tx.announce(fact)


async def alter(bus: TestBus, statement: str) -> None:
    async with bus.bus.sessions() as session:
        await (await session.connection()).execute(text(statement))
        await session.commit()


async def test_what_follows_from_the_facts_is_equal(running_table: TestBus, again: Again) -> None:
    async with running_table.bus.transaction() as tx:
        await record(tx, *(listed(f"projekt-{n}") for n in range(1200)))
    await running_table.settled()

    found = await again()

    assert (found.equal, found.facts, found.waiting) == (True, 1200, 0)
    assert found.lines() == ["table      rows  rebuilt  equal", "candidate  1200  1200     yes"]


async def test_facts_of_an_older_version_are_lifted_first(running_table: TestBus, again: Again) -> None:
    await running_table.publish(
        CandidateListedV1(project_id="alt", title="Alt", fields_of_action=["mobilitaet"], listed_at=AT)
    )
    async with running_table.bus.sessions() as session:
        await fold(session, listed("alt", "Alt"))
        await session.commit()

    assert (await again()).equal


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE candidate SET title = 'Gefälscht' WHERE project_id = 'zwei'",
            "candidate (project_id='zwei'): title is 'Gefälscht' here, 'Ein Projekt' by the facts",
        ),
        ("DELETE FROM candidate WHERE project_id = 'zwei'", "candidate (project_id='zwei'): is missing here"),
        (
            "INSERT INTO candidate SELECT 'dazu', title, fields_of_action, listed_at FROM candidate LIMIT 1",
            "candidate (project_id='dazu'): follows from no fact",
        ),
    ],
)
async def test_a_row_changed_by_hand_is_found_and_named(
    running_table: TestBus, again: Again, statement: str, said: str
) -> None:
    async with running_table.bus.transaction() as tx:
        await record(tx, listed("eins"), listed("zwei"), listed("zz-drei"))
    await running_table.settled()
    await alter(running_table, statement)

    found = await again()

    assert not found.equal
    assert [table.first for table in found.tables] == [said]


async def test_what_is_committed_and_not_published_yet_counts(running_table: TestBus, again: Again) -> None:
    running_table.bus.tasks["relay"].cancel()
    await asyncio.wait([running_table.bus.tasks["relay"]])
    async with running_table.bus.transaction() as tx:
        await record(tx, listed("eins"))

    found = await again()

    assert (found.equal, found.facts, found.waiting) == (True, 1, 1)


async def test_a_service_that_works_meanwhile_compares_equal(running_table: TestBus, again: Again) -> None:
    async def work(worker: int) -> None:
        for number in range(60):
            async with running_table.bus.transaction() as tx:
                await record(tx, listed(f"projekt-{worker}-{number}"), listed(f"weiteres-{worker}-{number}"))

    workers = [asyncio.create_task(work(worker)) for worker in range(3)]
    seen = []
    while not all(worker.done() for worker in workers):
        seen.append(await again())
    await asyncio.gather(*workers)

    assert [found.lines() for found in seen if not found.equal] == []
    assert any(0 < found.facts < 360 for found in seen)


async def test_the_moment_waits_for_who_is_about_to_commit(running_table: TestBus, again: Again) -> None:
    async with running_table.bus.transaction() as tx:
        await record(tx, listed("eins"))
        await tx.write_outbox()
        comparing = asyncio.create_task(again())
        await eventually(lambda: waits_for_a_lock(running_table), "the rebuild waits")
    found = await comparing

    assert (found.equal, found.facts) == (True, 1)


async def waits_for_a_lock(bus: TestBus) -> bool:
    async with bus.bus.sessions() as session:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'outbox'::regclass"
        return bool((await (await session.connection()).execute(text(waiting))).scalar_one())


async def test_nothing_stays_unless_it_is_asked_for(running_table: TestBus, again: Again) -> None:
    async with running_table.bus.transaction() as tx:
        await record(tx, listed("eins"))
    await again()
    await again(into="again")

    async with running_table.bus.sessions() as session:
        connection = await session.connection()
        schemas = await connection.execute(text("SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|infor)'"))
        kept = await connection.execute(text("SELECT project_id FROM again.candidate"))

        assert sorted(schemas.scalars()) == ["again", "public"]
        assert kept.scalars().all() == ["eins"]


async def test_a_fold_cannot_touch_a_table_that_is_not_declared(
    running_table: TestBus, settings: ServiceSettings
) -> None:
    async def astray(session: AsyncSession, fact: Any) -> None:
        await (await session.connection()).execute(text("DELETE FROM inbox"))

    async with running_table.bus.transaction() as tx:
        await record(tx, listed("eins"))
    await running_table.settled()

    with pytest.raises(CannotRebuild, match=r"SELECTION 1, selection\.candidate_listed\.v2, cannot be folded.*inbox"):
        await rebuild(settings, "selection-scoring", {CandidateListedV2: astray}, [CANDIDATE])


async def test_a_message_that_is_no_fact_is_named_by_its_place(running_table: TestBus, again: Again) -> None:
    await running_table.publish_raw("selection.candidate_listed.v2.x", b"{}", {"ce-id": "1"})

    with pytest.raises(CannotRebuild, match=r"SELECTION 1 is no event"):
        await again()
