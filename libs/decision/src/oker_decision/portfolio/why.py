"""What stands against a project that the best portfolio does not hold, as facts with numbers."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np

from oker_decision.model import Candidate, Portfolio, Selection
from oker_decision.portfolio.columns import Program, program
from oker_decision.portfolio.highs import Limits, search
from oker_decision.reasons import BetterWithout, ExcludedBy, LineTooSmall, NeedMissing, Reason, SeatsFull

SMALL = 40
"""Up to so many candidates the best portfolio with a project is searched, without a bound on nodes."""


def why_not(
    candidates: Sequence[Candidate],
    values: Mapping[str, Fraction],
    selection: Selection,
    order: Sequence[str],
    chosen: Portfolio,
) -> dict[str, Reason]:
    """One fact for each project that is not in the portfolio.

    Up to ``SMALL`` candidates a project that scores higher than a selected one learns what the best portfolio with it
    would be worth. All others learn the first that holds: a selected project excludes it, a need is missing, a budget
    line has less left than it costs (at its smallest share too), the seats are taken. If none holds, the project adds
    nothing: the best portfolio with it is worth no more.
    """
    known = {row.project_id: row for row in candidates}
    found = program(candidates, values, selection, order) if len(candidates) <= SMALL else None
    least = min((values[project] for project in chosen.shares), default=None)
    reasons: dict[str, Reason] = {}
    for project in order:
        if project in chosen.shares:
            continue
        facts = _facts(known[project], values, selection, chosen)
        better = least is not None and values[project] > least
        fact = _instead(found, project, chosen) if found is not None and better else None
        reasons[project] = fact or next(
            facts, BetterWithout(chosen.value, chosen.value + min(values[project], Fraction(0)))
        )
    return reasons


def _facts(
    candidate: Candidate, values: Mapping[str, Fraction], selection: Selection, chosen: Portfolio
) -> Iterator[Reason]:
    project = candidate.project_id
    for one, other in selection.exclusions:
        against = other if one == project else one
        if project in (one, other) and against in chosen.shares:
            yield ExcludedBy(against)
    for needing, needs in selection.dependencies:
        if needing == project and needs != project and needs not in chosen.shares:
            yield NeedMissing(needs)
    smallest = min([Fraction(1), *(share for name, share in selection.part_funding if name == project)])
    for line, limit in selection.budgets:
        cost, left = candidate.costs.get(line, 0), limit - chosen.costs.get(line, 0)
        if cost * smallest > left:
            yield LineTooSmall(line, cost, left)
    if selection.seats is not None and len(chosen.shares) >= selection.seats:
        yield SeatsFull(selection.seats, values[project], min(values[name] for name in chosen.shares))


def _instead(found: Program, project: str, chosen: Portfolio) -> Reason | None:
    """The best portfolio with the project, if there is one and it is worth less."""
    limits = Limits.none(found)
    own = [place for place, column in enumerate(found.columns) if column.project == project]
    best: Fraction | None = None
    for place in own:
        limits.lower = np.zeros(len(found.columns))
        limits.lower[place] = 1
        answer = search(found, limits, nodes=None)
        if answer.chosen is not None:
            value = sum((found.values[column] for column in answer.chosen), Fraction(0))
            best = value if best is None else max(best, value)
    return None if best is None or best >= chosen.value else BetterWithout(chosen.value, best)
