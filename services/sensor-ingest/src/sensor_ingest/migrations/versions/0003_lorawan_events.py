"""What network servers said of LoRaWAN devices."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "lorawan_event",
        sa.Column("partner", sa.Text, primary_key=True),
        sa.Column("hardware", sa.Text, primary_key=True),
        sa.Column("time", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("id", sa.Text(collation="C"), primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("session", sa.Text),
        sa.Column("f_cnt", sa.BigInteger),
        sa.Column("f_port", sa.SmallInteger),
        sa.Column("payload", sa.LargeBinary),
        sa.Column("state", JSONB, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("lorawan_event_time", "lorawan_event", ["time"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_table("lorawan_event")
