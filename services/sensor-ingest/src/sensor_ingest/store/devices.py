"""Devices, their datastreams, and the history of their hardware and places."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Double, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import BigInteger, Field
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.store import run
from sensor_ingest import domain
from sensor_ingest.domain import Datastream, Device, Mounting, Placement, Point, ProfileRef, Stay
from sensor_ingest.store.base import Base

LOCK_DEVICES = 0x6465
"""Advisory lock, held until the commit: replicas of the service do not decide at once on one company's devices."""
Key = tuple[str, str]
"""A company, and its own id of a device or of hardware."""


class DeviceRow(Base, table=True):
    """A device of a company, as the declaration says that counts."""

    __tablename__ = "device"
    __table_args__ = (Index("device_hardware", "partner", "hardware"),)

    partner: str = Field(primary_key=True, sa_type=Text)
    device: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    profile: str | None = Field(default=None, sa_type=Text)
    profile_version: int | None = None
    hardware: str = Field(sa_type=Text)
    longitude: float | None = Field(default=None, sa_type=Double)
    latitude: float | None = Field(default=None, sa_type=Double)
    altitude: float | None = Field(default=None, sa_type=Double)
    declared_at: datetime = Field(sa_type=DateTime(timezone=True))
    declared_source: str = Field(sa_type=Text)
    declared_id: str = Field(sa_type=Text)


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
    definition: str | None = Field(default=None, sa_type=Text)
    interval_seconds: int | None = None
    minimum: float | None = Field(default=None, sa_type=Double)
    maximum: float | None = Field(default=None, sa_type=Double)
    declared_at: datetime = Field(sa_type=DateTime(timezone=True))
    declared_source: str = Field(sa_type=Text)
    declared_id: str = Field(sa_type=Text)


class MountingRow(Base, table=True):
    """Other hardware than the first, since a time."""

    __tablename__ = "mounting"
    __table_args__ = (Index("mounting_hardware", "partner", "hardware"),)

    partner: str = Field(primary_key=True, sa_type=Text)
    device: str = Field(primary_key=True, sa_type=Text)
    since: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    hardware: str = Field(sa_type=Text)
    said_at: datetime = Field(sa_type=DateTime(timezone=True))
    said_source: str = Field(sa_type=Text)
    said_id: str = Field(sa_type=Text)


class PlacementRow(Base, table=True):
    """Another place than the first, since a time."""

    __tablename__ = "placement"

    partner: str = Field(primary_key=True, sa_type=Text)
    device: str = Field(primary_key=True, sa_type=Text)
    since: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    longitude: float = Field(sa_type=Double)
    latitude: float = Field(sa_type=Double)
    altitude: float | None = Field(default=None, sa_type=Double)
    said_at: datetime = Field(sa_type=DateTime(timezone=True))
    said_source: str = Field(sa_type=Text)
    said_id: str = Field(sa_type=Text)


class RegistryVersionRow(Base, table=True):
    """Grows with each change of a company's devices or profiles, in the transaction of the change."""

    __tablename__ = "registry_version"

    partner: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(sa_type=BigInteger)


OF_DEVICES = """
SELECT t.* FROM unnest(CAST(:partners AS text[]), CAST(:devices AS text[])) AS wanted(partner, device)
JOIN {table} t USING (partner, device) ORDER BY {order}
"""
WITH_HARDWARE = """
SELECT wanted.hardware AS wanted, d.*
FROM unnest(CAST(:partners AS text[]), CAST(:hardware AS text[])) AS wanted(partner, hardware)
JOIN LATERAL (
  SELECT partner, device FROM device WHERE partner = wanted.partner AND hardware = wanted.hardware
  UNION SELECT partner, device FROM mounting WHERE partner = wanted.partner AND hardware = wanted.hardware
) AS at ON true
JOIN LATERAL (
  SELECT partner, device, NULL AS since, hardware, declared_at AS said_at, declared_source AS said_source,
         declared_id AS said_id
  FROM device WHERE partner = at.partner AND device = at.device
  UNION ALL
  SELECT partner, device, since, hardware, said_at, said_source, said_id
  FROM mounting WHERE partner = at.partner AND device = at.device
) AS d ON true
ORDER BY d.partner, wanted, d.device, d.since NULLS FIRST
"""
"""All mountings of all devices at which the hardware ever was."""
NEXT_VERSION = """
INSERT INTO registry_version AS v (partner, version)
SELECT partner, 1 FROM unnest(CAST(:partners AS text[])) AS partner ORDER BY partner
ON CONFLICT (partner) DO UPDATE SET version = v.version + 1
"""
CHOSEN = """
SELECT d.partner, d.device FROM device d
WHERE (CAST(:partner AS text) IS NULL OR d.partner = :partner)
  AND (CAST(:after_partner AS text) IS NULL OR (d.partner, d.device) > (:after_partner, :after_device))
  AND (CAST(:dataset AS text) IS NULL AND CAST(:property AS text) IS NULL OR EXISTS (
    SELECT FROM datastream s WHERE s.partner = d.partner AND s.device = d.device
      AND (CAST(:dataset AS text) IS NULL OR s.dataset = :dataset)
      AND (CAST(:property AS text) IS NULL OR s.property = :property)))
  AND (NOT CAST(:late AS boolean) OR EXISTS (
    SELECT FROM datastream s
    LEFT JOIN LATERAL (SELECT o.phenomenon_time FROM observation o WHERE o.datastream = s.id
                       ORDER BY o.phenomenon_time DESC LIMIT 1) AS last ON true
    WHERE s.partner = d.partner AND s.device = d.device
      AND coalesce(last.phenomenon_time, s.declared_at)
          < CAST(:now AS timestamptz) - s.interval_seconds * CAST(:patience AS interval)))
ORDER BY d.partner, d.device LIMIT :limit
"""
LAST = """
SELECT s.id, last.phenomenon_time FROM unnest(CAST(:ids AS uuid[])) AS s(id)
CROSS JOIN LATERAL (SELECT o.phenomenon_time FROM observation o WHERE o.datastream = s.id
                    ORDER BY o.phenomenon_time DESC LIMIT 1) AS last
"""
PATIENCE = timedelta(seconds=3)
"""For each second of the expected interval: after three of them without a value a datastream is late."""


