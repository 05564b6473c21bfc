"""Citizens' rounds: published examples, and what each method promises to groups of citizens."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oker_decision import citizens
from oker_decision.citizens import Purchase, equal_shares, greedy, phragmen
from oker_decision.model import Candidate, Portfolio, Selection
from oker_decision.reasons import TooFewVotes

Ballots = list[frozenset[str]]
Method = Callable[[Mapping[str, int], Sequence[frozenset[str]], int], list[Purchase]]
PROJECTS = "abcde"

ballots = st.lists(st.frozensets(st.sampled_from(PROJECTS)), min_size=1, max_size=8)
prices = st.fixed_dictionaries({project: st.integers(0, 30) for project in PROJECTS})
budgets = st.integers(1, 80)
every_method = pytest.mark.parametrize("method", [equal_shares, phragmen, greedy])


def voted(*rows: tuple[int, str]) -> Ballots:
    """(how many, the letters of what they approve of)."""
    return [frozenset(letters) for count, letters in rows for _ in range(count)]


def names(bought: Sequence[Purchase]) -> str:
    return "".join(row.project for row in bought)


def apiece(letters: str) -> dict[str, int]:
    return dict.fromkeys(letters, 1)


# Lackner and Skowron (2023), Multi-Winner Voting with Approval Preferences, examples 2.1, 2.9, 2.11 and 2.12
RUNNING = voted((3, "ab"), (3, "ac"), (2, "ad"), (1, "bcf"), (1, "e"), (1, "f"), (1, "g"))
TWELVE = voted((3, "cd"), (2, "ab"), (2, "ac"), (1, "bd"))
# The profiles that abcvoting, the reference implementation of that book's authors, is tested with
CORE = voted((1, "aef"), (1, "a"), (1, "bef"), (1, "b"), (1, "cef"), (1, "c"), (1, "def"), (1, "d"))
BLOCS = voted((5, "abc"), (1, "ab"), (2, "de"), (1, "d"))
MIXED = voted((1, "adef"), (1, "bc"), (1, "acf"), (1, "c"), (1, "abcde"), (1, "ade"), (1, "ace"), (1, "ab"))
SMALL = voted((1, "abd"), (2, "ab"), (1, "ad"), (1, "cd"))


@pytest.mark.parametrize(
    ("method", "profile", "letters", "seats", "committee"),
    [
        (phragmen, RUNNING, "abcdefg", 4, "abcd"),
        (equal_shares, RUNNING, "abcdefg", 4, "abcd"),
        (phragmen, TWELVE, "abcd", 3, "bcd"),
        (equal_shares, TWELVE, "abcd", 3, "acd"),
        (phragmen, CORE, "abcdef", 4, "abef"),
        (equal_shares, CORE, "abcdef", 4, "abef"),
        (phragmen, BLOCS, "abcde", 3, "abd"),
        (equal_shares, BLOCS, "abcde", 3, "abd"),
        (phragmen, MIXED, "abcdef", 4, "abce"),
        (equal_shares, MIXED, "abcdef", 4, "abce"),
        (phragmen, SMALL, "abcd", 2, "ad"),
        (equal_shares, SMALL, "abcd", 2, "ad"),
        (greedy, BLOCS, "abcde", 3, "abc"),
    ],
)
def test_a_published_committee_comes_out_as_published(
    method: Method, profile: Ballots, letters: str, seats: int, committee: str
) -> None:
    assert sorted(names(method(apiece(letters), profile, seats))) == sorted(committee)


def test_equal_shares_takes_the_published_payments() -> None:
    first, second, _ = equal_shares(apiece("abcd"), TWELVE, 3)

    assert (first.project, set(first.payments.values())) == ("c", {Fraction(1, 5)})
    assert second.project == "a"
    assert second.payments == {frozenset("ab"): Fraction(13, 40), frozenset("ac"): Fraction(7, 40)}


def test_a_minority_of_49_percent_gets_half_of_ten_projects() -> None:
    costs = apiece("abcdefghijABCDEFGHIJ")
    profile = voted((51, "abcdefghij"), (49, "ABCDEFGHIJ"))

    for method in (equal_shares, phragmen):
        assert sum(name.isupper() for name in names(method(costs, profile, 10))) == 5
    assert names(greedy(costs, profile, 10)) == "abcdefghij"


@every_method
@given(profile=ballots, costs=prices, budget=budgets)
def test_the_budget_is_never_exceeded_and_nothing_without_a_vote_is_funded(
    method: Method, profile: Ballots, costs: dict[str, int], budget: int
) -> None:
    bought = names(method(costs, profile, budget))

    assert len(set(bought)) == len(bought)
    assert sum(costs[project] for project in bought) <= budget
    assert set(bought) <= set(chain.from_iterable(profile))


@every_method
@given(profile=ballots, costs=prices, budget=budgets)
def test_nothing_that_has_a_vote_and_still_fits_is_left_over(
    method: Method, profile: Ballots, costs: dict[str, int], budget: int
) -> None:
    bought = names(method(costs, profile, budget))
    left = budget - sum(costs[project] for project in bought)

    others = set(chain.from_iterable(profile)) - set(bought)
    assert all(costs[project] > left for project in others)


@every_method
@given(profile=ballots, costs=prices, budget=budgets, data=st.data())
def test_the_order_of_the_ballots_never_matters(
    method: Method, profile: Ballots, costs: dict[str, int], budget: int, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(profile))

    assert names(method(costs, profile, budget)) == names(method(costs, shuffled, budget))


@every_method
@given(costs=prices, budget=budgets, ballot=st.frozensets(st.sampled_from(PROJECTS)))
def test_what_all_want_and_the_budget_pays_is_funded(
    method: Method, costs: dict[str, int], budget: int, ballot: frozenset[str]
) -> None:
    wanted = frozenset(project for project in ballot if costs[project] <= budget)
    affordable = sum(costs[project] for project in wanted) <= budget

    bought = set(names(method(costs, [wanted] * 3, budget)))
    assert bought == wanted if affordable else bought < wanted


@pytest.mark.parametrize("method", [equal_shares, phragmen])
@given(profile=ballots, costs=prices, budget=budgets)
def test_only_those_who_approve_pay_and_they_pay_the_cost_exactly(
    method: Method, profile: Ballots, costs: dict[str, int], budget: int
) -> None:
    for row in method(costs, profile, budget):
        assert all(row.project in ballot and paid >= 0 for ballot, paid in row.payments.items())
        assert sum(paid * profile.count(ballot) for ballot, paid in row.payments.items()) == costs[row.project]


@given(
    profile=ballots,
    costs=prices,
    budget=budgets,
    size=st.integers(1, 6),
    letters=st.frozensets(st.sampled_from(PROJECTS)),
)
def test_a_group_that_agrees_gets_what_its_share_of_the_budget_pays(
    profile: Ballots, costs: dict[str, int], budget: int, size: int, letters: frozenset[str]
) -> None:
    everyone = profile + [letters] * size
    entitled = sum(costs[project] for project in letters) * len(everyone) <= budget * size

    if entitled:
        assert letters <= set(names(equal_shares(costs, everyone, budget)))


@given(profile=ballots, costs=prices, budget=budgets)
def test_equal_shares_is_extended_justified_representation_up_to_one_project(
    profile: Ballots, costs: dict[str, int], budget: int
) -> None:
    """EJR up to one project, with cost utilities (Peters, Pierczyński and Skowron 2021, theorem 2)."""
    funded = set(names(equal_shares(costs, profile, budget)))
    wanted = [frozenset(some) for size in range(1, 4) for some in combinations(PROJECTS, size)]
    for some in wanted:
        agreed = [ballot for ballot in profile if some <= ballot]
        worth = sum(costs[project] for project in some)
        if agreed and worth * len(profile) <= budget * len(agreed):
            assert any(_nearly(ballot & funded, some, costs) for ballot in agreed)


def _nearly(got: frozenset[str], some: frozenset[str], costs: Mapping[str, int]) -> bool:
    has, worth = sum(costs[project] for project in got), sum(costs[project] for project in some)
    return some <= got or has >= worth or any(has + costs[project] > worth for project in some - got)


def test_a_tie_goes_to_the_project_that_comes_first_in_the_frozen_order() -> None:
    profile = voted((2, "ab"))

    for method in (equal_shares, phragmen, greedy):
        assert names(method({"a": 5, "b": 5}, profile, 9)) == "a"
        assert names(method({"b": 5, "a": 5}, profile, 9)) == "b"


def test_a_round_tells_cost_votes_and_what_was_left() -> None:
    rows = [Candidate(name, 1, name, (), {"viertel": cost}, "") for name, cost in (("a", 60), ("b", 50))]
    selection = Selection("equal_shares", budget_eur=100, line="viertel")
    approvals = {frozenset("a"): 2, frozenset("b"): 1}
    scores = {"a": Fraction(3), "b": Fraction(4)}

    chosen = citizens.elect(rows, scores, selection, ["b", "a"], approvals)

    assert chosen == Portfolio({"a": Fraction(1)}, Fraction(3), {"viertel": 60})
    assert citizens.why_not(rows, selection, approvals, chosen) == {"b": TooFewVotes(votes=1, cost=50, left=40)}
