"""The registry of devices: hardware and places with their history, profiles, and a version for caches."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _extend_devices()
    _extend_datastreams()
    _create_changes("mounting", sa.Column("hardware", sa.Text, nullable=False))
    _create_changes("placement", *_point(nullable=False))
    op.create_index("device_hardware", "device", ["partner", "hardware"])
    op.create_index("mounting_hardware", "mounting", ["partner", "hardware"])
    op.create_table(
        "profile",
        sa.Column("partner", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("declared", JSONB, nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "registry_version",
        sa.Column("partner", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
    )


def _extend_devices() -> None:
    added: tuple[sa.Column[Any], ...] = (
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("profile", sa.Text),
        sa.Column("profile_version", sa.Integer),
        sa.Column("hardware", sa.Text),
        *_point(nullable=True),
        *_declared(),
    )
    for column in added:
        op.add_column("device", column)
    op.execute(
        "UPDATE device SET hardware = CASE WHEN device ~ '^[0-9A-Fa-f]{16}$' THEN lower(device) ELSE device END,"
        " profile = CASE codec WHEN 'cayenne_lpp' THEN 'cayenne-lpp' END"
    )
    op.execute(
        "UPDATE device SET longitude = (location->>0)::float8, latitude = (location->>1)::float8"
        " WHERE location IS NOT NULL"
    )
    op.alter_column("device", "hardware", nullable=False)
    for name in ("codec", "location"):
        op.drop_column("device", name)
    _keep_no_defaults("device", "description")


def _extend_datastreams() -> None:
    added: tuple[sa.Column[Any], ...] = (
        sa.Column("definition", sa.Text),
        sa.Column("interval_seconds", sa.Integer),
        sa.Column("minimum", sa.Double),
        sa.Column("maximum", sa.Double),
        *_declared(),
    )
    for column in added:
        op.add_column("datastream", column)
    _keep_no_defaults("datastream")


def _declared() -> tuple[sa.Column[Any], ...]:
    """What was declared before is older than everything that is declared from now on."""
    return (
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=False, server_default="2000-01-01T00:00:00Z"),
        sa.Column("declared_source", sa.Text, nullable=False, server_default=""),
        sa.Column("declared_id", sa.Text, nullable=False, server_default=""),
    )


def _keep_no_defaults(table: str, *names: str) -> None:
    for name in (*names, "declared_at", "declared_source", "declared_id"):
        op.alter_column(table, name, server_default=None)


def _point(*, nullable: bool) -> tuple[sa.Column[float], ...]:
    return (
        sa.Column("longitude", sa.Double, nullable=nullable),
        sa.Column("latitude", sa.Double, nullable=nullable),
        sa.Column("altitude", sa.Double),
    )


def _create_changes(table: str, *columns: sa.Column[str] | sa.Column[float]) -> None:
    op.create_table(
        table,
        sa.Column("partner", sa.Text, primary_key=True),
        sa.Column("device", sa.Text, primary_key=True),
        sa.Column("since", sa.DateTime(timezone=True), primary_key=True),
        *columns,
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("said_source", sa.Text, nullable=False),
        sa.Column("said_id", sa.Text, nullable=False),
    )


def downgrade() -> None:
    for table in ("registry_version", "profile", "placement", "mounting"):
        op.drop_table(table)
    op.add_column("device", sa.Column("codec", sa.Text, nullable=False, server_default="none"))
    op.add_column("device", sa.Column("location", JSONB))
    op.execute("UPDATE device SET codec = 'cayenne_lpp' WHERE profile = 'cayenne-lpp'")
    op.execute("UPDATE device SET location = jsonb_build_array(longitude, latitude) WHERE longitude IS NOT NULL")
    op.alter_column("device", "codec", server_default=None)
    op.drop_index("device_hardware", "device")
    declared = [str(column.name) for column in _declared()]
    point = ["longitude", "latitude", "altitude"]
    for name in ("description", "profile", "profile_version", "hardware", *point, *declared):
        op.drop_column("device", name)
    for name in ("definition", "interval_seconds", "minimum", "maximum", *declared):
        op.drop_column("datastream", name)
