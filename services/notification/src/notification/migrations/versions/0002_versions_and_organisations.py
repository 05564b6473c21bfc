"""Projects by version, and the titles of organisations."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("project", sa.Column("version", sa.Integer, nullable=False, server_default="1"))
    op.alter_column("project", "version", server_default=None)
    op.drop_column("project", "registered_at")
    op.create_table(
        "organisation",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("organisation")
    op.add_column("project", sa.Column("registered_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE project SET registered_at = now()")
    op.alter_column("project", "registered_at", nullable=False)
    op.drop_column("project", "version")
