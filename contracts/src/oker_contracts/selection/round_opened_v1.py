"""A round of selection was frozen and opened (fact)."""

from typing import Annotated, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Part, Rational, Sha256, Slug, Title


class Criterion(Part):
    """One selection criterion (strategy, 4.4) with its share of the total."""

    criterion: Slug
    title: Title
    weight: Rational = Field(description="Share of the total; all weights add up to 1.")


class RoundOpenedV1(Contract):
    """Everything the ranking depends on, besides the ballots."""

    TYPE: ClassVar[str] = "selection.round_opened.v1"
    KEY: ClassVar[tuple[str, ...]] = ("round_id",)

    round_id: Slug
    title: Title
    criteria: Annotated[list[Criterion], Field(min_length=1)]
    scale_min: int
    scale_max: int
    candidates: Annotated[list[Slug], Field(min_length=1)]
    electorate: Annotated[list[HolderId], Field(min_length=1)]
    quorum: Annotated[int, Field(ge=1)]
    seats: Annotated[int, Field(ge=1, description="How many projects are selected.")]
    opened_at: Instant
    frozen_sha256: Sha256 = Field(
        description="SHA-256 of the canonical JSON (RFC 8785) of all fields but opened_at and this one."
    )
