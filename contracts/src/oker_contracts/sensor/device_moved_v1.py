"""A device measures at another place from now on (claim)."""

from typing import ClassVar

from pydantic import Field

from oker_contracts.base import Contract, DeviceId, Instant, Text
from oker_contracts.sensor.device_declared_v2 import Point


class DeviceMovedV1(Contract):
    """Earlier places stay in the history (SensorThings: HistoricalLocation)."""

    TYPE: ClassVar[str] = "sensor.device_moved.v1"

    device: DeviceId
    location: Point
    moved_at: Instant = Field(description="From when on it measures there.")
    reason: Text = ""
