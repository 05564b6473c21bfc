"""The pool of candidates, rounds, ballots and decisions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "candidate",
        sa.Column("project_id", sa.String(), primary_key=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("fields_of_action", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("listed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "selection_round",
        sa.Column("round_id", sa.String(), primary_key=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("criteria", JSONB(), nullable=False),
        sa.Column("scale_min", sa.Integer(), nullable=False),
        sa.Column("scale_max", sa.Integer(), nullable=False),
        sa.Column("candidates", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("electorate", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("quorum", sa.Integer(), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column("frozen_sha256", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "ballot",
        sa.Column("round_id", sa.String(), sa.ForeignKey("selection_round.round_id"), primary_key=True),
        sa.Column("voter", sa.String(), primary_key=True),
        sa.Column("project_id", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("scores", JSONB(), nullable=False),
        sa.Column("cast_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "decision",
        sa.Column("round_id", sa.String(), sa.ForeignKey("selection_round.round_id"), primary_key=True),
        sa.Column("ballots_sha256", sa.String(), nullable=False),
        sa.Column("ranking", JSONB(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("decision", "ballot", "selection_round", "candidate"):
        op.drop_table(table)
