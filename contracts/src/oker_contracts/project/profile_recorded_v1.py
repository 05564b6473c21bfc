"""A project's profile or state changed (fact)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Part, PropertyName, Slug, Text, Title, Unit
from oker_contracts.sensor.device_declared_v2 import Point

Day = Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
"""A calendar day (ISO 8601), in Europe/Berlin."""

Euros = Annotated[int, Field(ge=0, le=10_000_000_000)]
"""Whole euros."""

State = Literal[
    "idea",
    "proposed",
    "eligible",
    "in_selection",
    "selected",
    "deferred",
    "rejected",
    "in_implementation",
    "completed",
    "stopped",
    "evaluated",
]
"""Where a project stands in its life."""


class Contribution(Part):
    """How the project serves one strategic goal (strategy, 4.2)."""

    goal: Slug
    contribution: Text


class Marks(Part):
    """What makes a Smart-City project (strategy, 4.4, figure 9), each with its evidence; empty: not shown yet."""

    digital_technology: Text = ""
    daseinsvorsorge: Text = ""
    liveable_city: Text = ""


class Partner(Part):
    """Who carries the project together with the department, and is responsible for what."""

    organisation: Slug
    responsible_for: Text


class Staffing(Part):
    """Work for the project."""

    role: Title
    full_time_equivalents: Annotated[float, Field(ge=0, le=1000)]
    organisation: Slug | None = None


class BudgetYear(Part):
    """Planned and actual cost of one year on one budget line."""

    line: Slug
    year: Annotated[int, Field(ge=2000, le=2100)]
    plan_eur: Euros
    actual_eur: Euros | None = None


class Milestone(Part):
    """A named step with its date; ``reached`` is the day it was met."""

    milestone: Slug
    title: Title
    due: Day
    reached: Day | None = None


class Risk(Part):
    """A risk of the strategy (3.2.2, 4.2), assessed, and what is done about it."""

    risk: Literal["digital_divide", "data_protection", "data_security", "other"]
    assessment: Text
    measure: Text = ""


class SuccessCriterion(Part):
    """What success is measured by (strategy, 6)."""

    criterion: PropertyName
    title: Title
    baseline: float | None = None
    target: float
    direction: Literal["at_least", "at_most"]
    unit: Unit
    source: Title


class Profile(Part):
    """The Projektsteckbrief."""

    title: Title
    summary: Text = ""
    fields_of_action: Annotated[list[Slug], Field(max_length=10)] = Field(default=[])
    goals: Annotated[list[Contribution], Field(max_length=20)] = Field(default=[])
    marks: Marks = Marks()
    department: Slug | None = None
    officer: HolderId | None = None
    partners: Annotated[list[Partner], Field(max_length=50)] = Field(default=[])
    staffing: Annotated[list[Staffing], Field(max_length=50)] = Field(default=[])
    budget: Annotated[list[BudgetYear], Field(max_length=200)] = Field(default=[])
    milestones: Annotated[list[Milestone], Field(max_length=100)] = Field(default=[])
    risks: Annotated[list[Risk], Field(max_length=20)] = Field(default=[])
    maturity: Literal["concept", "prototype", "pilot", "in_operation"] | None = None
    reference_cities: Annotated[list[Title], Field(max_length=50)] = Field(default=[])
    success_criteria: Annotated[list[SuccessCriterion], Field(max_length=50)] = Field(default=[])
    location: Point | None = None
    evaluation: Text = Field(default="", description="What the evaluation at the end found.")


class ProfileRecordedV1(Contract):
    """A whole version of a project: its profile and its state, from a time on."""

    TYPE: ClassVar[str] = "project.profile_recorded.v1"
    KEY: ClassVar[tuple[str, ...]] = ("project_id",)

    project_id: Slug
    version: Annotated[int, Field(ge=2, description="Version 1 is the registration.")]
    state: State
    previous_state: State
    profile: Profile
    round_id: Slug | None = Field(default=None, description="The round that it is in, or that decided on it last.")
    reason: Text
    valid_from: Instant = Field(description="Since when this holds in the world.")
    corrects_past: bool = Field(
        default=False, description="It holds until the version after it in time, and does not count now."
    )
    recorded_by: HolderId | None = Field(default=None, description="Nobody: it follows from another event.")
    recorded_at: Instant = Field(description="When the register learnt it.")
