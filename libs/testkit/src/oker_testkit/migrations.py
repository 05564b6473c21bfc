"""Do the migrations make the tables that the models describe?"""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import create_async_engine


async def differences(database_url: str, *metadata: MetaData) -> list[Any]:
    """What Alembic would change in a migrated database to reach the models; empty if nothing."""
    engine = create_async_engine(database_url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_compare, metadata)
    finally:
        await engine.dispose()


def _compare(connection: Connection, metadata: tuple[MetaData, ...]) -> list[Any]:
    def include(_object: Any, name: str | None, kind: str, _reflected: bool, _to: Any) -> bool:
        return not (kind == "table" and (name or "").startswith("alembic_version"))

    context = MigrationContext.configure(connection, opts={"include_object": include, "compare_type": True})
    merged = MetaData()
    for table in (table for part in metadata for table in part.tables.values()):
        table.to_metadata(merged)
    return list(compare_metadata(context, merged))
