"""The migrations make the tables that the models describe, and lose nothing of what was registered."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from builders_project_registry import NOON
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import text
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus import store as bus_store
from oker_bus.migrate import upgrade
from oker_contracts.project.catalogue_imported_v1 import CatalogueImportedV1, FieldOfAction, StrategicGoal
from oker_contracts.project.proposal_received_v1 import ProposalReceivedV1
from oker_contracts.project.registered_v2 import ProjectRegisteredV2, upcast_v1
from oker_testkit.migrations import differences
from oker_testkit.plugin import Servers
from project_registry import store
from project_registry.fold import fold

OLD_ROWS = (
    "INSERT INTO catalogue VALUES ('edition', :at)",
    "INSERT INTO field_of_action VALUES ('energie', 'Energie', 0), ('mobilitaet', 'Mobilität', 1)",
    "INSERT INTO strategic_goal VALUES ('ziel', 'Ziel', 'role', 0)",
    "INSERT INTO project VALUES ('a', 'A', '', '{mobilitaet}', '{}', 'catalogue', NULL, NULL, :at)",
    "INSERT INTO project VALUES ('b', 'B', 'Was', '{energie,mobilitaet}', '{ziel}', 'proposal', 'verkehr', 'o-1', :at)",
    "INSERT INTO proposal VALUES ('b', 'verkehr', 'x', 'B', 'Was', '{energie,mobilitaet}', '{ziel}', :at, :at)",
)


def old_facts() -> list[Any]:
    """What was announced when those rows were written, lifted to the newest versions."""
    fields = [FieldOfAction(field="energie", title="Energie"), FieldOfAction(field="mobilitaet", title="Mobilität")]
    goals = [StrategicGoal(goal="ziel", title="Ziel", group="role")]
    plain = {"title": "A", "summary": "", "fields_of_action": ["mobilitaet"], "goals": [], "registered_at": NOON}
    both: dict[str, Any] = {
        "title": "B",
        "summary": "Was",
        "fields_of_action": ["energie", "mobilitaet"],
        "goals": ["ziel"],
    }
    accepted = {**both, "origin": "proposal", "partner": "verkehr", "officer": "o-1", "registered_at": NOON}
    return [
        CatalogueImportedV1(
            catalogue="edition", fields_of_action=fields, goals=goals, projects=["a"], imported_at=NOON
        ),
        ProjectRegisteredV2.model_validate(upcast_v1({**plain, "project_id": "a", "origin": "catalogue"})),
        ProposalReceivedV1(project_id="b", partner="verkehr", proposal="x", received_at=NOON, **both),
        ProjectRegisteredV2.model_validate(upcast_v1({**accepted, "project_id": "b"})),
    ]


@pytest.fixture
async def old_database(servers: Servers) -> AsyncIterator[str]:
    """A database as the first migration left it, with rows."""
    name = f"old_{uuid4().hex[:12]}"
    await servers.postgres.execute(f'CREATE DATABASE "{name}"')
    url = servers.postgres.url(name)
    await upgrade(url, "project_registry", "0001")
    async with AsyncSession(create_async_engine(url, poolclass=NullPool)) as session, session.begin():
        for statement in OLD_ROWS:
            await bus_store.run(session, text(statement), {"at": NOON} if ":at" in statement else None)
    yield url
    await servers.postgres.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


async def rows(url: str) -> dict[str, list[Any]]:
    """All rows of the folded tables."""
    async with AsyncSession(create_async_engine(url, poolclass=NullPool)) as session:
        found = {}
        for table in store.folded:
            query = table.select().order_by(*table.primary_key.columns)
            found[table.name] = [dict(row._mapping) for row in await bus_store.run(session, query)]
        return found


async def test_tables_are_what_the_models_say(database_url: str) -> None:
    assert await differences(database_url, bus_store.metadata, store.metadata) == []


async def test_what_was_registered_before_is_what_its_facts_fold_to(old_database: str, database_url: str) -> None:
    await upgrade(old_database, "project_registry")
    async with AsyncSession(create_async_engine(database_url, poolclass=NullPool)) as session, session.begin():
        await fold(session, old_facts())

    migrated = await rows(old_database)
    assert migrated == await rows(database_url)
    assert len(migrated["entry"]) == 5
