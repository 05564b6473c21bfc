"""A role holder's term of office was recorded or changed (fact)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Slug, Text


class TermRecordedV1(Contract):
    """Who holds which role, for which organisations, from when until when. A person is no more than an id here."""

    TYPE: ClassVar[str] = "project.term_recorded.v1"
    KEY: ClassVar[tuple[str, ...]] = ("term",)

    term: Slug
    version: Annotated[int, Field(ge=1)]
    holder: HolderId
    role: Literal["cdo", "unit", "board", "dezernent", "officer", "stand_in", "forum", "advisory_board"]
    organisations: Annotated[list[Slug], Field(max_length=100)]
    starts: Instant
    ends: Instant | None = Field(default=None, description="The first moment that is not in the term any more.")
    reason: Text
    recorded_by: HolderId | None = None
    recorded_at: Instant
