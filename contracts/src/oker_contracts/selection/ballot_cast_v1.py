"""A member of the board scored one candidate (fact)."""

from typing import ClassVar

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Sha256, Slug


class BallotCastV1(Contract):
    """A later version of the same voter and candidate replaces the earlier one."""

    TYPE: ClassVar[str] = "selection.ballot_cast.v1"
    KEY: ClassVar[tuple[str, ...]] = ("round_id",)

    round_id: Slug
    frozen_sha256: Sha256
    voter: HolderId
    project_id: Slug
    version: int = Field(ge=1)
    scores: dict[Slug, int] = Field(description="Criterion to score on the round's scale.")
    cast_at: Instant
