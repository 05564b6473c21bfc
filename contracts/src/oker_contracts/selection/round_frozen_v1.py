"""A round of selection was frozen (fact)."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Part, Rational, Sha256, Slug, Title
from oker_contracts.project.profile_recorded_v1 import Euros
from oker_contracts.selection.criteria_recorded_v1 import AnchoredCriterion, LogLink, Score


class CriteriaSet(Part):
    """The criteria set, by name and version."""

    set: Slug
    version: Annotated[int, Field(ge=1)]


class PreferenceFunction(Part):
    """How PROMETHEE compares two scores of one criterion (Brans and Vincke, 1985)."""

    shape: Literal["usual", "u_shape", "v_shape", "level", "v_shape_indifference", "gaussian"]
    q: Rational = "0"
    p: Rational = "0"


class Topsis(Part):
    """TOPSIS, for comparison (Hwang and Yoon, 1981)."""

    normalisation: Literal["vector", "minmax", "max", "sum"]


class Promethee(Part):
    """PROMETHEE II, for comparison: a preference function for each criterion."""

    functions: dict[Slug, PreferenceFunction]


class Comparisons(Part):
    """Methods whose results stand beside the deciding weighted sum."""

    topsis: Topsis | None
    promethee_ii: Promethee | None


class Robustness(Part):
    """The random weights of the rank acceptability (SMAA): how many, and from which seed."""

    samples: Annotated[int, Field(ge=0, le=100_000)]
    seed: Annotated[int, Field(ge=0, le=2**53 - 1)]


class Voice(Part):
    """Who is heard, and with which share of the score."""

    voice: Slug
    title: Title
    kind: Literal["scores", "votes"]
    weight: Rational = Field(description="0: stands beside the score and does not enter it.")


class BudgetLine(Part):
    """What may be spent on one line."""

    line: Slug
    limit_eur: Euros


class Dependency(Part):
    """A project that makes sense only with another."""

    project: Slug
    needs: Slug


class PartFunding(Part):
    """A project that may be funded in part, at this share of cost and value."""

    project: Slug
    share: Rational


class Selection(Part):
    """What follows from the ranking: so many seats, a portfolio under budgets, or a citizens' round."""

    method: Literal["seats", "portfolio", "equal_shares", "phragmen", "greedy"]
    seats: Annotated[int, Field(ge=1, le=10_000)] | None = None
    budgets: Annotated[list[BudgetLine], Field(max_length=50)] = Field(default=[])
    exclusions: Annotated[list[tuple[Slug, Slug]], Field(max_length=1000)] = Field(default=[])
    dependencies: Annotated[list[Dependency], Field(max_length=1000)] = Field(default=[])
    minimum_per_field: dict[Slug, Annotated[int, Field(ge=1)]] = Field(default={})
    part_funding: Annotated[list[PartFunding], Field(max_length=1000)] = Field(default=[])
    budget_eur: Euros | None = Field(default=None, description="What a citizens' round may spend.")
    line: Slug | None = Field(default=None, description="The budget line whose costs count in a citizens' round.")


class RoundContent(Part):
    """Everything a result depends on, besides the candidates and what people say."""

    procedure: Literal["oker/1"] = Field(description="The edition of the rules by which the result is computed.")
    round_id: Slug
    title: Title
    criteria_set: CriteriaSet
    criteria: Annotated[list[AnchoredCriterion], Field(min_length=1, max_length=20)]
    scale_min: Score
    scale_max: Score
    comparisons: Comparisons
    robustness: Robustness
    assessors: list[HolderId]
    min_assessments: Annotated[int, Field(ge=0, le=1000)]
    assessments_until: str = Field(description="A time in UTC (RFC 3339).")
    discussion_spread: Annotated[int, Field(ge=1, le=100)] = Field(
        description="Scores of one candidate and criterion that differ by so much or more are discussed."
    )
    electorate: Annotated[list[HolderId], Field(min_length=1)]
    quorum: Annotated[int, Field(ge=1)]
    ballots_until: str = Field(description="A time in UTC (RFC 3339).")
    may_end_early: bool = Field(description="Whether a stage may end when everybody has spoken.")
    voices: Annotated[list[Voice], Field(min_length=1, max_length=20)]
    tie_break: Literal["criteria_then_lot"]
    selection: Selection
    candidates: Annotated[int, Field(ge=1, le=10_000)]
    candidates_sha256: Sha256


class RoundFrozenV1(Contract):
    """The content of a round, fixed by its hash; the candidates follow in parts."""

    TYPE: ClassVar[str] = "selection.round_frozen.v1"
    KEY: ClassVar[tuple[str, ...]] = ("round_id",)

    round_id: Slug
    content: dict[str, Any] = Field(description="A RoundContent; as a plain object, so that its hash stays its own.")
    frozen_sha256: Sha256 = Field(description="SHA-256 of the canonical JSON (RFC 8785) of the content.")
    parts: Annotated[int, Field(ge=1)] = Field(description="How many events list the candidates.")
    frozen_by: HolderId
    frozen_at: Instant
    log: LogLink
