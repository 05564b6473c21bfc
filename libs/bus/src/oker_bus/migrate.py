"""Bring the tables of a service to the newest version: the bus's own first, then the service's."""

import asyncio
from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

LOCK = 0x6F6B6572
"""Advisory lock: replicas that start together migrate one after the other."""


async def upgrade(database_url: str, package: str, revision: str = "head") -> None:
    """Migrate the database of one service.

    Args:
        database_url: ``postgresql+asyncpg://…``
        package: the service's package, whose ``migrations/versions`` holds its revisions.
        revision: the service's target; the bus always goes to its newest.
    """
    engine = create_async_engine(database_url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            await connection.run_sync(_run, "oker_bus", "head")
            await connection.run_sync(_run, package, revision)
    finally:
        await engine.dispose()


def upgrade_now(database_url: str, package: str) -> None:
    """The same, for a command line."""
    asyncio.run(upgrade(database_url, package))


def _run(connection: Connection, package: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_path("oker_bus", "migrations")))
    config.set_main_option("version_locations", str(_path(package, "migrations", "versions")))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = f"alembic_version_{package}"
    command.upgrade(config, revision)


def _path(package: str, *parts: str) -> Path:
    return Path(str(files(package).joinpath(*parts)))
