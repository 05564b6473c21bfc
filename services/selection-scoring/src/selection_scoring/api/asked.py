"""What requests may hold: exact types, no unknown fields."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from oker_contracts.base import HolderId, Rational, Slug, Text, Title, parse_instant
from oker_contracts.project.profile_recorded_v1 import Euros

Name = Title
Weight = Annotated[Rational, StringConstraints(max_length=40)]
Short = Annotated[Text, StringConstraints(max_length=2000)]
Reason = Annotated[Text, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00]*\S[^\x00]*$")]
Sha = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Score = Annotated[int, Field(ge=0, le=100)]


def _moment(said: Any) -> Any:
    return parse_instant(said) if isinstance(said, str) else said


Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time with offset (RFC 3339)."""


class Asked(BaseModel):
    """What a request may hold."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class AskedCriterion(Asked):
    """A criterion with its weight as an exact number, ``2/5``, and what the scores mean."""

    criterion: Slug
    title: Name
    weight: Weight
    direction: Literal["max", "min"] = "max"
    anchors: Annotated[dict[str, Short], Field(max_length=101)] = {}


class AskedCriteria(Asked):
    """The next version of a set of criteria."""

    title: Name
    criteria: Annotated[list[AskedCriterion], Field(min_length=1, max_length=20)]
    scale_min: Score = 1
    scale_max: Score = 5
    reason: Reason


class AskedSet(Asked):
    """A set of criteria; without a version, its newest."""

    set: Slug
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class AskedPreference(Asked):
    """How PROMETHEE compares two scores of one criterion."""

    shape: Literal["usual", "u_shape", "v_shape", "level", "v_shape_indifference", "gaussian"]
    q: Weight = "0"
    p: Weight = "0"


class AskedTopsis(Asked):
    """TOPSIS, for comparison."""

    normalisation: Literal["vector", "minmax", "max", "sum"]


class AskedPromethee(Asked):
    """PROMETHEE II, for comparison: a preference function for each criterion."""

    functions: Annotated[dict[Slug, AskedPreference], Field(max_length=20)]


class AskedComparisons(Asked):
    """Methods whose results stand beside the deciding weighted sum."""

    topsis: AskedTopsis | None = None
    promethee_ii: AskedPromethee | None = None


class AskedRobustness(Asked):
    """How many random weights are tried (SMAA), and from which seed."""

    samples: Annotated[int, Field(ge=0, le=10_000)] = 1000
    seed: Annotated[int, Field(ge=0, le=2**53 - 1)] = 1


class AskedVoice(Asked):
    """Who is heard, and with which share of the score; 0 stands beside it."""

    voice: Slug
    title: Name
    kind: Literal["scores", "votes"] = "scores"
    weight: Weight


class AskedSeats(Asked):
    """The first of the ranking."""

    method: Literal["seats"]
    seats: Annotated[int, Field(ge=1, le=1000)]


class AskedBudget(Asked):
    """What may be spent on one line."""

    line: Slug
    limit_eur: Euros


class AskedDependency(Asked):
    """A project that makes sense only with another."""

    project: Slug
    needs: Slug


class AskedPart(Asked):
    """A project that may be funded at this share of cost and value."""

    project: Slug
    share: Weight


class AskedPortfolio(Asked):
    """The best set of projects under budgets."""

    method: Literal["portfolio"]
    seats: Annotated[int, Field(ge=1, le=1000)] | None = None
    budgets: Annotated[list[AskedBudget], Field(max_length=50)] = []
    exclusions: Annotated[list[Annotated[list[Slug], Field(min_length=2, max_length=2)]], Field(max_length=1000)] = []
    dependencies: Annotated[list[AskedDependency], Field(max_length=1000)] = []
    minimum_per_field: Annotated[dict[Slug, Annotated[int, Field(ge=1, le=10_000)]], Field(max_length=100)] = {}
    part_funding: Annotated[list[AskedPart], Field(max_length=1000)] = []


class AskedCitizens(Asked):
    """The citizens' approvals select under one budget."""

    method: Literal["equal_shares", "phragmen", "greedy"]
    budget_eur: Euros
    line: Slug


BOARD_ALONE = AskedVoice(voice="board", title="Smart-City-Board", kind="scores", weight="1")


class AskedRound(Asked):
    """A round to freeze. The order of candidates, electorate and assessors makes no difference."""

    round_id: Slug
    title: Name
    candidates: Annotated[list[Slug], Field(min_length=1, max_length=10_000)] | None = Field(
        default=None, description="Projects of the pool; without it, the whole pool."
    )
    criteria_set: AskedSet = AskedSet(set="strategie-2020")
    comparisons: AskedComparisons = AskedComparisons()
    robustness: AskedRobustness = AskedRobustness()
    assessors: Annotated[list[HolderId], Field(max_length=1000)]
    min_assessments: Annotated[int, Field(ge=0, le=1000)] = 2
    assessments_until: Moment
    discussion_spread: Annotated[int, Field(ge=1, le=100)] = 2
    electorate: Annotated[list[HolderId], Field(min_length=1, max_length=1000)]
    quorum: Annotated[int, Field(ge=1, le=1000)] = Field(
        description="How many members must have scored every candidate, or recused themselves."
    )
    ballots_until: Moment
    may_end_early: bool = Field(default=True, description="Whether a stage may end when everybody has spoken.")
    voices: Annotated[list[AskedVoice], Field(min_length=1, max_length=20)] = [BOARD_ALONE]
    selection: Annotated[AskedSeats | AskedPortfolio | AskedCitizens, Field(discriminator="method")]


class AskedOpening(Asked):
    """The hash of what was frozen, so that nobody opens what they have not seen."""

    frozen_sha256: Sha


class AskedReason(Asked):
    """Why something is done."""

    reason: Reason


class AskedBallots(Asked):
    """The board begins; a reason is needed where candidates have too few assessments."""

    reason: Short = ""


class AskedAssessment(Asked):
    """Scores by criterion, and what is to be said about them."""

    scores: Annotated[dict[Slug, int], Field(max_length=20)]
    comment: Text = ""


class AskedBallot(Asked):
    """Scores by criterion."""

    scores: Annotated[dict[Slug, int], Field(max_length=20)]


class AskedApprovals(Asked):
    """How many people approved of exactly these candidates."""

    approves: Annotated[list[Slug], Field(max_length=1000)]
    people: Annotated[int, Field(ge=1, le=10_000_000)]


class AskedVotes(Asked):
    """The count of a voice, and its advice in words."""

    ballots: Annotated[list[AskedApprovals], Field(max_length=10_000)] = []
    advice: Text = ""


class AskedRecusal(Asked):
    """A bias; the CDO may declare that of another holder."""

    reason: Reason
    holder: HolderId | None = None


class AskedOverride(Asked):
    """The board decides otherwise than computed."""

    project_id: Slug
    decided: Literal["selected", "deferred", "rejected"]
    reason: Short = ""


class AskedStaffing(Asked):
    """Work or a release (Freistellung) that the board grants."""

    project_id: Slug
    kind: Literal["staffing", "release"]
    holder: HolderId | None = None
    full_time_equivalents: Annotated[float, Field(gt=0, le=1000, strict=False)]
    note: Short = ""


class AskedDecision(Asked):
    """The board's decision on the computed result.

    ``result_sha256`` is that of the closed round, so that nobody decides on a result they have not seen.
    """

    result_sha256: Sha
    overrides: Annotated[list[AskedOverride], Field(max_length=1000)] = []
    staffing: Annotated[list[AskedStaffing], Field(max_length=500)] = []
    session: Slug | None = None
    note: Text = ""
