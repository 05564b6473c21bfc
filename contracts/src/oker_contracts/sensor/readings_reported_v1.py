"""A company reports readings of several devices or times in one message (claim)."""

from typing import Annotated, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, DeviceId, Instant, Part
from oker_contracts.sensor.reading_reported_v1 import ReportedResult


class ReportedReading(Part):
    """What one device measured at one time."""

    device: DeviceId
    phenomenon_time: Instant = Field(description="When the value was true in the world.")
    result_time: Instant | None = Field(
        default=None, description="When the value was determined; the event's time if left out."
    )
    results: Annotated[list[ReportedResult], Field(min_length=1, max_length=64)]


class ReadingsReportedV1(Contract):
    """The batch form: each reading ends on its own, the message is settled once."""

    TYPE: ClassVar[str] = "sensor.readings_reported.v1"

    readings: Annotated[list[ReportedReading], Field(min_length=1, max_length=1000)]
