"""Devices and profiles: load what a batch speaks of, take in what it declares, save what has changed."""

import json
from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from typing import Any

from oker_bus import Event, Reason, Refused, Transaction
from oker_contracts.sensor.device_declared_v2 import DeviceDeclaredV2
from oker_contracts.sensor.device_moved_v1 import DeviceMovedV1
from oker_contracts.sensor.device_replaced_v1 import DeviceReplacedV1
from oker_contracts.sensor.profile_declared_v1 import ProfileDeclaredV1
from sensor_ingest import codecs, domain, store, units
from sensor_ingest.codecs import Measurement, Profile, Vector
from sensor_ingest.domain import Datastream, Device, Mounting, Placement, Point, ProfileRef, Terms
from sensor_ingest.handlers.claims import Claim
from sensor_ingest.handlers.registry import Key, Registry


async def load(tx: Transaction, claims: Sequence[Claim], kept: Registry) -> Registry:
    """What is known of the devices, apparatuses and profiles that these messages speak of.

    Args:
        kept: what earlier batches have loaded; used where nothing has changed since.

    Returns:
        What the batch may change alone: two batches are decided at a time, and neither may empty or fill what the
        other is held against.
    """
    changing = {claim.partner for claim in claims if claim.registers}
    await store.lock_devices(tx.session, changing)
    registry = Registry() if changing else kept
    async with registry.loading:
        registry.forget_outdated(await store.registry_versions(await tx.raw()), {claim.partner for claim in claims})
        named, hardware = _named(claims)
        await _load_stays(tx, registry, hardware - registry.stays.keys())
        mounted = {(key[0], stay.device) for key in hardware for stay in registry.stays.get(key, ())}
        await _load_devices(tx, registry, (named | mounted) - registry.devices.keys())
        return registry.only(named | mounted, hardware)


def _named(claims: Sequence[Claim]) -> tuple[set[Key], set[Key]]:
    """The devices, and the apparatuses, that messages speak of, with their companies."""
    devices: set[Key] = set()
    hardware: set[Key] = set()
    for claim in claims:
        partner, said = claim.partner, claim.registers
        for reading in claim.readings:
            devices.add((partner, reading.device))
        if claim.device:
            devices.add((partner, claim.device))
        if claim.hardware:
            hardware.add((partner, claim.hardware))
        if said is not None and isinstance(said, DeviceDeclaredV2 | DeviceReplacedV1):
            hardware.add((partner, domain.hardware_id(said.hardware or said.device)))
    return devices, hardware


async def _load_stays(tx: Transaction, registry: Registry, missing: set[Key]) -> None:
    if missing:
        found = await store.by_hardware(tx.session, missing)
        registry.stays |= found


async def _load_devices(tx: Transaction, registry: Registry, missing: set[Key]) -> None:
    """Profiles come with the first look at a company: they are few, and any device may name any of them."""
    if missing:
        found = await store.devices(tx.session, missing)
        registry.devices |= found
    partners = {partner for partner in registry.versions if (partner, "") not in registry.profiles}
    if partners:
        for (partner, name, version), declared in (await store.profiles(tx.session, partners)).items():
            profile = profile_of(partner, ProfileDeclaredV1.model_validate_json(json.dumps(declared)))
            registry.profiles.setdefault((partner, name), {})[version] = profile
        registry.profiles |= {(partner, ""): {} for partner in partners}


def register(claim: Claim, registry: Registry, datasets: Container[str], now: datetime) -> None:
    """Take a declaration in; later messages of the batch are held against it.

    Raises:
        NotAcceptable: a rule of the domain is broken.
        Refused: ``profile_invalid``.
    """
    event = claim.event
    assert event is not None
    if isinstance(event.data, ProfileDeclaredV1):
        _register_profile(claim, event.data, registry)
        return
    device = _changed(claim.partner, event, registry, datasets, now)
    known = registry.devices.get(device.key)
    if device != known:
        claim.registered, claim.is_news = device, domain.is_news(device, known)
        registry.changed(device)


