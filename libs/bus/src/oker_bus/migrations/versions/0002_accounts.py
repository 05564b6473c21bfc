"""Accounts by day, outcomes by identity, quarantine that can be mended."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
COUNTS = (
    "messages_settled",
    "messages_duplicate",
    "messages_quarantined",
    "read",
    "stored",
    "duplicate",
    "corrected",
    "quarantined",
    "erased_stored",
    "erased_corrected",
)
MENDED = ("mended_at", "mended_by", "mended_outcome", "mended_headers", "mended_body")
BACKFILL = """
INSERT INTO ledger_day (consumer, stream, partner, day, source, messages_settled, messages_duplicate,
  messages_quarantined, read, stored, duplicate, corrected, quarantined, erased_stored, erased_corrected, first, last)
SELECT consumer, stream, coalesce(partner, ''), (stored_at AT TIME ZONE 'Europe/Berlin')::date, '',
  count(*) FILTER (WHERE outcome = 'settled'), count(*) FILTER (WHERE outcome = 'duplicate'),
  count(*) FILTER (WHERE outcome = 'quarantined'), sum(read), sum(stored), sum(duplicate), sum(corrected),
  sum(quarantined), 0, 0, min(sequence), max(sequence)
FROM settlement GROUP BY 1, 2, 3, 4
"""


def upgrade() -> None:
    """Add the accounts, and fill them from the settlements there are; of those no source is known."""
    op.add_column("settlement", sa.Column("event_source", sa.Text))
    op.add_column("settlement", sa.Column("event_id", sa.Text(collation="C")))
    op.create_index(
        "settlement_said",
        "settlement",
        ["partner", sa.text("left(event_id, 64)")],
        postgresql_where=sa.text("partner IS NOT NULL"),
    )
    op.create_table(
        "ledger_day",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("consumer", "stream", "partner")),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in COUNTS),
        sa.Column("first", sa.BigInteger),
        sa.Column("last", sa.BigInteger),
        sa.CheckConstraint("read = stored + duplicate + corrected + quarantined", "ledger_day_balances"),
        postgresql_with={"fillfactor": "50"},
    )
    op.execute(BACKFILL)
    op.add_column("quarantine", sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False))
    op.add_column("quarantine", sa.Column("subject", sa.Text, nullable=False, server_default=""))
    op.alter_column("quarantine", "subject", server_default=None)
    op.add_column("quarantine", sa.Column("mended_at", sa.DateTime(timezone=True)))
    op.add_column("quarantine", sa.Column("mended_by", sa.Text))
    op.add_column("quarantine", sa.Column("mended_outcome", sa.Text))
    op.add_column("quarantine", sa.Column("mended_headers", JSONB))
    op.add_column("quarantine", sa.Column("mended_body", sa.LargeBinary))
    op.drop_index("quarantine_partner", "quarantine")
    op.create_index("quarantine_partner", "quarantine", ["partner", "id"])
    op.create_index("quarantine_id", "quarantine", ["id"], unique=True)


def downgrade() -> None:
    """Back to settlements alone; what was mended stays mended, but nobody knows by whom."""
    op.drop_index("quarantine_id", "quarantine")
    op.drop_index("quarantine_partner", "quarantine")
    op.create_index("quarantine_partner", "quarantine", ["partner", "quarantined_at"])
    for name in (*MENDED, "subject", "id"):
        op.drop_column("quarantine", name)
    op.drop_table("ledger_day")
    op.drop_index("settlement_said", "settlement")
    op.drop_column("settlement", "event_id")
    op.drop_column("settlement", "event_source")
