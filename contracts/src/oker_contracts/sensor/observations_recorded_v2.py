"""Observations of one company and dataset were stored (fact, announced by the batch)."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, DeviceId, Instant, Part, PropertyName, Result, Slug, Unit

Position = Annotated[int, Field(ge=0)]


class Reported(Part):
    """What the company said, where it was converted."""

    at: Position = Field(description="The position in the columns.")
    value: Result
    unit: Unit


class Series(Part):
    """The new values of one datastream, by columns of one length (as in SensorThings' data array)."""

    datastream: str
    device: DeviceId
    property: PropertyName
    unit: Unit
    phenomenon_times: list[Instant]
    result_times: list[Instant]
    values: list[Result]
    event_sources: list[str]
    event_ids: list[str]
    corrected: list[Position] = Field(
        default=[], description="Positions for whose time another value was known before."
    )
    reported: list[Reported] = Field(default=[])


class ObservationsRecordedV2(Contract):
    """The unit of announcement is the dataset, since licence, grants and retention are its."""

    TYPE: ClassVar[str] = "sensor.observations_recorded.v2"
    KEY: ClassVar[tuple[str, ...]] = ("partner", "dataset")

    partner: Slug
    dataset: Slug
    recorded_at: Instant
    series: list[Series]


COLUMNS = ("phenomenon_times", "result_times", "values", "event_sources", "event_ids")


def upcast_v1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had a row for each value."""
    series: dict[str, dict[str, Any]] = {}
    for row in data["observations"]:
        head = {name: row[name] for name in ("datastream", "device", "property", "unit")}
        one = series.setdefault(row["datastream"], {**head, "corrected": [], **{name: [] for name in COLUMNS}})
        if row["outcome"] == "corrected":
            one["corrected"].append(len(one["values"]))
        for name in COLUMNS:
            one[name].append(row[name.removesuffix("s")])
    rest = {name: value for name, value in data.items() if name != "observations"}
    return {**rest, "series": list(series.values())}
