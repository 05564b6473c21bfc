"""Another apparatus measures at a measuring point from now on (claim)."""

from typing import ClassVar

from pydantic import Field

from oker_contracts.base import Contract, DeviceId, Instant, Text


class DeviceReplacedV1(Contract):
    """The measuring point keeps its name, its datastreams and their history."""

    TYPE: ClassVar[str] = "sensor.device_replaced.v1"

    device: DeviceId
    hardware: DeviceId = Field(description="The new apparatus; a LoRaWAN device by its DevEUI, lower case.")
    replaced_at: Instant = Field(description="From when on it measures.")
    reason: Text = ""
