"""Ideas of citizens and staff that wait for moderation."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "idea",
        sa.Column("idea", sa.String(), primary_key=True),
        sa.Column("receipt", sa.String(), nullable=False, unique=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("fields_of_action", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("moderated_at", sa.DateTime(timezone=True)),
        sa.Column("moderated_by", sa.String()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("project_id", sa.String()),
    )
    op.create_index("idea_waiting", "idea", ["received_at"], postgresql_where=sa.text("state = 'waiting'"))


def downgrade() -> None:
    """Drop it; ideas that wait are lost."""
    op.drop_table("idea")
