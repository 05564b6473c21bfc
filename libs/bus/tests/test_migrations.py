"""What was there before the accounts by day is in them after the migration."""

from datetime import date
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from oker_bus.migrate import _path

SETTLED = """
INSERT INTO settlement (consumer, stream, sequence, stored_at, partner, outcome, read, stored, duplicate, corrected,
  quarantined, settled_at) VALUES
('c', 'IN_verkehr', 1, '2026-10-24 21:59:59Z', 'verkehr', 'settled', 2, 1, 0, 1, 0, now()),
('c', 'IN_verkehr', 2, '2026-10-24 22:00:00Z', 'verkehr', 'duplicate', 1, 0, 1, 0, 0, now()),
('c', 'IN_verkehr', 3, '2026-10-25 22:59:59Z', 'verkehr', 'quarantined', 1, 0, 0, 0, 1, now()),
('d', 'PROJECT', 1, '2026-10-25 12:00:00Z', NULL, 'settled', 0, 0, 0, 0, 0, now())
"""
REFUSED = """
INSERT INTO quarantine (consumer, stream, sequence, stored_at, part, partner, reason, path, detail, headers, body,
  quarantined_at) VALUES
('c', 'IN_verkehr', 3, '2026-10-25 22:59:59Z', 1, 'verkehr', 'unit_mismatch', '$', '', '{}', '', now())
"""
COUNTED = """
SELECT partner, day, messages_settled, messages_duplicate, messages_quarantined, read, stored, corrected, quarantined,
  first, last FROM ledger_day ORDER BY consumer, day
"""


async def test_settlements_of_before_are_added_up_and_refusals_get_a_number(database_url: str) -> None:
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(migrate, "0001")
        await connection.execute(text(SETTLED))
        await connection.execute(text(REFUSED))
        await connection.run_sync(migrate, "head")
        counted = [tuple(row) for row in (await connection.execute(text(COUNTED))).all()]
        refused = (await connection.execute(text("SELECT id, subject, mended_at FROM quarantine"))).all()
    await engine.dispose()

    assert counted == [
        ("verkehr", date(2026, 10, 24), 1, 0, 0, 2, 1, 1, 0, 1, 1),
        ("verkehr", date(2026, 10, 25), 0, 1, 1, 2, 0, 0, 1, 2, 3),
        ("", date(2026, 10, 25), 1, 0, 0, 0, 0, 0, 0, 1, 1),
    ]
    assert [tuple(row) for row in refused] == [(1, "", None)]


def migrate(connection: Connection, revision: str) -> None:
    """Bring the bus's own tables to a revision, back or forth."""
    config = Config()
    config.set_main_option("script_location", str(_path("oker_bus", "migrations")))
    config.set_main_option("version_locations", str(_path("oker_bus", "migrations", "versions")))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = "alembic_version_oker_bus"
    change: Any = command.downgrade if revision == "0001" else command.upgrade
    change(config, revision)
