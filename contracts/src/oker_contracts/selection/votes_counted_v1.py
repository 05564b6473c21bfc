"""The votes of citizens, the forum or an advisory board were counted (fact)."""

from typing import Annotated, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Part, Sha256, Slug, Text


class ApprovalBallots(Part):
    """How many people approved of exactly these candidates; nobody is named."""

    approves: Annotated[list[Slug], Field(max_length=1000)]
    people: Annotated[int, Field(ge=1)]


class VotesCountedV1(Contract):
    """A count of one voice, with its advice in words; a later version replaces the earlier one."""

    TYPE: ClassVar[str] = "selection.votes_counted.v1"
    KEY: ClassVar[tuple[str, ...]] = ("round_id",)

    round_id: Slug
    frozen_sha256: Sha256
    voice: Slug
    version: Annotated[int, Field(ge=1)]
    ballots: Annotated[list[ApprovalBallots], Field(max_length=10_000)]
    advice: Text
    recorded_by: HolderId
    recorded_at: Instant
    sha256: Sha256 = Field(description="SHA-256 of the canonical JSON (RFC 8785) of all other fields.")
