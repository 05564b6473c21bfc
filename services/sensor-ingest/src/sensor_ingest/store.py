"""The tables of sensor-ingest: devices, datastreams, observations."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Double, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import registry
from sqlmodel import Column, Field, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.store import run
from sensor_ingest.domain import Datastream, Device, EventRow, Observation


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
    __table_args__ = (UniqueConstraint("partner", "device", "property", name="datastream_of_device"),)

    id: UUID = Field(primary_key=True)
    partner: str = Field(sa_type=Text)
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
    phenomenon_time: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    event_key: UUID = Field(primary_key=True)
    result_time: datetime = Field(sa_type=DateTime(timezone=True))
    value: float = Field(sa_type=Double)
    event_source: str = Field(sa_type=Text)
    event_id: str = Field(sa_type=Text)
    recorded_at: datetime = Field(sa_type=DateTime(timezone=True))


metadata = Base.metadata

LOCK_DEVICES, LOCK_DATASTREAMS = 0x6465, 0x6473
"""Advisory locks, held until the commit: they keep replicas of the service from deciding at once on one thing."""
DATASTREAM_LOCKS = 64

DEVICES = """
SELECT d.partner, d.device, d.name, d.codec, d.location,
       s.id, s.property, s.unit, s.dataset, s.observed_property
FROM unnest(CAST(:partners AS text[]), CAST(:devices AS text[])) AS wanted(partner, device)
JOIN device d USING (partner, device)
JOIN datastream s USING (partner, device)
ORDER BY d.partner, d.device, s.property
"""

INSERT_OBSERVATIONS = """
WITH inserted AS (
  INSERT INTO observation
    (datastream, phenomenon_time, event_key, result_time, value, event_source, event_id, recorded_at)
  SELECT o.*, $8::timestamptz
  FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::timestamptz[], $5::float8[], $6::text[], $7::text[]) AS o
  ON CONFLICT DO NOTHING
  RETURNING datastream, phenomenon_time, event_key
), new AS (
  SELECT i.*, coalesce((SELECT true FROM observation o WHERE o.datastream = i.datastream
                        AND o.phenomenon_time = i.phenomenon_time LIMIT 1), false) AS known
  FROM inserted i
)
SELECT total, new.* FROM (SELECT count(*) AS total FROM new) AS counted LEFT JOIN new ON total < $9 OR new.known
"""
"""The query around the insert sees the table as it was before it: `known` means known before this batch.

Where all is new ($9 rows), only the rows with a known key come back, mostly none: reading them costs more than writing.
No EXISTS, since a plan made while the table is young answers it by reading the whole table for every batch.
"""

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


async def lock_devices(session: AsyncSession, partners: set[str]) -> None:
    """Nobody else changes devices of these companies until the commit."""
    if partners:
        lock = (
            "SELECT pg_advisory_xact_lock(:space, hashtext(partner)) FROM unnest(CAST(:partners AS text[])) AS partner"
        )
        await run(session, text(lock), {"space": LOCK_DEVICES, "partners": sorted(partners)})


async def devices(session: AsyncSession, keys: set[tuple[str, str]]) -> dict[tuple[str, str], Device]:
    """The devices with these (company, device) keys that are known, with their datastreams by property."""
    if not keys:
        return {}
    wanted = {"partners": [partner for partner, _ in keys], "devices": [device for _, device in keys]}
    rows = (await run(session, text(DEVICES).columns(location=JSONB), wanted)).all()
    streams: dict[tuple[str, str], dict[str, Datastream]] = {}
    for row in rows:
        stream = Datastream(row.id, row.property, row.unit, row.dataset, row.observed_property)
        streams.setdefault((row.partner, row.device), {})[row.property] = stream
    return {(row.partner, row.device): _device(row, streams[row.partner, row.device]) for row in rows}


def _device(row: Any, streams: dict[str, Datastream]) -> Device:
    location = (row.location[0], row.location[1]) if row.location else None
    return Device(row.partner, row.device, row.name, row.codec, location, streams)


async def devices_of(session: AsyncSession, partner: str | None) -> list[Device]:
    """All devices of a company, or of all companies."""
    query = select(DeviceRow.partner, DeviceRow.device)
    if partner is not None:
        query = query.where(DeviceRow.partner == partner)
    keys = {(owner, device) for owner, device in (await session.exec(query)).all()}
    return list((await devices(session, keys)).values())


async def save_devices(session: AsyncSession, changed: Mapping[tuple[str, str], Device]) -> None:
    """Insert or replace devices and datastreams."""
    if not changed:
        return
    rows = [_device_row(device) for device in changed.values()]
    upsert = insert(DeviceRow).values(rows)
    new = {name: upsert.excluded[name] for name in ("name", "codec", "location")}
    await run(session, upsert.on_conflict_do_update(index_elements=["partner", "device"], set_=new))
    streams = [row for device in changed.values() for row in _datastream_rows(device)]
    insert_streams = insert(DatastreamRow)
    words = {"observed_property": insert_streams.excluded.observed_property}
    await run(session, insert_streams.on_conflict_do_update(index_elements=["id"], set_=words), streams)


def _device_row(device: Device) -> dict[str, Any]:
    return {
        "partner": device.partner,
        "device": device.device,
        "name": device.name,
        "codec": device.codec,
        "location": list(device.location) if device.location else None,
    }


def _datastream_rows(device: Device) -> list[dict[str, Any]]:
    return [
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


async def insert_observations(raw: Any, observations: Sequence[Observation], now: datetime) -> dict[EventRow, bool]:
    """Insert a batch in one statement.

    Args:
        raw: the asyncpg connection of the transaction.
        now: the time of recording.

    Returns:
        The rows that were new; the value says whether their natural key was known before.
    """
    buckets = sorted({o.datastream.id.int % DATASTREAM_LOCKS for o in observations})
    lock = "SELECT pg_advisory_xact_lock($1, bucket) FROM unnest($2::int[]) AS bucket"
    await raw.execute(lock, LOCK_DATASTREAMS, buckets)
    rows = [
        (o.datastream.id, r.phenomenon_time, r.event_key, r.result_time, r.value, r.event_source, r.event_id)
        for o in observations
        for r in (o.reading,)
    ]
    found = await raw.fetch(INSERT_OBSERVATIONS, *zip(*rows, strict=True), now, len(rows))
    new = {(row[1], row[2], row[3]): row[4] for row in found if row[1] is not None}
    return dict.fromkeys((row[:3] for row in rows), False) | new if found[0]["total"] == len(rows) else new


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