def _register_profile(claim: Claim, data: ProfileDeclaredV1, registry: Registry) -> None:
    profile = profile_of(claim.partner, data)
    versions = registry.profiles.setdefault((claim.partner, data.profile), {})
    if data.version in versions:
        if versions[data.version] != profile:
            detail = f"Version {data.version} of {data.profile!r} is there, and says something else; say the next one."
            raise Refused(Reason.PROFILE_INVALID, "$.version", detail)
        return
    for position, measurement in enumerate(data.measurements):
        try:
            units.check_unit(measurement.unit)
        except ValueError as error:
            raise Refused(Reason.UNIT_UNKNOWN, f"$.measurements[{position}].unit", str(error)) from None
    if faults := codecs.check_profile(profile):
        raise Refused(Reason.PROFILE_INVALID, "$.vectors", faults[0])
    versions[data.version] = profile
    claim.profile = data


def _changed(partner: str, event: Event[Any], registry: Registry, datasets: Container[str], now: datetime) -> Device:
    data = event.data
    known = registry.devices.get((partner, data.device))
    said = (event.time, event.source, event.id)
    match data:
        case DeviceReplacedV1():
            mounting = Mounting(domain.hardware_id(data.hardware), data.replaced_at, said)
            return domain.replace_hardware(data.device, known, mounting, now)
        case DeviceMovedV1():
            return domain.move(data.device, known, Placement(_point(data.location), data.moved_at, said), now)
        case _:
            terms = Terms(
                datasets,
                units.check_unit,
                has_profile=lambda ref: registry.profile(partner, *ref) is not None,
                now=now,
                holder=lambda hardware: domain.first_holder(registry.stays.get((partner, hardware), ())),
            )
            return domain.register(device_of(partner, data, said), known, terms)


def device_of(partner: str, data: DeviceDeclaredV2, said: domain.Version) -> Device:
    """A device as it is declared.

    Raises:
        NotAcceptable: a property is named twice.
    """
    streams = domain.by_property(
        Datastream(
            id=domain.datastream_id(partner, data.device, s.property),
            property=s.property,
            unit=s.unit,
            dataset=s.dataset,
            observed_property=s.observed_property,
            definition=s.definition,
            interval_seconds=s.interval_seconds,
            minimum=s.minimum,
            maximum=s.maximum,
            declared=said,
        )
        for s in data.datastreams
    )
    return Device(
        partner=partner,
        device=data.device,
        name=data.name,
        datastreams=streams,
        description=data.description,
        profile=ProfileRef(data.profile.name, data.profile.version) if data.profile else None,
        hardware=domain.hardware_id(data.hardware or data.device),
        location=_point(data.location) if data.location else None,
        declared=said,
    )


def _point(said: Any) -> Point:
    return Point(*said.coordinates)


def profile_of(partner: str, data: ProfileDeclaredV1) -> Profile:
    """A profile as it is declared; whether it passes its own test vectors is another question."""
    return Profile(
        name=data.profile,
        version=data.version,
        codec=data.codec,
        script=data.script,
        measurements=tuple(Measurement(m.path, m.property, m.unit, m.factor) for m in data.measurements),
        variables=data.variables,
        vectors=tuple(
            Vector(v.f_port, v.bytes, v.body, v.data, tuple(v.errors) if v.errors is not None else None)
            for v in data.vectors
        ),
        time_path=data.time_path,
        time_format=data.time_format,
        owner=partner,
    )


async def save(tx: Transaction, claims: Iterable[Claim]) -> None:
    """Save what has changed."""
    devices = {claim.registered.key: claim.registered for claim in claims if claim.registered}
    await store.save_devices(tx.session, devices)
    profiles = [(claim.partner, claim.profile.model_dump(mode="json")) for claim in claims if claim.profile]
    await store.save_profiles(tx.session, profiles, tx.now)
