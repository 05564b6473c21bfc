"""Sessions and conflicts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "session",
        sa.Column("session", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("body", "title", "place", "state")),
        sa.Column("starts", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends", sa.DateTime(timezone=True)),
        sa.Column("agenda", JSONB(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "conflict",
        sa.Column("conflict", sa.String(), primary_key=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("title", "decision", "reason", "settled_by")),
        sa.Column("parties", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("project_id", sa.String()),
        sa.Column("session", sa.String()),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Drop the tables; a rebuild from the stream fills them again."""
    op.drop_table("conflict")
    op.drop_table("session")
