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
from sensor_ingest.store.lorawan import first_times, network_objects, save_events
from sensor_ingest.store.observations import insert_observations, observations, recount
from sensor_ingest.store.partitions import make_partitions, make_partitions_ahead
from sensor_ingest.store.profiles import profiles, save_profiles

__all__ = [
    "by_hardware",
    "choose_devices",
    "devices",
    "devices_of",
    "first_times",
    "insert_observations",
    "last_seen",
    "lock_devices",
    "make_partitions",
    "make_partitions_ahead",
    "metadata",
    "network_objects",
    "observations",
    "profiles",
    "recount",
    "registry_versions",
    "save_devices",
    "save_events",
    "save_profiles",
]
