"""A strategic goal was added, changed, retired or linked to ISEK Leitziele (fact)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Slug, Text, Title


class GoalRecordedV1(Contract):
    """A whole version of a strategic goal, from a time on."""

    TYPE: ClassVar[str] = "project.goal_recorded.v1"
    KEY: ClassVar[tuple[str, ...]] = ("goal",)

    goal: Slug
    version: Annotated[int, Field(ge=1)]
    title: Title
    group: Literal["ambition", "role", "orientation"]
    position: int
    status: Literal["active", "retired"]
    isek: list[Title] = Field(default=[], max_length=20, description="ISEK Leitziele that the goal serves.")
    reason: Text
    valid_from: Instant
    recorded_by: HolderId | None = None
    recorded_at: Instant
