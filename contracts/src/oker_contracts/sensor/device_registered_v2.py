"""A device and its datastreams are known to the platform (fact)."""

from typing import Any, ClassVar

from oker_contracts.base import Contract, DeviceId, Instant, Part, PropertyName, Slug, Text, Title, Unit
from oker_contracts.sensor.device_declared_v2 import Point, ProfileRef
from oker_contracts.sensor.device_declared_v2 import upcast_v1 as upcast_declaration


class Mounting(Part):
    """The apparatus that measures since a time; ``None``: since ever."""

    hardware: DeviceId
    since: Instant | None


class Placement(Part):
    """The place since a time; ``None``: since ever."""

    location: Point
    since: Instant | None


class RegisteredDatastream(Part):
    """A datastream with the id under which its observations are kept."""

    datastream: str
    property: PropertyName
    unit: Unit
    dataset: Slug
    observed_property: Title
    definition: str | None
    interval_seconds: int | None
    minimum: float | None
    maximum: float | None


class DeviceRegisteredV2(Contract):
    """The state of a device after a change, complete."""

    TYPE: ClassVar[str] = "sensor.device_registered.v2"
    KEY: ClassVar[tuple[str, ...]] = ("partner",)

    partner: Slug
    device: DeviceId
    name: Title
    description: Text
    profile: ProfileRef | None
    mountings: list[Mounting]
    placements: list[Placement]
    datastreams: list[RegisteredDatastream]
    declared_at: Instant
    """The time of the declaration that counts: the latest, whatever came first."""
    declared_source: str
    declared_id: str


def upcast_v1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had one apparatus, of the device's name, and one place."""
    new = upcast_declaration(data)
    place = new.pop("location")
    nothing = {"definition": None, "interval_seconds": None, "minimum": None, "maximum": None}
    return {
        **new,
        "description": "",
        "mountings": [{"hardware": data["device"], "since": None}],
        "placements": [] if place is None else [{"location": place, "since": None}],
        "datastreams": [{**stream, **nothing} for stream in data["datastreams"]],
        "declared_at": "2000-01-01T00:00:00Z",
        "declared_source": "",
        "declared_id": "",
    }
