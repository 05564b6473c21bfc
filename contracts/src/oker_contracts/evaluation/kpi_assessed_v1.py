"""A KPI was assessed, and its state changed (fact)."""

from typing import ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, Instant, Part, Result, Slug, Title, Unit

KpiStatus = Literal["on_track", "off_track"]


class Evidence(Part):
    """The company's event that carried the value."""

    event_source: str
    event_id: str


class KpiAssessedV1(Contract):
    """Announced when a KPI leaves or meets its target, with the value that did it."""

    TYPE: ClassVar[str] = "evaluation.kpi_assessed.v1"
    KEY: ClassVar[tuple[str, ...]] = ("kpi_id",)

    kpi_id: Slug
    project_id: Slug
    title: Title
    status: KpiStatus
    previous_status: KpiStatus | None
    value: Result
    unit: Unit
    target: Result
    direction: Literal["at_least", "at_most"]
    phenomenon_time: Instant
    partner: Slug
    evidence: Evidence = Field(description="Leads back to the reading.")
    assessed_at: Instant
