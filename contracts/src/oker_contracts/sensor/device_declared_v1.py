"""A company declares a device and what it measures (claim)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, DeviceId, Part, PropertyName, Slug, Title, Unit

Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Codec = Literal["none", "cayenne_lpp"]
"""How the raw bytes of the device's LoRaWAN uplinks are read; ``none`` for devices that report numbers."""


class DeclaredDatastream(Part):
    """One observed property of a device (SensorThings: Datastream)."""

    property: PropertyName
    unit: Unit
    dataset: Slug = Field(description="The dataset (DCAT) whose licence, grants and retention apply.")
    observed_property: Title = Field(description="What is measured, in words.")


class DeviceDeclaredV1(Contract):
    """Declares a device, or declares it anew with more datastreams."""

    TYPE: ClassVar[str] = "sensor.device_declared.v1"

    device: DeviceId
    name: Title
    codec: Codec = "none"
    location: tuple[Longitude, Latitude] | None = Field(
        default=None, description="Longitude and latitude in degrees, WGS 84, as in a GeoJSON point."
    )
    datastreams: Annotated[list[DeclaredDatastream], Field(min_length=1, max_length=64)]
