"""A company declares a device and what it measures (claim)."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, core_schema

from oker_contracts.base import Contract, DeviceId, Part, PropertyName, Result, Slug, Text, Title, Unit

Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Altitude = Annotated[float, Field(ge=-12_000, le=100_000)]
Seconds = Annotated[int, Field(ge=1, le=31_622_400)]
Definition = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,490}$")]
PROFILES = {"cayenne_lpp": "cayenne-lpp"}
"""The profile that stands for a codec of version 1."""


class _Position:
    """Two or three numbers; a union of tuples would put Pydantic's names into the paths that senders read."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        parts = [handler.generate_schema(part) for part in (Longitude, Latitude, Altitude)]
        return core_schema.tuple_schema(parts, variadic_item_index=2, min_length=2, max_length=3)


class Point(Part):
    """A GeoJSON point (RFC 7946): longitude and latitude in degrees, WGS 84; metres of altitude may follow."""

    type: Literal["Point"] = "Point"
    coordinates: Annotated[tuple[float, float] | tuple[float, float, float], _Position()]


class ProfileRef(Part):
    """A device profile: how the bytes of the device are read."""

    name: Slug
    version: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="Left out: the newest version there is."
    )


class DeclaredDatastream(Part):
    """One observed property of a device (SensorThings: Datastream)."""

    property: PropertyName
    unit: Unit = Field(description="UCUM. Readings in another unit of the same kind are converted to it.")
    dataset: Slug = Field(description="The dataset (DCAT) whose licence, grants and retention apply.")
    observed_property: Title = Field(description="What is measured, in words.")
    definition: Definition | None = Field(default=None, description="A vocabulary's URI of what is measured.")
    interval_seconds: Seconds | None = Field(default=None, description="How often a value is expected.")
    minimum: Result | None = Field(default=None, description="Lower values are implausible and are quarantined.")
    maximum: Result | None = Field(default=None, description="Higher values are implausible and are quarantined.")


class DeviceDeclaredV2(Contract):
    """Declares a measuring point, or declares it anew with more datastreams.

    ``device`` names the measuring point (SensorThings: Thing) for good; ``hardware`` names the apparatus that
    measures there now and may be replaced (``sensor.device_replaced.v1``). Left out, both have one name.
    """

    TYPE: ClassVar[str] = "sensor.device_declared.v2"

    device: DeviceId
    name: Title
    description: Text = ""
    profile: ProfileRef | None = None
    hardware: DeviceId | None = Field(default=None, description="A LoRaWAN device by its DevEUI, lower case.")
    location: Point | None = None
    datastreams: Annotated[list[DeclaredDatastream], Field(min_length=1, max_length=64)]


def upcast_v1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 named a codec and a bare pair of coordinates."""
    codec, place = data.get("codec", "none"), data.get("location")
    rest = {name: value for name, value in data.items() if name not in ("codec", "location")}
    return {
        **rest,
        "profile": None if codec == "none" else {"name": PROFILES[codec]},
        "location": None if place is None else {"type": "Point", "coordinates": place},
    }
