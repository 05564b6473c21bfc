"""Why a project was not selected, as facts with numbers; ``sentences`` says them in German and English."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class BelowCut:
    """All seats went to projects with greater scores."""

    score: Fraction
    seats: int
    last_score: Fraction
    """The least score of a selected project."""


@dataclass(frozen=True, slots=True)
class TieByCriterion:
    """The score of the last seat was shared, and a criterion decided."""

    score: Fraction
    winner: str
    """The project with the same score that got the last seat."""
    criterion: str
    own: Fraction
    """The project's mean of that criterion by the board, as it is weighted (mirrored where less is better)."""
    winners: Fraction


@dataclass(frozen=True, slots=True)
class TieByLot:
    """The score of the last seat was shared, with equal means in all criteria, and the lot decided."""

    score: Fraction
    winner: str


@dataclass(frozen=True, slots=True)
class LineTooSmall:
    """What is left of a budget line after the selected ones is less than the project costs."""

    line: str
    cost: int
    left: int | Fraction


@dataclass(frozen=True, slots=True)
class ExcludedBy:
    """A selected project excludes this one."""

    project: str


@dataclass(frozen=True, slots=True)
class NeedMissing:
    """A project that this one needs was not selected."""

    needs: str


@dataclass(frozen=True, slots=True)
class SeatsFull:
    """All seats of the portfolio are taken."""

    seats: int
    score: Fraction
    last_score: Fraction
    """The least score of a selected project."""


@dataclass(frozen=True, slots=True)
class BetterWithout:
    """The best portfolio that holds the project is worth less than the selected one."""

    value: Fraction
    """Sum of score times share of the selected portfolio."""
    value_with: Fraction


@dataclass(frozen=True, slots=True)
class TooFewVotes:
    """The citizens' rule ended before it reached the project: what was left was too little, or the support."""

    votes: int
    cost: int
    left: int


Reason = (
    BelowCut
    | TieByCriterion
    | TieByLot
    | LineTooSmall
    | ExcludedBy
    | NeedMissing
    | SeatsFull
    | BetterWithout
    | TooFewVotes
)
