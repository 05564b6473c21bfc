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


class Column(Part):
    """The values of one datastream, one for each reading of the series."""

    datastream: str
    property: PropertyName
    unit: Unit
    values: list[Result]
    corrected: list[Position] = Field(
        default=[], description="Positions for whose time another value was known before."
    )
    reported: list[Reported] = Field(default=[])


class Series(Part):
    """Readings of one device that tell of the same datastreams (SensorThings: MultiDatastream), by columns."""

    device: DeviceId
    event_source: str
    event_ids: list[str]
    phenomenon_times: list[Instant]
    result_times: list[Instant]
    datastreams: list[Column]


class ObservationsRecordedV2(Contract):
    """The unit of announcement is the dataset, since licence, grants and retention are its."""

    TYPE: ClassVar[str] = "sensor.observations_recorded.v2"
    KEY: ClassVar[tuple[str, ...]] = ("partner", "dataset")

    partner: Slug
    dataset: Slug
    recorded_at: Instant
    series: list[Series]


def upcast_v1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had a row for each value."""
    series: dict[tuple[str, str], dict[str, Any]] = {}
    for row in data["observations"]:
        stream = {name: row[name] for name in ("datastream", "property", "unit")}
        column = {**stream, "values": [], "corrected": []}
        head = {"device": row["device"], "event_source": row["event_source"], "datastreams": [column]}
        lists: dict[str, Any] = {"event_ids": [], "phenomenon_times": [], "result_times": []}
        one = series.setdefault((row["datastream"], row["event_source"]), {**head, **lists})
        (column,) = one["datastreams"]
        if row["outcome"] == "corrected":
            column["corrected"].append(len(column["values"]))
        column["values"].append(row["value"])
        for name in lists:
            one[name].append(row[name.removesuffix("s")])
    rest = {name: value for name, value in data.items() if name != "observations"}
    return {**rest, "series": list(series.values())}
