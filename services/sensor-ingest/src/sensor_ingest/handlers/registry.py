"""What is known of devices while a batch is decided: kept from batch to batch, until the company's registry changes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sensor_ingest import codecs, domain
from sensor_ingest.codecs import Profile
from sensor_ingest.domain import Device

Key = tuple[str, str]
MAX_KEPT = 50_000
"""Devices that a process keeps in memory; about 100 MB."""


@dataclass(slots=True)
class Registry:
    """Devices by company and name, where each apparatus was, and the companies' own profiles by company and name."""

    devices: dict[Key, Device] = field(default_factory=dict)
    stays: dict[Key, tuple[domain.Stay, ...]] = field(default_factory=dict)
    profiles: dict[Key, dict[int, Profile]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    """Of each company's registry, when it was read."""
    asked: frozenset[Key] = frozenset()
    """The apparatuses that a batch speaks of."""
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while it is brought up to date."""

    def only(self, devices: set[Key], hardware: set[Key]) -> "Registry":
        """A part of it, which does not change when the whole does."""
        return Registry(
            {key: self.devices[key] for key in devices if key in self.devices},
            {key: self.stays[key] for key in hardware if key in self.stays},
            {key: dict(versions) for key, versions in self.profiles.items()},
            asked=frozenset(hardware),
        )

    def at(self, partner: str, hardware: str, time: datetime) -> Device | None:
        """The device at which an apparatus measured at a time."""
        device = domain.device_at(self.stays.get((partner, hardware), ()), time)
        return self.devices.get((partner, device)) if device else None

    def profile(self, partner: str, name: str, version: int | None = None) -> Profile | None:
        """A profile of the company, else one that ships with the service; without a version the newest."""
        versions = self.profiles.get((partner, name)) or _shipped().get(name, {})
        return versions.get(version or max(versions, default=0))

    @property
    def coding(self) -> set[str]:
        """The companies that have codecs of their own in JavaScript."""
        return {
            partner
            for (partner, _), versions in self.profiles.items()
            if any(profile.codec == "javascript" for profile in versions.values())
        }

    def changed(self, device: Device) -> None:
        """Later messages of the batch are held against the device as it is now."""
        before = self.devices.get(device.key, device)
        self.devices[device.key] = device
        for hardware in {mounting.hardware for mounting in (*before.all_mountings, *device.all_mountings)}:
            key = (device.partner, hardware)
            if key not in self.asked:
                continue  # nobody asks for it in this batch
            places = {d.device: d.all_mountings for d in self._of(device.partner, hardware)}
            self.stays[key] = domain.stays(hardware, places)

    def _of(self, partner: str, hardware: str) -> list[Device]:
        found = (device for device in self.devices.values() if device.partner == partner)
        return [device for device in found if any(m.hardware == hardware for m in device.all_mountings)]

    def forget_outdated(self, versions: Mapping[str, int], partners: set[str]) -> None:
        """Drop what is known of companies whose registry has another version by now."""
        outdated = {partner for partner in partners if self.versions.get(partner) != versions.get(partner, 0)}
        if len(self.devices) + len(self.stays) > MAX_KEPT:
            outdated |= set(self.versions)
        if outdated:
            known: dict[Key, Any]
            for known in (self.devices, self.stays, self.profiles):
                for key in [key for key in known if key[0] in outdated]:
                    del known[key]
            for partner in outdated:
                self.versions.pop(partner, None)
        self.versions |= {partner: versions.get(partner, 0) for partner in partners}


@cache
def _shipped() -> dict[str, dict[int, Profile]]:
    """The profiles that ship with the service, by name and version."""
    found: dict[str, dict[int, Profile]] = {}
    for profile in codecs.builtin().values():
        found.setdefault(profile.name, {})[profile.version] = profile
    return found
