"""Devices, datastreams, observations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "device",
        sa.Column("partner", sa.Text, primary_key=True),
        sa.Column("device", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("codec", sa.Text, nullable=False),
        sa.Column("location", JSONB),
    )
    op.create_table(
        "datastream",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("partner", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("property", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("observed_property", sa.Text, nullable=False),
        sa.UniqueConstraint("partner", "device", "property", name="datastream_of_device"),
    )
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
    )


def downgrade() -> None:
    for table in ("observation", "datastream", "device"):
        op.drop_table(table)
