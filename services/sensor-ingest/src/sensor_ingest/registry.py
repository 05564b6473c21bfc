"""Devices as they are told: in the fact that is announced, and over HTTP."""

from datetime import datetime
from typing import Any

from oker_contracts.sensor.device_registered_v2 import DeviceRegisteredV2
from sensor_ingest import domain
from sensor_ingest.domain import Datastream, Device, Point


def registered(device: Device) -> DeviceRegisteredV2:
    """The whole state of a device, as a fact."""
    time, source, id = device.declared
    return DeviceRegisteredV2.model_validate(
        {
            "partner": device.partner,
            "device": device.device,
            "name": device.name,
            "description": device.description,
            "profile": device.profile and device.profile._asdict(),
            "mountings": [{"hardware": m.hardware, "since": since(m.since)} for m in device.all_mountings],
            "placements": [{"location": geojson(p.location), "since": since(p.since)} for p in device.all_placements],
            "datastreams": [datastream(stream) for stream in device.datastreams.values()],
            "declared_at": time,
            "declared_source": source,
            "declared_id": id,
        }
    )


def since(time: datetime) -> datetime | None:
    """``None``: since ever."""
    return None if time == domain.EVER else time


def geojson(point: Point) -> dict[str, Any]:
    """A GeoJSON geometry (RFC 7946)."""
    return {"type": "Point", "coordinates": tuple(number for number in point if number is not None)}


def datastream(stream: Datastream) -> dict[str, Any]:
    """What is told of a datastream."""
    return {
        "datastream": str(stream.id),
        "property": stream.property,
        "unit": stream.unit,
        "dataset": stream.dataset,
        "observed_property": stream.observed_property,
        "definition": stream.definition,
        "interval_seconds": stream.interval_seconds,
        "minimum": stream.minimum,
        "maximum": stream.maximum,
    }
