"""A company reports what one device measured at one time (claim)."""

from typing import Annotated, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, DeviceId, Instant, Part, PropertyName, Result, Unit


class ReportedResult(Part):
    """One measured number with its unit."""

    property: PropertyName
    value: Result
    unit: Unit


class ReadingReportedV1(Contract):
    """One thing, one time, one or several properties."""

    TYPE: ClassVar[str] = "sensor.reading_reported.v1"

    device: DeviceId
    phenomenon_time: Instant = Field(description="When the value was true in the world.")
    result_time: Instant | None = Field(
        default=None, description="When the value was determined; the event's time if left out."
    )
    results: Annotated[list[ReportedResult], Field(min_length=1, max_length=64)]
