"""The tables of sensor-ingest: devices and profiles, observations."""

from sensor_ingest.store.base import metadata
from sensor_ingest.store.devices import (
    by_hardware,
    choose_devices,
    devices,
    devices_of,
    last_seen,
    lock_devices,
    registry_versions,
    save_devices,
)
from sensor_ingest.store.lorawan import save_events
from sensor_ingest.store.observations import insert_observations, make_partitions, observations, recount
from sensor_ingest.store.profiles import profiles, save_profiles

__all__ = [
    "by_hardware",
    "choose_devices",
    "devices",
    "devices_of",
    "insert_observations",
    "last_seen",
    "lock_devices",
    "make_partitions",
    "metadata",
    "observations",
    "profiles",
    "recount",
    "registry_versions",
    "save_devices",
    "save_events",
    "save_profiles",
]
