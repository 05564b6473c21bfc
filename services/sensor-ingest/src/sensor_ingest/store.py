"""The tables of sensor-ingest: devices, datastreams, observations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from oker_bus.store import run
from sqlalchemy import DateTime, Double, Text, text, tuple_
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import registry
from sqlmodel import Column, Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from sensor_ingest.domain import Datastream, Device, Observation


class Base(SQLModel, registry=registry()):
    """sensor-ingest keeps a registry of its own."""


class DeviceRow(Base, table=True):
    """A device of a company."""

    __tablename__ = "device"

    partner: str = Field(primary_key=True, sa_type=Text)
    device: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    codec: str = Field(sa_type=Text)
    location: list[float] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))


class DatastreamRow(Base, table=True):
    """One observed property of a device."""

    __tablename__ = "datastream"

    id: UUID = Field(primary_key=True)
    partner: str = Field(sa_type=Text, index=True)
    device: str = Field(sa_type=Text)
    property: str = Field(sa_type=Text)
    unit: str = Field(sa_type=Text)
    dataset: str = Field(sa_type=Text)
    observed_property: str = Field(sa_type=Text)


class ObservationRow(Base, table=True):
    """Every value ever accepted; of one datastream and time the greatest (result_time, source, id) counts.

    Append-only: what was known at a time is what was recorded until then.
    """

    __tablename__ = "observation"

    datastream: UUID = Field(primary_key=True)
    phenomenon_time: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))  # type: ignore[call-overload]
    event_key: UUID = Field(primary_key=True)
    result_time: datetime = Field(sa_type=DateTime(timezone=True))  # type: ignore[call-overload]
    value: float = Field(sa_type=Double)
    event_source: str = Field(sa_type=Text)
    event_id: str = Field(sa_type=Text)
    recorded_at: datetime = Field(sa_type=DateTime(timezone=True))  # type: ignore[call-overload]


metadata = Base.metadata

INSERT_OBSERVATIONS = """
WITH inserted AS (
  INSERT INTO observation
    (datastream, phenomenon_time, event_key, result_time, value, event_source, event_id, recorded_at)
  SELECT o.*, $8 FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::timestamptz[], $5::float8[],
                             $6::text[], $7::text[]) AS o
  ON CONFLICT DO NOTHING
  RETURNING datastream, phenomenon_time, event_key
)
SELECT i.datastream, i.phenomenon_time, i.event_key,
       EXISTS (SELECT 1 FROM observation o
               WHERE o.datastream = i.datastream AND o.phenomenon_time = i.phenomenon_time) AS known
FROM inserted i
"""
"""The query around the insert sees the table as it was before it: `known` means known before this batch."""

CURRENT = """
SELECT DISTINCT ON (o.phenomenon_time) o.phenomenon_time, o.result_time, o.value, o.event_source, o.event_id,
       o.recorded_at
FROM observation o
WHERE o.datastream = :datastream AND o.recorded_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity')
ORDER BY o.phenomenon_time DESC, o.result_time DESC, o.event_source COLLATE "C" DESC, o.event_id COLLATE "C" DESC
LIMIT :limit
"""

RECOUNT = """
SELECT d.partner, count(*) AS values, count(DISTINCT (o.datastream, o.phenomenon_time)) AS keys
FROM observation o JOIN datastream d ON d.id = o.datastream GROUP BY d.partner
"""


async def devices(session: AsyncSession, keys: set[tuple[str, str]]) -> dict[tuple[str, str], Device]:
    """The devices with these (company, device) keys that are known, with their datastreams."""
    if not keys:
        return {}
    wanted = sorted(keys)
    rows = (await session.exec(select(DeviceRow).where(_among(DeviceRow, wanted)))).all()
    streams: dict[tuple[str, str], dict[str, Datastream]] = {}
    for s in (await session.exec(select(DatastreamRow).where(_among(DatastreamRow, wanted)))).all():
        found = Datastream(s.id, s.property, s.unit, s.dataset, s.observed_property)
        streams.setdefault((s.partner, s.device), {})[s.property] = found
    return {(row.partner, row.device): _device(row, streams.get((row.partner, row.device), {})) for row in rows}


def _among(table: type[DeviceRow] | type[DatastreamRow], keys: list[tuple[str, str]]) -> Any:
    return tuple_(col(table.partner), col(table.device)).in_(keys)


def _device(row: DeviceRow, streams: dict[str, Datastream]) -> Device:
    location = (row.location[0], row.location[1]) if row.location else None
    return Device(row.partner, row.device, row.name, row.codec, location, streams)


async def devices_of(session: AsyncSession, partner: str | None) -> list[Device]:
    """All devices of a company, or of all companies."""
    query = select(DeviceRow.partner, DeviceRow.device)
    if partner is not None:
        query = query.where(DeviceRow.partner == partner)
    keys = {(owner, device) for owner, device in (await session.exec(query)).all()}
    return [device for _, device in sorted((await devices(session, keys)).items())]


async def save_devices(session: AsyncSession, changed: Sequence[Device]) -> None:
    """Insert or replace devices, and add datastreams that are new."""
    for device in changed:
        row = {
            "partner": device.partner,
            "device": device.device,
            "name": device.name,
            "codec": device.codec,
            "location": list(device.location) if device.location else None,
        }
        changes = {name: row[name] for name in ("name", "codec", "location")}
        upsert = insert(DeviceRow).values(row).on_conflict_do_update(index_elements=["partner", "device"], set_=changes)
        await run(session, upsert)
        streams = [
            {
                "id": s.id,
                "partner": device.partner,
                "device": device.device,
                "property": s.property,
                "unit": s.unit,
                "dataset": s.dataset,
                "observed_property": s.observed_property,
            }
            for s in device.datastreams.values()
        ]
        await run(session, insert(DatastreamRow).values(streams).on_conflict_do_nothing())


async def insert_observations(
    raw: Any, observations: Sequence[Observation], now: datetime
) -> dict[tuple[UUID, datetime, UUID], bool]:
    """Insert a batch in one statement.

    Args:
        raw: the asyncpg connection of the transaction.
        now: the time of recording.

    Returns:
        The rows that were new, by natural key and event; the value says whether their natural key was known before.
    """
    rows = [
        (o.datastream.id, r.phenomenon_time, r.event_key, r.result_time, r.value, r.event_source, r.event_id)
        for o in observations
        for r in (o.reading,)
    ]
    inserted = await raw.fetch(INSERT_OBSERVATIONS, *zip(*rows, strict=True), now)
    return {(row[0], row[1], row[2]): row[3] for row in inserted}


async def observations(
    session: AsyncSession, datastream: UUID, known_at: datetime | None, limit: int
) -> list[dict[str, Any]]:
    """The values of one datastream, newest first: what counts now, or counted by what was known at a time."""
    parameters = {"datastream": datastream, "known_at": known_at, "limit": limit}
    return [dict(row) for row in (await run(session, text(CURRENT), parameters)).mappings()]


async def recount(session: AsyncSession) -> dict[str, dict[str, int]]:
    """Readings by company, counted anew from the observations: what the ledger must agree with."""
    rows = (await run(session, text(RECOUNT))).mappings()
    return {row["partner"]: {"stored": row["keys"], "corrected": row["values"] - row["keys"]} for row in rows}
