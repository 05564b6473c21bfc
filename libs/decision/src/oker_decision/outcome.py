"""Who is selected, by the method that was frozen, and what stood against the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from oker_decision import citizens, portfolio, seats
from oker_decision.model import CITIZENS, Approvals, Candidate, Portfolio, Round, Taken
from oker_decision.reasons import Reason
from oker_decision.scoring import ZERO, Scored


@dataclass(frozen=True, slots=True)
class Outcome:
    """The selected projects with their shares, and a reason for each of the others."""

    portfolio: Portfolio
    reasons: Mapping[str, Reason]
    votes: Mapping[str, int] | None = None
    """The approvals of each project that got any, where the citizens select."""

    def share(self, project: str) -> Fraction:
        """At what share a project is funded, 0 if it was rejected."""
        return self.portfolio.shares.get(project, ZERO)


def decide(
    round: Round,
    candidates: Sequence[Candidate],
    order: Sequence[Scored],
    approvals: Approvals,
    taken: Taken | None = None,
) -> Outcome:
    """Take projects as the round says.

    Args:
        round: the frozen content.
        candidates: all of them.
        order: the same, ranked.
        approvals: the citizens' ballots, for their methods.
        taken: a portfolio to look at instead of searching one, for the method ``portfolio``.

    Raises:
        portfolio.Infeasible: if no portfolio keeps all constraints, naming those in conflict.
        portfolio.Unsolved: if the search found none in its bounds.
    """
    selection = round.selection
    names = [row.project_id for row in order]
    values = {row.project_id: row.score for row in order}
    if selection.method in CITIZENS:
        chosen = citizens.elect(candidates, values, selection, names, approvals)
        return Outcome(chosen, citizens.why_not(candidates, selection, approvals, chosen), citizens.count(approvals))
    if selection.method == "portfolio":
        asked = (candidates, values, selection, names)
        chosen = portfolio.optimum(*asked) if taken is None else portfolio.accepted(*asked, taken)
        return Outcome(chosen, portfolio.why_not(candidates, values, selection, names, chosen))
    seated = selection.seats or 0
    return Outcome(seats.take(order, seated), seats.reasons(order, seated, round.criteria))