async def lock_devices(session: AsyncSession, partners: set[str]) -> None:
    """Nobody else changes devices of these companies until the commit."""
    if partners:
        lock = (
            "SELECT pg_advisory_xact_lock(:space, hashtext(partner)) FROM unnest(CAST(:partners AS text[])) AS partner"
        )
        await run(session, text(lock), {"space": LOCK_DEVICES, "partners": sorted(partners)})


async def devices(session: AsyncSession, keys: Collection[Key]) -> dict[Key, Device]:
    """The devices with these (company, device) keys that are known, whole."""
    if not keys:
        return {}
    streams = _by_device((row, _datastream(row)) for row in await _of(session, keys, "datastream", "property"))
    mountings = _by_device((row, _mounting(row)) for row in await _of(session, keys, "mounting", "since"))
    placements = _by_device((row, _placement(row)) for row in await _of(session, keys, "placement", "since"))
    found = {}
    for row in await _of(session, keys, "device", "partner, device"):
        key = (row.partner, row.device)
        found[key] = _device(row, streams.get(key, []), mountings.get(key, []), placements.get(key, []))
    return found


async def _of(session: AsyncSession, keys: Collection[Key], table: str, order: str) -> Any:
    wanted = {"partners": [partner for partner, _ in keys], "devices": [device for _, device in keys]}
    return (await run(session, text(OF_DEVICES.format(table=table, order=order)), wanted)).all()


def _by_device(rows: Iterable[tuple[Any, Any]]) -> dict[Key, list[Any]]:
    found: dict[Key, list[Any]] = {}
    for row, read in rows:
        found.setdefault((row.partner, row.device), []).append(read)
    return found


def _device(row: Any, streams: list[Datastream], mountings: list[Mounting], placements: list[Placement]) -> Device:
    return Device(
        partner=row.partner,
        device=row.device,
        name=row.name,
        datastreams={stream.property: stream for stream in streams},
        description=row.description,
        profile=ProfileRef(row.profile, row.profile_version) if row.profile else None,
        hardware=row.hardware,
        location=None if row.longitude is None else Point(row.longitude, row.latitude, row.altitude),
        declared=(row.declared_at, row.declared_source, row.declared_id),
        mountings=tuple(mountings),
        placements=tuple(placements),
    )


def _datastream(row: Any) -> Datastream:
    return Datastream(
        id=row.id,
        property=row.property,
        unit=row.unit,
        dataset=row.dataset,
        observed_property=row.observed_property,
        definition=row.definition,
        interval_seconds=row.interval_seconds,
        minimum=row.minimum,
        maximum=row.maximum,
        declared=(row.declared_at, row.declared_source, row.declared_id),
    )


def _mounting(row: Any) -> Mounting:
    return Mounting(row.hardware, row.since or domain.EVER, (row.said_at, row.said_source, row.said_id))


def _placement(row: Any) -> Placement:
    location = Point(row.longitude, row.latitude, row.altitude)
    return Placement(location, row.since, (row.said_at, row.said_source, row.said_id))


