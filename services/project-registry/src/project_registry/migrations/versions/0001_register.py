"""The register: catalogue, fields of action, goals, projects, proposals."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of the register."""
    op.create_table(
        "catalogue",
        sa.Column("catalogue", sa.String(), primary_key=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "field_of_action",
        sa.Column("field", sa.String(), primary_key=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
    )
    op.create_table(
        "strategic_goal",
        sa.Column("goal", sa.String(), primary_key=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("goal_group", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
    )
    op.create_table(
        "project",
        sa.Column("project_id", sa.String(), primary_key=True),
        *_content(),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("partner", sa.String()),
        sa.Column("officer", sa.String()),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "proposal",
        sa.Column("project_id", sa.String(), primary_key=True),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        *_content(),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("partner", "name", name="proposal_of_partner"),
    )


def _content() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("fields_of_action", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("goals", sa.ARRAY(sa.String()), nullable=False),
    )


def downgrade() -> None:
    """Drop the tables of the register."""
    for table in ("proposal", "project", "strategic_goal", "field_of_action", "catalogue"):
        op.drop_table(table)
