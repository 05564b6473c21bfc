"""A device and its datastreams are known to the platform (fact)."""

from typing import ClassVar

from oker_contracts.base import Contract, DeviceId, Part, PropertyName, Slug, Title, Unit
from oker_contracts.sensor.device_declared_v1 import Codec


class RegisteredDatastream(Part):
    """A datastream with the id under which its observations are kept."""

    datastream: str
    property: PropertyName
    unit: Unit
    dataset: Slug
    observed_property: Title


class DeviceRegisteredV1(Contract):
    """The state of a device after its registration, complete."""

    TYPE: ClassVar[str] = "sensor.device_registered.v1"
    KEY: ClassVar[tuple[str, ...]] = ("partner",)

    partner: Slug
    device: DeviceId
    name: Title
    codec: Codec
    location: tuple[float, float] | None
    datastreams: list[RegisteredDatastream]