async def by_hardware(session: AsyncSession, keys: Collection[Key]) -> dict[Key, tuple[Stay, ...]]:
    """Where hardware with these (company, hardware) keys was, by time."""
    if not keys:
        return {}
    wanted = {"partners": [partner for partner, _ in keys], "hardware": [hardware for _, hardware in keys]}
    found: dict[Key, dict[str, list[Mounting]]] = {}
    for row in (await run(session, text(WITH_HARDWARE), wanted)).all():
        found.setdefault((row.partner, row.wanted), {}).setdefault(row.device, []).append(_mounting(row))
    return {key: domain.stays(key[1], mountings) for key, mountings in found.items()}


async def devices_of(session: AsyncSession, partner: str | None) -> list[Device]:
    """All devices of a company, or of all companies."""
    return await choose_devices(session, partner)


async def choose_devices(
    session: AsyncSession,
    partner: str | None,
    *,
    dataset: str | None = None,
    property: str | None = None,
    late_at: datetime | None = None,
    after: Key | None = None,
    limit: int | None = None,
) -> list[Device]:
    """Devices by company and name.

    Args:
        partner: ``None``: of all companies.
        late_at: those only of which a datastream brought no value for three of its intervals before this time.
        after: the last of those that were read before.
    """
    said = {
        "partner": partner,
        "dataset": dataset,
        "property": property,
        "late": late_at is not None,
        "now": late_at,
        "patience": PATIENCE,
        "after_partner": after[0] if after else None,
        "after_device": after[1] if after else None,
        "limit": limit,
    }
    keys = [(row.partner, row.device) for row in (await run(session, text(CHOSEN), said)).all()]
    found = await devices(session, keys)
    return [found[key] for key in keys]


async def last_seen(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, datetime]:
    """The time of the newest value of each of these datastreams that has one."""
    rows = (await run(session, text(LAST), {"ids": list(ids)})).all()
    return {row.id: row.phenomenon_time for row in rows}


async def save_devices(session: AsyncSession, changed: Mapping[Key, Device]) -> None:
    """Insert or replace devices, datastreams, mountings and placements; the registry gets its next version."""
    if not changed:
        return
    found = [changed[key] for key in sorted(changed)]
    await _upsert(session, DeviceRow, [_device_row(device) for device in found], ("partner", "device"))
    streams = [_datastream_row(device, stream) for device in found for stream in device.datastreams.values()]
    await _upsert(session, DatastreamRow, streams, ("id",), ("partner", "device", "property", "unit", "dataset"))
    history = ("partner", "device", "since")
    mountings = [_change_row(d, m) | {"hardware": m.hardware} for d in found for m in d.mountings]
    await _upsert(session, MountingRow, mountings, history)
    placements = [_change_row(d, p) | p.location._asdict() for d in found for p in d.placements]
    await _upsert(session, PlacementRow, placements, history)
    await next_version(session, {device.partner for device in found})


async def _upsert(
    session: AsyncSession, table: Any, rows: list[dict[str, Any]], key: tuple[str, ...], fixed: tuple[str, ...] = ()
) -> None:
    if not rows:
        return
    statement = insert(table)
    new = {name: statement.excluded[name] for name in rows[0] if name not in (*key, *fixed)}
    await run(session, statement.on_conflict_do_update(index_elements=key, set_=new), rows)


async def next_version(session: AsyncSession, partners: Collection[str]) -> None:
    """Say that something of these companies' devices or profiles has changed."""
    await run(session, text(NEXT_VERSION), {"partners": sorted(partners)})


async def registry_versions(raw: Any) -> dict[str, int]:
    """The version of each company's registry: as long as it is the same, so are its devices and profiles.

    Args:
        raw: the asyncpg connection of the transaction.
    """
    return dict(await raw.fetch("SELECT partner, version FROM registry_version"))


def _device_row(device: Device) -> dict[str, Any]:
    place = device.location or Point(None, None)  # type: ignore[arg-type]
    return {
        "partner": device.partner,
        "device": device.device,
        "name": device.name,
        "description": device.description,
        "profile": device.profile.name if device.profile else None,
        "profile_version": device.profile.version if device.profile else None,
        "hardware": device.hardware,
        **place._asdict(),
        **_version("declared", device.declared),
    }


def _datastream_row(device: Device, stream: Datastream) -> dict[str, Any]:
    names = ("id", "property", "unit", "dataset", "observed_property", "definition")
    numbers = ("interval_seconds", "minimum", "maximum")
    return {
        "partner": device.partner,
        "device": device.device,
        **{name: getattr(stream, name) for name in (*names, *numbers)},
        **_version("declared", stream.declared),
    }


def _change_row(device: Device, change: Mounting | Placement) -> dict[str, Any]:
    said = _version("said", change.said)
    return {"partner": device.partner, "device": device.device, "since": change.since, **said}


def _version(prefix: str, version: domain.Version) -> dict[str, Any]:
    return {f"{prefix}_at": version[0], f"{prefix}_source": version[1], f"{prefix}_id": version[2]}
