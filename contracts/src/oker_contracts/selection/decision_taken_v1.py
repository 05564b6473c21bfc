"""A round was closed, ranked and decided (fact)."""

from typing import ClassVar

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Part, Rational, Sha256, Slug, Title


class RankedProject(Part):
    """One line of the ranking."""

    rank: int = Field(ge=1, description="Equal scores share a rank.")
    project_id: Slug
    title: Title
    score: Rational = Field(description="Exact weighted sum of the mean scores.")
    ballots: int = Field(ge=0)
    selected: bool


class DecisionTakenV1(Contract):
    """The computed ranking, with what is needed to compute it again from its events."""

    TYPE: ClassVar[str] = "selection.decision_taken.v1"
    KEY: ClassVar[tuple[str, ...]] = ("round_id",)

    round_id: Slug
    title: Title
    frozen_sha256: Sha256
    ballots_sha256: Sha256 = Field(
        description="SHA-256 of the canonical JSON (RFC 8785) of the counted ballots, by voter and project."
    )
    ranking: list[RankedProject]
    decided_by: HolderId
    decided_at: Instant
