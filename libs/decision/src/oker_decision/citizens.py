"""Citizens' rounds: approval ballots and one budget, by equal shares, by Phragmén's method, or greedily.

Computed in fractions. Citizens with the same ballot always have the same money, so they are counted as one *bloc*.
Ties go to the project that comes first in the frozen order. A project without a vote, or above the budget, is never
funded; a project that costs nothing is funded with its first vote.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from oker_decision.model import Approvals, Candidate, Portfolio, Selection
from oker_decision.reading import Invalid
from oker_decision.reasons import Reason, TooFewVotes

Ballots = Iterable[frozenset[str]] | Approvals
"""One for each citizen, or each with the number of those who cast it."""


@dataclass(slots=True)
class Bloc:
    """Citizens with the same ballot.

    Attributes:
        ballot: the projects they approve of.
        size: how many they are.
        money: what each of them has, in EUR.
    """

    ballot: frozenset[str]
    size: int
    money: Fraction


@dataclass(frozen=True, slots=True)
class Purchase:
    """A project in the order of funding, and what each citizen of a bloc paid for it (by the bloc's ballot), in EUR."""

    project: str
    payments: Mapping[frozenset[str], Fraction]


def elect(
    candidates: Sequence[Candidate],
    values: Mapping[str, Fraction],
    selection: Selection,
    order: Sequence[str],
    approvals: Approvals,
) -> Portfolio:
    """The projects that the round's method funds, each in full.

    Args:
        values: the score of each project; the portfolio's value is their sum, and the votes alone decide.
        order: all projects, the one that comes first in a tie first.
        approvals: the ballots. Who approves of nothing, or of no candidate, counts as a citizen who voted.

    Raises:
        Invalid: if the selection is not of a citizens' method.
    """
    known = {row.project_id: row for row in candidates}
    line, budget = _money(selection)
    costs = {project: known[project].costs.get(line, 0) for project in order}
    funded = [row.project for row in METHODS[selection.method](costs, approvals, budget)]
    inside = set(funded)
    return Portfolio(
        shares={project: Fraction(1) for project in order if project in inside},
        value=sum((values[project] for project in funded), Fraction(0)),
        costs={line: sum(costs[project] for project in funded)},
    )


def count(approvals: Approvals) -> Counter[str]:
    """How many citizens approve of each project."""
    votes: Counter[str] = Counter()
    for ballot, people in approvals.items():
        votes.update(dict.fromkeys(ballot, people))
    return votes


def why_not(
    candidates: Sequence[Candidate], selection: Selection, approvals: Approvals, chosen: Portfolio
) -> dict[str, Reason]:
    """Votes and cost of each project that was not funded, and what was left at the end."""
    line, budget = _money(selection)
    left = budget - int(chosen.costs.get(line, 0))
    votes = count(approvals)
    return {
        row.project_id: TooFewVotes(votes[row.project_id], row.costs.get(line, 0), left)
        for row in candidates
        if row.project_id not in chosen.shares
    }


def equal_shares(costs: Mapping[str, int], ballots: Ballots, budget: int) -> list[Purchase]:
    """The method of equal shares with cost utilities, completed by Phragmén's method.

    Each citizen gets an equal share of the budget. A project can be bought if those who approve of it have its cost;
    each pays the same rate rho per EUR of the cost, or all that is left to them. The project with the least rho is
    bought, again and again. Then money is earned on, evenly, until nothing that has a vote fits into the budget
    (``phragmen``, beginning with what each has left).

    Sources: Peters and Skowron (2020), Proportionality and the Limits of Welfarism; Peters, Pierczyński and Skowron
    (2021), Proportional Participatory Budgeting with Additive Utilities.

    Args:
        costs: EUR of each project, in the order that decides ties.
        ballots: one for each citizen.
        budget: EUR.
    """
    blocs = _blocs(ballots)
    voters = sum(bloc.size for bloc in blocs)
    for bloc in blocs:
        bloc.money = Fraction(budget, voters)
    bought: list[Purchase] = []
    waiting = _waiting(costs, blocs, budget)
    rates = dict.fromkeys(waiting, Fraction(0))
    while waiting:
        best = _cheapest(costs, rates, blocs)
        waiting = {project: None for project in waiting if project in rates and project != best}
        if best is None:
            break
        rate = rates.pop(best)
        bought.append(_buy(best, blocs, {id(bloc): min(bloc.money, rate * costs[best]) for bloc in blocs}))
    return bought + _earn(costs, blocs, budget, {row.project for row in bought})


def phragmen(costs: Mapping[str, int], ballots: Ballots, budget: int) -> list[Purchase]:
    """Phragmén's sequential method for projects with costs.

    All citizens earn money at the same speed, from nothing. As soon as those who approve of a project together have its
    cost, they buy it and are left with nothing. A project that no longer fits into the budget drops out, and the others
    go on.

    Sources: Phragmén (1894); Brill, Freeman, Janson and Lackner (2017), Phragmén's Voting Methods and Justified
    Representation; Los, Christoff and Grossi (2022), Proportional Budget Allocations.
    """
    return _earn(costs, _blocs(ballots), budget, set())


def greedy(costs: Mapping[str, int], ballots: Ballots, budget: int) -> list[Purchase]:
    """The project with the most votes first, then the next that still fits into the budget."""
    blocs = _blocs(ballots)
    votes = _votes(costs, blocs)
    bought: list[Purchase] = []
    left = budget
    for project in sorted(costs, key=lambda name: -votes[name]):
        if votes[project] and costs[project] <= left:
            left -= costs[project]
            bought.append(Purchase(project, {}))
    return bought


METHODS = {"equal_shares": equal_shares, "phragmen": phragmen, "greedy": greedy}


def rate(cost: int, supporters: Sequence[Bloc]) -> Fraction | None:
    """The least rho at which the supporters pay the cost, each rho times ``cost`` at most; None if they cannot."""
    if cost == 0:
        return Fraction(0) if supporters else None
    left, payers = Fraction(cost), sum(bloc.size for bloc in supporters)
    for bloc in sorted(supporters, key=lambda row: row.money):
        if bloc.money * payers >= left:
            return left / payers / cost
        left -= bloc.money * bloc.size
        payers -= bloc.size
    return None


def _cheapest(costs: Mapping[str, int], rates: dict[str, Fraction], blocs: Sequence[Bloc]) -> str | None:
    """The project with the least rate; those that can no longer be paid leave ``rates``.

    Money only shrinks, so rates only grow: a project whose last rate is no less than the best needs no new look.
    """
    best: str | None = None
    place = {project: index for index, project in enumerate(costs)}
    for project in sorted(rates, key=lambda name: (rates[name], place[name])):
        if best is not None and (rates[best], place[best]) < (rates[project], place[project]):
            break
        found = rate(costs[project], [bloc for bloc in blocs if project in bloc.ballot])
        if found is None:
            del rates[project]
            continue
        rates[project] = found
        if best is None or (found, place[project]) < (rates[best], place[best]):
            best = project
    return best


def _earn(costs: Mapping[str, int], blocs: Sequence[Bloc], budget: int, funded: set[str]) -> list[Purchase]:
    left = budget - sum(costs[project] for project in funded)
    waiting = {project: None for project in _waiting(costs, blocs, left) if project not in funded}
    votes = _votes(costs, blocs)
    bought: list[Purchase] = []
    while waiting:
        times = {project: _until(costs[project], project, blocs, votes[project]) for project in waiting}
        best = min(waiting, key=lambda project: times[project])
        for bloc in blocs:
            bloc.money += times[best]
        paid = _spent(costs[best], best, blocs)
        bought.append(_buy(best, blocs, paid))
        left -= costs[best]
        waiting = {project: None for project in waiting if project != best and costs[project] <= left}
    return bought


def _until(cost: int, project: str, blocs: Sequence[Bloc], votes: int) -> Fraction:
    """How long the supporters earn until they have the cost; 0 if they have it."""
    held = sum((bloc.money * bloc.size for bloc in blocs if project in bloc.ballot), Fraction(0))
    return max(Fraction(0), (cost - held) / votes)


def _spent(cost: int, project: str, blocs: Sequence[Bloc]) -> dict[int, Fraction]:
    """What each supporter pays: equal amounts, or all there is."""
    supporters = [bloc for bloc in blocs if project in bloc.ballot]
    found = rate(cost, supporters)
    return {id(bloc): min(bloc.money, (found or Fraction(0)) * cost) for bloc in supporters}


def _buy(project: str, blocs: Sequence[Bloc], amounts: Mapping[int, Fraction]) -> Purchase:
    payments: dict[frozenset[str], Fraction] = {}
    for bloc in blocs:
        if project in bloc.ballot:
            payments[bloc.ballot] = amounts[id(bloc)]
            bloc.money -= amounts[id(bloc)]
    return Purchase(project, payments)


def _blocs(ballots: Ballots) -> list[Bloc]:
    return [Bloc(ballot, size, Fraction(0)) for ballot, size in Counter(ballots).items()]


def _votes(costs: Mapping[str, int], blocs: Sequence[Bloc]) -> dict[str, int]:
    votes = dict.fromkeys(costs, 0)
    for bloc in blocs:
        for project in bloc.ballot & votes.keys():
            votes[project] += bloc.size
    return votes


def _waiting(costs: Mapping[str, int], blocs: Sequence[Bloc], budget: int) -> dict[str, None]:
    votes = _votes(costs, blocs)
    return {project: None for project, cost in costs.items() if cost <= budget and votes[project]}


def _money(selection: Selection) -> tuple[str, int]:
    if selection.line is None or selection.budget_eur is None or selection.method not in METHODS:
        raise Invalid("$.selection", "This is no citizens' method; name a line and a budget_eur.")
    return selection.line, selection.budget_eur
