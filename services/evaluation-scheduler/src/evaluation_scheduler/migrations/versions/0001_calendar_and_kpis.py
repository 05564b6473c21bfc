"""Calendars of evaluations, KPIs and their values."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "calendar",
        sa.Column("strategy_version", sa.Text, primary_key=True),
        sa.Column("resolved_on", sa.Date, nullable=False),
        sa.Column("laid_out_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "cycle",
        sa.Column("strategy_version", sa.Text, sa.ForeignKey("calendar.strategy_version"), primary_key=True),
        sa.Column("cycle", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("due_on", sa.Date, nullable=False),
    )
    op.create_table(
        "kpi",
        sa.Column("kpi_id", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("project_id", "title", "partner", "device", "property", "unit")
        ),
        sa.Column("target", sa.Double, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text),
        sa.Column("foreign_unit", sa.Text),
        sa.Column("value", sa.Double),
        sa.Column("phenomenon_time", sa.DateTime(timezone=True)),
        sa.Column("result_time", sa.DateTime(timezone=True)),
        sa.Column("event_source", sa.Text),
        sa.Column("event_id", sa.Text),
    )
    op.create_index("kpi_datastream", "kpi", ["partner", "device", "property"])
    op.create_table(
        "kpi_value",
        sa.Column("kpi_id", sa.Text, sa.ForeignKey("kpi.kpi_id"), primary_key=True),
        sa.Column("phenomenon_time", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("result_time", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("event_source", sa.Text, primary_key=True),
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
    )


def downgrade() -> None:
    for table in ("kpi_value", "kpi", "cycle", "calendar"):
        op.drop_table(table)
