"""A row of quarantine may stand for several readings of its message."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Rows there are stand for one reading each."""
    op.add_column("quarantine", sa.Column("parts", sa.LargeBinary))


def downgrade() -> None:
    """Back to a row a reading; what a row stood for besides its own is forgotten."""
    op.drop_column("quarantine", "parts")
