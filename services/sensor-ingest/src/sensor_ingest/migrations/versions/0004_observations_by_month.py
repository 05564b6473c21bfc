"""Observations partitioned by month of their phenomenon time; what was reported in another unit is kept."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

COLUMNS = "datastream, phenomenon_time, event_key, result_time, value, event_source, event_id, recorded_at"
MAKE_PARTITIONS = """
DO $$
DECLARE first timestamptz;
BEGIN
  FOR first IN SELECT DISTINCT date_trunc('month', phenomenon_time, 'UTC') FROM observation_whole LOOP
    EXECUTE format('CREATE TABLE observation_%s PARTITION OF observation FOR VALUES FROM (%L) TO (%L)',
                   to_char(first AT TIME ZONE 'UTC', 'YYYY_MM'), first, first + interval '1 month');
  END LOOP;
END $$
"""


def upgrade() -> None:
    op.execute("SET LOCAL TIME ZONE 'UTC'")
    op.rename_table("observation", "observation_whole")
    op.execute("ALTER INDEX observation_pkey RENAME TO observation_whole_pkey")
    _create({"postgresql_partition_by": "RANGE (phenomenon_time)"})
    op.execute(MAKE_PARTITIONS)
    op.execute(f"INSERT INTO observation ({COLUMNS}) SELECT {COLUMNS} FROM observation_whole")  # noqa: S608
    op.drop_table("observation_whole")


def downgrade() -> None:
    op.rename_table("observation", "observation_parts")
    op.execute("ALTER INDEX observation_pkey RENAME TO observation_parts_pkey")
    _create({})
    op.execute(f"INSERT INTO observation ({COLUMNS}) SELECT {COLUMNS} FROM observation_parts")  # noqa: S608
    op.drop_column("observation", "reported_value")
    op.drop_column("observation", "reported_unit")
    op.drop_table("observation_parts")


def _create(options: dict[str, Any]) -> None:
    op.create_table(
        "observation",
        sa.Column("datastream", sa.Uuid, primary_key=True),
        sa.Column("phenomenon_time", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("event_key", sa.Uuid, primary_key=True),
        sa.Column("result_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("event_source", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reported_value", sa.Double),
        sa.Column("reported_unit", sa.Text),
        **options,
    )
