"""A member of the board scored one candidate, or a voice beside the board did (fact)."""

from typing import Annotated, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Sha256, Slug


class BallotCastV2(Contract):
    """A later version of the same voice, voter and candidate replaces the earlier one."""

    TYPE: ClassVar[str] = "selection.ballot_cast.v2"
    KEY: ClassVar[tuple[str, ...]] = ("round_id",)

    round_id: Slug
    frozen_sha256: Sha256
    voice: Slug = Field(description="board, or another voice of the round.")
    voter: HolderId
    project_id: Slug
    version: Annotated[int, Field(ge=1)]
    scores: dict[Slug, int] = Field(description="Criterion to score on the round's scale.")
    cast_at: Instant
    sha256: Sha256 = Field(description="SHA-256 of the canonical JSON (RFC 8785) of all other fields.")
