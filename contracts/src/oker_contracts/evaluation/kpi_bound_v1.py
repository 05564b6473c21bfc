"""A KPI of a project is fed by a datastream (fact)."""

from typing import ClassVar, Literal

from oker_contracts.base import Contract, DeviceId, Instant, PropertyName, Result, Slug, Title, Unit


class KpiBoundV1(Contract):
    """A success criterion (strategy, chapter 6) with its target and where its values come from."""

    TYPE: ClassVar[str] = "evaluation.kpi_bound.v1"
    KEY: ClassVar[tuple[str, ...]] = ("kpi_id",)

    kpi_id: Slug
    project_id: Slug
    title: Title
    partner: Slug
    device: DeviceId
    property: PropertyName
    unit: Unit
    target: Result
    direction: Literal["at_least", "at_most"]
    bound_at: Instant
