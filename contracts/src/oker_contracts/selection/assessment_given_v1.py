"""An assessor assessed a candidate (fact)."""

from typing import Annotated, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Sha256, Slug, Text


class AssessmentGivenV1(Contract):
    """Informs the board and never enters the score; a later version replaces the earlier one."""

    TYPE: ClassVar[str] = "selection.assessment_given.v1"
    KEY: ClassVar[tuple[str, ...]] = ("round_id",)

    round_id: Slug
    frozen_sha256: Sha256
    assessor: HolderId
    project_id: Slug
    version: Annotated[int, Field(ge=1)]
    scores: dict[Slug, int] = Field(description="Criterion to score on the round's scale.")
    comment: Text
    given_at: Instant
    sha256: Sha256 = Field(description="SHA-256 of the canonical JSON (RFC 8785) of all other fields.")
