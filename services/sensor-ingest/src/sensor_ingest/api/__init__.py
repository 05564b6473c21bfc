"""HTTP: a company sends CloudEvents and reads its own; the unit and the auditor read all."""

from fastapi import APIRouter

from oker_bus import Bus
from sensor_ingest.api import devices, events, hooks, profiles, radio, redecode, registering, trying


def build(bus: Bus) -> APIRouter:
    """The API of sensor-ingest."""
    router = APIRouter()
    router.include_router(events.build(bus))
    router.include_router(devices.build(bus))
    for part in (registering, profiles, trying, hooks, radio, redecode):
        router.include_router(part.build(bus))
    return router
