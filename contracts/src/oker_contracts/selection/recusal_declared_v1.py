"""A role holder is biased on a candidate and takes no part in judging it (fact)."""

from typing import Annotated, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Sha256, Slug, Text


class RecusalDeclaredV1(Contract):
    """Befangenheit: whatever the holder said on this candidate, before or after, does not count."""

    TYPE: ClassVar[str] = "selection.recusal_declared.v1"
    KEY: ClassVar[tuple[str, ...]] = ("round_id",)

    round_id: Slug
    frozen_sha256: Sha256
    holder: HolderId
    project_id: Slug
    reason: Annotated[Text, Field(min_length=1)]
    declared_by: HolderId
    declared_at: Instant
    sha256: Sha256 = Field(description="SHA-256 of the canonical JSON (RFC 8785) of all other fields.")
