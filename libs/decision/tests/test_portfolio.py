"""The best portfolio: known optima, and every kind of constraint against trying all sets."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oker_decision import portfolio
from oker_decision.model import Candidate, Portfolio, Selection, Taken
from oker_decision.portfolio import Infeasible, accepted, check, columns, highs, optimum, why_not
from oker_decision.reading import Invalid
from oker_decision.reasons import BetterWithout, ExcludedBy, LineTooSmall, NeedMissing, Reason, SeatsFull

ZERO, FULL = Fraction(0), Fraction(1)
NAMES = ("p1", "p2", "p3", "p4", "p5")
LINES = ("digital", "personal")
FIELDS = ("energie", "mobilitaet")
DATA = Path(os.environ.get("OKER_REALWORLD_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
Values = dict[str, Fraction]
Shares = Mapping[str, Fraction]


def a_project(name: str, costs: Mapping[str, int], *fields: str) -> Candidate:
    return Candidate(name, 1, name, fields, costs, "")


def a_selection(**said: Any) -> Selection:
    return Selection("portfolio", **said)


def by_rank(values: Values) -> list[str]:
    return sorted(values, key=lambda name: (-values[name], name))


def best(candidates: Sequence[Candidate], values: Values, selection: Selection) -> Portfolio:
    return optimum(candidates, values, selection, by_rank(values))


# --- known optima


def problems(file: str) -> list[dict[str, Any]]:
    path = DATA / "knapsack" / f"{file}.json"
    return list(json.loads(path.read_text())) if path.exists() else []


def _named(rows: list[dict[str, Any]]) -> Any:
    return [pytest.param(row, id=row["problem"]) for row in rows] or [
        pytest.param(None, marks=pytest.mark.skip(f"no data in {DATA}; name the folder in OKER_REALWORLD_DATA"))
    ]


@pytest.mark.parametrize("problem", _named(problems("petersen_rd_projects") + problems("single_budget")))
def test_a_published_optimum_is_met(problem: dict[str, Any]) -> None:
    gains = problem.get("profits") or problem["values"]
    lines = problem.get("constraints") or [{"coefficients": problem["weights"], "capacity": problem["capacity"]}]
    costs = [{f"l{k}": int(row["coefficients"][i]) for k, row in enumerate(lines)} for i in range(len(gains))]
    candidates = [a_project(f"p{i:04}", row) for i, row in enumerate(costs)]
    values = {f"p{i:04}": Fraction(str(gain)) for i, gain in enumerate(gains)}
    limits = tuple((f"l{k}", int(row["capacity"])) for k, row in enumerate(lines))

    found = best(candidates, values, a_selection(budgets=limits))

    assert found.value == sum(values[name] for name in found.shares) == Fraction(str(problem["published_optimum"]))
    assert all(found.costs[line] <= limit for line, limit in limits)
    assert found.at_most is None


# --- all sets, tried one by one


def kept(candidates: Sequence[Candidate], selection: Selection, shares: Shares) -> bool:
    """Whether these shares keep every constraint, said plainly."""
    inside = [row for row in candidates if row.project_id in shares]
    return (
        (selection.seats is None or len(shares) <= selection.seats)
        and all(
            sum((row.costs.get(line, 0) * shares[row.project_id] for row in inside), ZERO) <= limit
            for line, limit in selection.budgets
        )
        and not any(one in shares and other in shares for one, other in selection.exclusions)
        and not any(project in shares and needs not in shares for project, needs in selection.dependencies)
        and all(sum(field in row.fields_of_action for row in inside) >= n for field, n in selection.minimum_per_field)
    )


def every_choice(candidates: Sequence[Candidate], selection: Selection) -> Iterator[dict[str, Fraction]]:
    parts = {row.project_id: {ZERO, FULL} for row in candidates}
    for project, share in selection.part_funding:
        parts[project].add(share)
    for shares in product(*parts.values()):
        chosen = {name: share for name, share in zip(parts, shares, strict=True) if share}
        if kept(candidates, selection, chosen):
            yield chosen


def worth(values: Values, shares: Shares) -> Fraction:
    return sum((values[name] * share for name, share in shares.items()), ZERO)


def first_best(candidates: Sequence[Candidate], values: Values, selection: Selection) -> dict[str, Fraction] | None:
    """The greatest value; then, project by project in the order, the greater share (none for what is worth nothing)."""

    def preference(shares: dict[str, Fraction]) -> tuple[Fraction, ...]:
        wanted = [shares.get(name, ZERO) * (1 if values[name] > 0 else -1) for name in by_rank(values)]
        return (worth(values, shares), *wanted)

    return max(every_choice(candidates, selection), key=preference, default=None)


pairs = st.permutations(NAMES).map(lambda names: (names[0], names[1]))
money = st.dictionaries(st.sampled_from(LINES), st.integers(0, 9) | st.integers(0, 10**9), max_size=2)
candidates_ = st.tuples(
    *(st.builds(lambda name, costs, fields: a_project(name, costs, *sorted(fields)),
                st.just(name), money, st.sets(st.sampled_from(FIELDS))) for name in NAMES)
)  # fmt: skip
scores = st.fractions(0, 5, max_denominator=12) | st.sampled_from([ZERO, Fraction(2), Fraction(3)])
values_ = st.fixed_dictionaries(dict.fromkeys(NAMES, scores))
selections = st.builds(
    a_selection,
    seats=st.none() | st.integers(1, 5),
    budgets=st.dictionaries(st.sampled_from(LINES), st.integers(0, 30) | st.integers(0, 2 * 10**9)).map(
        lambda row: tuple(sorted(row.items()))
    ),
    exclusions=st.lists(pairs, max_size=2).map(tuple),
    dependencies=st.lists(pairs, max_size=2).map(tuple),
    minimum_per_field=st.dictionaries(st.sampled_from(FIELDS), st.integers(0, 2)).map(lambda row: tuple(row.items())),
    part_funding=st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from([Fraction(1, 2), Fraction(1, 3), Fraction(4, 5)])), max_size=3
    ).map(tuple),
)


@settings(deadline=None)
@given(candidates=candidates_, values=values_, selection=selections)
def test_no_other_portfolio_is_worth_more_and_a_tie_goes_by_the_order(
    candidates: tuple[Candidate, ...], values: Values, selection: Selection
) -> None:
    expected = first_best(candidates, values, selection)

    if expected is None:
        with pytest.raises(Infeasible):
            best(candidates, values, selection)
        with pytest.raises(Infeasible):
            check(candidates, selection)
        return
    found = best(candidates, values, selection)
    check(candidates, selection)
    assert found.shares == expected
    assert accepted(candidates, values, selection, by_rank(values), Taken(found.shares, None)) == found
    assert found.value == worth(values, expected)
    for line in {line for row in candidates for line in row.costs}:
        assert found.costs[line] == sum(row.costs.get(line, 0) * expected.get(row.project_id, 0) for row in candidates)


@settings(deadline=None)
@given(candidates=candidates_, values=values_, selection=selections, more=st.integers(1, 10**9))
def test_more_money_never_lowers_the_value(
    candidates: tuple[Candidate, ...], values: Values, selection: Selection, more: int
) -> None:
    richer = a_selection(
        budgets=tuple((line, limit + more) for line, limit in selection.budgets),
        seats=selection.seats,
        exclusions=selection.exclusions,
        dependencies=selection.dependencies,
        part_funding=selection.part_funding,
    )
    poorer = a_selection(
        budgets=selection.budgets,
        seats=selection.seats,
        exclusions=selection.exclusions,
        dependencies=selection.dependencies,
        part_funding=selection.part_funding,
    )

    assert best(candidates, values, poorer).value <= best(candidates, values, richer).value


@settings(deadline=None)
@given(candidates=candidates_, values=values_, selection=selections)
def test_what_is_said_against_a_project_is_true(
    candidates: tuple[Candidate, ...], values: Values, selection: Selection
) -> None:
    if first_best(candidates, values, selection) is None:
        return
    chosen = best(candidates, values, selection)
    said = why_not(candidates, values, selection, by_rank(values), chosen)

    assert set(said) == {row.project_id for row in candidates} - set(chosen.shares)
    for row in candidates:
        if row.project_id in said:
            assert _true(row, said[row.project_id], candidates, values, selection, chosen)


def _true(
    row: Candidate,
    reason: Reason,
    candidates: Sequence[Candidate],
    values: Values,
    selection: Selection,
    chosen: Portfolio,
) -> bool:
    project = row.project_id
    match reason:
        case ExcludedBy(other):
            return other in chosen.shares and ({project, other} in [set(pair) for pair in selection.exclusions])
        case NeedMissing(needs):
            return needs not in chosen.shares and (project, needs) in selection.dependencies
        case LineTooSmall(line, cost, left):
            spent = sum(
                (other.costs.get(line, 0) * chosen.shares.get(other.project_id, 0) for other in candidates), ZERO
            )
            least = min([FULL, *(share for name, share in selection.part_funding if name == project)])
            return cost == row.costs[line] and left == dict(selection.budgets)[line] - spent and cost * least > left
        case SeatsFull(seats, score, last):
            full = len(chosen.shares) == seats == selection.seats
            return full and score == values[project] and last == min(values[name] for name in chosen.shares)
        case BetterWithout(value, value_with):
            with_it = [worth(values, some) for some in every_choice(candidates, selection) if project in some]
            return value == chosen.value and value_with == max(with_it) <= value
    return False


def test_a_project_whose_part_would_fit_is_not_told_that_the_line_is_too_small() -> None:
    rows = [a_project("a", {"digital": 60}), a_project("b", {"digital": 60})]
    values = {"a": Fraction(3), "b": Fraction(2)}
    selection = a_selection(budgets=(("digital", 100),), seats=1, part_funding=(("b", Fraction(1, 2)),))

    chosen = best(rows, values, selection)

    assert why_not(rows, values, selection, ["a", "b"], chosen) == {"b": SeatsFull(1, Fraction(2), Fraction(3))}


@settings(deadline=None)
@given(costs=st.lists(st.integers(1, 9), min_size=5, max_size=5), values=values_, limit=st.integers(1, 30))
def test_no_choice_exceeds_the_bound_and_settled_columns_are_so_in_every_best_choice(
    costs: list[int], values: Values, limit: int
) -> None:
    rows = [a_project(name, {"digital": cost}) for name, cost in zip(NAMES, costs, strict=True)]
    selection = a_selection(budgets=(("digital", limit),))
    found = columns.program(rows, values, selection, NAMES)
    bound, limits = highs.relax(found), highs.Limits.none(found)
    choices = [[NAMES.index(name) for name in some] for some in every_choice(rows, selection)]
    greatest = max(found.gain(some) for some in choices)

    assert bound is not None
    assert bound.most >= greatest * highs.SCALE
    least = greatest - found.gain(range(5)) // 10
    highs.settle(bound, least, limits)
    for some in choices:
        if found.gain(some) >= least:
            assert all(limits.lower[place] <= (place in some) <= limits.upper[place] for place in range(5))


# --- refusals and large rounds


def test_a_minimum_beyond_the_budget_is_refused_with_the_field_and_the_line() -> None:
    rows = [a_project("a", {"digital": 60}, "energie"), a_project("b", {"digital": 50}, "energie")]
    selection = a_selection(budgets=(("digital", 100), ("personal", 5)), minimum_per_field=(("energie", 2),), seats=2)

    with pytest.raises(
        Infeasible, match=r"at least 2 of the field energie together with 100 EUR in the line digital\."
    ) as error:
        check(rows, selection)

    assert error.value.path == "$.selection.minimum_per_field.energie"
    assert "seats" not in str(error.value)


def test_a_minimum_beyond_the_candidates_of_a_field_says_so() -> None:
    with pytest.raises(Infeasible, match="the field has fewer candidates"):
        check([a_project("a", {}, "energie")], a_selection(minimum_per_field=(("energie", 2),)))


def test_an_order_that_leaves_a_candidate_out_is_refused() -> None:
    with pytest.raises(Invalid, match="names each candidate once"):
        optimum([a_project("a", {})], {"a": FULL}, a_selection(), [])


def test_scores_with_no_small_common_denominator_are_compared_by_a_fixed_unit() -> None:
    primes = [10_007, 10_009, 10_037, 10_039, 10_061, 10_067]
    values = {f"p{prime}": Fraction(prime // 2, prime) for prime in primes}
    rows = [a_project(name, {"digital": 1}) for name in values]

    found = columns.program(rows, values, a_selection(), by_rank(values))

    assert not found.exact
    assert all(
        0 <= value - gain * found.unit < found.unit for value, gain in zip(found.values, found.gains, strict=True)
    )
    assert sum(found.gains) <= columns.EXACT
    assert len(best(rows, values, a_selection(budgets=(("digital", 4),))).shares) == 4


def test_what_breaks_a_budget_by_a_tolerance_is_cut_off_and_nothing_else() -> None:
    row = columns.Row("$", "", "budget", {0: 7, 1: 5, 2: 4}, 11)

    cut = highs.cut(row, (0, 1), 3)

    choices = [[index for index in range(3) if bits >> index & 1] for bits in range(8)]
    assert cut.over((0, 1)) > 0
    assert all(cut.over(chosen) <= 0 for chosen in choices if row.over(chosen) <= 0)


@pytest.mark.parametrize("count", [50, 450])
def test_of_projects_that_cost_and_score_the_same_the_first_of_the_order_are_funded(count: int) -> None:
    rows = [a_project(f"p{i:03}", {"digital": 7}) for i in range(count)]
    values = {row.project_id: Fraction(3 if i % 2 else 2) for i, row in enumerate(rows)}
    order = by_rank(values)
    funded = count * 2 // 3

    found = optimum(rows, values, a_selection(budgets=(("digital", 7 * funded + 6),)), order)

    assert list(found.shares) == order[:funded]
    assert found.at_most is None


def test_a_tie_that_is_not_settled_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portfolio, "BLOCKS", 1)
    rows = [a_project(f"p{i:03}", {"digital": 7}) for i in range(50)]
    values = {row.project_id: FULL for row in rows}

    found = optimum(rows, values, a_selection(budgets=(("digital", 146),)), by_rank(values))

    assert found.at_most == found.value == 20


def test_a_search_that_is_broken_off_keeps_the_budget_and_says_what_no_portfolio_exceeds() -> None:
    lines = ("digital", "personal", "betrieb")
    rows = [
        a_project(f"p{i:02}", {line: 1_000 + (i + 1) ** 2 * (k + 3) * 104_729 % 89_003 for k, line in enumerate(lines)})
        for i in range(60)
    ]
    values = {row.project_id: Fraction(60 + (i + 1) ** 3 * 104_729 % 241, 60) for i, row in enumerate(rows)}
    selection = a_selection(budgets=tuple((line, 900_000) for line in lines))

    found = optimum(rows, values, selection, by_rank(values), nodes=1)
    greatest = best(rows, values, selection)

    assert greatest.at_most is None
    assert found.at_most is not None
    assert found.value <= greatest.value <= found.at_most < greatest.value + 3
    assert kept(rows, selection, found.shares)
    said = Taken(found.shares, found.at_most)
    assert accepted(rows, values, selection, by_rank(values), said, nodes=1) == found
    assert set(why_not(rows, values, selection, by_rank(values), found)) == set(values) - set(found.shares)
