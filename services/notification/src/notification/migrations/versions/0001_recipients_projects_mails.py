"""Recipients, what is known of projects, and mails."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "recipient",
        sa.Column("holder", sa.Text, primary_key=True),
        sa.Column("roles", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "project",
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("officer", sa.Text),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "mail",
        sa.Column("mail_id", sa.Uuid, primary_key=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("holder", "role", "occasion", "locale", "subject", "body", "state")
        ),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("code", sa.Integer),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("queued_event_id", sa.Text, nullable=False),
        sa.Column("correlationid", sa.Text),
        sa.Column("traceparent", sa.Text),
    )
    op.create_index("mail_due", "mail", ["next_attempt_at"], postgresql_where=sa.text("state = 'queued'"))
    op.create_index("mail_queued_at", "mail", ["queued_at"])


def downgrade() -> None:
    for table in ("mail", "project", "recipient"):
        op.drop_table(table)
