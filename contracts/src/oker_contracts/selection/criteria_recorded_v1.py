"""A set of selection criteria was recorded in a version (fact)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Part, Rational, Sha256, Slug, Text, Title

Score = Annotated[int, Field(ge=0, le=100)]


class LogLink(Part):
    """The place of a fact in the decision log, and its hold on the one before.

    ``sha256`` is that of the canonical JSON (RFC 8785) of ``number``, ``previous_sha256``, ``type`` (the event's name)
    and ``data_sha256``; that in turn is the SHA-256 of the canonical JSON of the fact without its link. So the chain
    can be checked by those who may not read every fact.
    """

    number: Annotated[int, Field(ge=1)]
    previous_sha256: Sha256 = Field(description="64 zeros before the first.")
    sha256: Sha256


class AnchoredCriterion(Part):
    """A criterion with its weight, its direction and what the scores mean."""

    criterion: Slug
    title: Title
    weight: Rational = Field(description="Share of the total; all weights add up to 1.")
    direction: Literal["max", "min"] = Field(description="Whether more is better.")
    anchors: dict[str, Text] = Field(description="Score, as text, to what deserves it.")


class CriteriaRecordedV1(Contract):
    """A criteria set is never changed: what is recorded under its name is its next version (strategy, 4.4)."""

    TYPE: ClassVar[str] = "selection.criteria_recorded.v1"
    KEY: ClassVar[tuple[str, ...]] = ("set",)

    set: Slug
    version: Annotated[int, Field(ge=1)]
    title: Title
    criteria: Annotated[list[AnchoredCriterion], Field(min_length=1, max_length=20)]
    scale_min: Score
    scale_max: Score
    reason: Text
    recorded_by: HolderId | None = None
    recorded_at: Instant
    log: LogLink
