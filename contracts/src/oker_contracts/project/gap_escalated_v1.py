"""A department has projects and nobody who answers for them, or has somebody again (fact)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, Instant, Slug


class GapEscalatedV1(Contract):
    """Told to the Dezernentensitzung (strategy, 5.2): no Smart-City-Beauftragter and no stand-in."""

    TYPE: ClassVar[str] = "project.gap_escalated.v1"
    KEY: ClassVar[tuple[str, ...]] = ("organisation",)

    organisation: Slug
    state: Literal["open", "closed"]
    projects: list[Slug] = Field(description="The projects of the department; the first hundred.", max_length=100)
    since: Annotated[Instant, Field(description="When the gap opened.")]
    recorded_at: Instant
