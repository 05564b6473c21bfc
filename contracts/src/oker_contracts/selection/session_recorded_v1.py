"""A session of board, forum or an advisory board was convened, held or minuted (fact)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Part, Slug, Text, Title
from oker_contracts.selection.criteria_recorded_v1 import LogLink


class Attendance(Part):
    """Who was there for an item."""

    holder: HolderId
    status: Literal["present", "excused", "absent"]
    stands_in_for: HolderId | None = None


class SessionDecision(Part):
    """What was decided under an item."""

    decision: Slug
    text: Text
    kind: Literal["selection", "staffing", "release", "other"]
    round_id: Slug | None = None


class AgendaItem(Part):
    """One item of the agenda, with who was asked to come for it, and what came of it."""

    item: Slug
    title: Title
    kind: Literal["information", "discussion", "decision"]
    round_id: Slug | None = None
    invited: Annotated[list[HolderId], Field(max_length=200)] = Field(default=[])
    attendance: Annotated[list[Attendance], Field(max_length=200)] = Field(default=[])
    minutes: Text = ""
    decisions: Annotated[list[SessionDecision], Field(max_length=100)] = Field(default=[])


class SessionRecordedV1(Contract):
    """A whole version of a session (strategy, 5.1)."""

    TYPE: ClassVar[str] = "selection.session_recorded.v1"
    KEY: ClassVar[tuple[str, ...]] = ("session",)

    session: Slug
    version: Annotated[int, Field(ge=1)]
    body: Literal["board", "forum", "advisory_board"]
    title: Title
    starts: Instant
    ends: Instant | None = None
    place: Title
    state: Literal["prepared", "convened", "held", "closed", "cancelled"]
    agenda: Annotated[list[AgendaItem], Field(max_length=100)]
    reason: Text
    recorded_by: HolderId
    recorded_at: Instant
    log: LogLink
