"""Seats go to the first of the ranking; the others learn what stood between."""

from collections.abc import Sequence
from fractions import Fraction

from oker_decision.model import Criterion, Portfolio
from oker_decision.reasons import BelowCut, Reason, TieByCriterion, TieByLot
from oker_decision.scoring import Scored


def take(order: Sequence[Scored], seats: int) -> Portfolio:
    """The first ``seats`` of the ranking, each in full; costs are not looked at."""
    taken = order[:seats]
    return Portfolio(
        shares={row.project_id: Fraction(1) for row in taken},
        value=sum((row.score for row in taken), Fraction(0)),
        costs={},
    )


def reasons(order: Sequence[Scored], seats: int, criteria: Sequence[Criterion]) -> dict[str, Reason]:
    """Why each project after the last seat got none."""
    taken, others = order[:seats], order[seats:]
    return {row.project_id: _reason(row, taken[-1], len(taken), criteria) for row in others}


def _reason(row: Scored, last: Scored, seats: int, criteria: Sequence[Criterion]) -> Reason:
    if row.score < last.score:
        return BelowCut(row.score, seats, last.score)
    for criterion, own, winners in zip(criteria, row.board, last.board, strict=True):
        if own != winners:
            return TieByCriterion(row.score, last.project_id, criterion.criterion, own, winners)
    return TieByLot(row.score, last.project_id)
