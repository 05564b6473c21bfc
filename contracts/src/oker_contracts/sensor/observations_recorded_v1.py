"""Observations of one company and dataset were stored (fact, announced by the batch)."""

from typing import ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, DeviceId, Instant, Part, PropertyName, Result, Slug, Unit


class Observation(Part):
    """One stored value, with the event it came from."""

    datastream: str
    device: DeviceId
    property: PropertyName
    phenomenon_time: Instant
    result_time: Instant
    value: Result
    unit: Unit
    outcome: Literal["stored", "corrected"] = Field(
        description="corrected: another value for the same datastream and time was known before."
    )
    event_source: str
    event_id: str


class ObservationsRecordedV1(Contract):
    """The unit of announcement is the dataset, since licence, grants and retention are its."""

    TYPE: ClassVar[str] = "sensor.observations_recorded.v1"
    KEY: ClassVar[tuple[str, ...]] = ("partner", "dataset")

    partner: Slug
    dataset: Slug
    recorded_at: Instant
    observations: list[Observation]
