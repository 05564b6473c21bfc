"""What a network server has decoded of an uplink is kept, so that it can be read again by another profile."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("lorawan_event", sa.Column("object", sa.Text))


def downgrade() -> None:
    op.drop_column("lorawan_event", "object")
