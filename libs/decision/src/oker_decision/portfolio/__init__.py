"""The best set of projects under several budgets and other constraints, and why a project is not in it.

A project counts as funded at whatever share: for seats, exclusions, needs and fields. Its costs and its value go with
the share. What adds no value is left out, unless a field's minimum or another project needs it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from oker_decision.model import Candidate, Portfolio, Selection, Taken
from oker_decision.portfolio.columns import Program, Row, portfolio, program
from oker_decision.portfolio.conflict import Infeasible, conflict
from oker_decision.portfolio.highs import SCALE, Answer, Bound, Limits, Unsolved, other_than, relax, search, settle
from oker_decision.portfolio.why import why_not
from oker_decision.reading import Invalid

__all__ = ["Infeasible", "Unsolved", "accepted", "check", "optimum", "why_not"]

WORK = 2_000_000
"""Columns times nodes of one search, so that a large round takes seconds as well."""
LEAST, MOST = 500, 10_000
CORE = 160
"""Columns of the first, small search of a large program: those whose price is nearest to what they gain."""
LARGE = 400
BLOCK = 16
"""Columns whose order is decided by one search."""
BLOCKS = 40


def optimum(
    candidates: Sequence[Candidate],
    values: Mapping[str, Fraction],
    selection: Selection,
    order: Sequence[str],
    nodes: int | None = None,
) -> Portfolio:
    """The portfolio with the greatest sum of value times share.

    Of several with the same sum it is the one that funds the first project of the order where they differ, or funds it
    at the greater share. So the answer is one and the same, whatever solver finds it. Three limits, all of large
    rounds:

    * Where exact values have no small common denominator, they are compared as rounded down to a unit of at most 2**-44
      of their sum (``Program.unit``).
    * If the search among equal portfolios is not finished, ``at_most`` is the value itself.
    * If the search is not finished after ``nodes`` nodes, the best portfolio that was found is taken; ``at_most`` then
      tells what no portfolio exceeds, computed in whole numbers. Two versions of HiGHS may find two such portfolios;
      the same version finds the same one. Measured: up to 200 candidates on three tight budget lines are finished.

    Args:
        values: the score of each project.
        order: all projects, the one that comes first in a tie first.
        nodes: of the search tree; by default 500 to 10,000, fewer the more candidates there are.

    Raises:
        Infeasible: naming the field and what is in conflict with its minimum.
        Unsolved: if no portfolio is found within the nodes, or within two minutes.
    """
    found = program(candidates, values, selection, order)
    nodes = _nodes(found) if nodes is None else nodes
    bound = relax(found)
    best = None if bound is None else _best(found, bound, nodes)
    if bound is None or best is None:
        raise conflict(found)
    chosen, finished = best
    if finished:
        chosen, settled = _first(found, bound, chosen, nodes)
        best_of_all = portfolio(found, chosen, candidates, None)
        return best_of_all if settled else replace(best_of_all, at_most=best_of_all.value)
    return portfolio(found, _filled(found, chosen), candidates, _most(found, bound))


def _most(found: Program, bound: Bound) -> Fraction:
    return (bound.most // SCALE + (0 if found.exact else len(found.columns))) * found.unit


def accepted(
    candidates: Sequence[Candidate],
    values: Mapping[str, Fraction],
    selection: Selection,
    order: Sequence[str],
    taken: Taken,
    nodes: int | None = None,
) -> Portfolio:
    """A portfolio that was found elsewhere, by a solver of another version, where a search was broken off.

    It keeps every constraint exactly, nothing that gains can be added, and it is worth as much as what is found here.
    If it says itself that its search was broken off, it may lack as much of that as that may lack of the bound; a
    greater loss is refused.

    Raises:
        Invalid: naming what it breaks.
    """
    found = program(candidates, values, selection, order)
    chosen = _chosen(found, taken)
    for row in found.rows:
        if row.over(chosen) > 0:
            raise Invalid(row.path, f"What was selected breaks this: {row.said}.")
    more = [found.columns[column].project for column in _filled(found, chosen) if column not in chosen]
    if more:
        raise Invalid("$.selection", f"{more[0]} gains something and still fits, and was left out.")
    own = portfolio(found, chosen, candidates, taken.at_most)
    _good_enough(found, chosen, own, nodes or _nodes(found))
    return own


def _chosen(found: Program, taken: Taken) -> tuple[int, ...]:
    places = {(column.project, column.share): place for place, column in enumerate(found.columns)}
    for project, share in taken.shares.items():
        if (project, share) not in places:
            raise Invalid("$.selection.part_funding", f"{project} cannot be funded at {share} of its costs.")
    return tuple(sorted(places[pair] for pair in taken.shares.items()))


def _good_enough(found: Program, chosen: tuple[int, ...], own: Portfolio, nodes: int) -> None:
    if own.at_most is not None and own.at_most < own.value:
        raise Invalid("$.portfolio.at_most", f"The portfolio itself is worth {own.value}.")
    bound = relax(found)
    try:
        best = None if bound is None else _best(found, bound, nodes)
    except Unsolved:
        return
    if bound is None or best is None:
        return
    gain, here = found.gain(chosen), found.gain(best[0])
    if own.at_most is not None and own.at_most < here * found.unit:
        raise Invalid("$.portfolio.at_most", f"A portfolio is worth more: {here * found.unit}.")
    spare = 0 if own.at_most is None else max(0, bound.most // SCALE - here)
    if gain < here - spare:
        sentence = f"A better portfolio is worth {here * found.unit}, this one {gain * found.unit}."
        raise Invalid("$.portfolio.value", sentence)


def _nodes(found: Program) -> int:
    return max(LEAST, min(MOST, WORK // max(1, len(found.columns))))


def check(candidates: Sequence[Candidate], selection: Selection) -> None:
    """Refuse a selection that no portfolio can keep, before a round is opened with it.

    Raises:
        Infeasible: naming the field and what is in conflict with its minimum.
    """
    names = [row.project_id for row in candidates]
    found = program(candidates, dict.fromkeys(names, Fraction(0)), selection, names)
    if search(found, Limits.none(found)).chosen is None:
        raise conflict(found)


def _best(found: Program, bound: Bound, nodes: int) -> tuple[tuple[int, ...], bool] | None:
    limits = Limits.none(found)
    first = _small(found, bound) if len(found.columns) > LARGE else None
    if first is not None:
        settle(bound, found.gain(first), limits)
    answer = search(found, limits, nodes=nodes)
    if answer.chosen is None and first is None:
        if not answer.finished:
            raise Unsolved("No portfolio was found in the bounded search; freeze fewer constraints.")
        return None
    known = [chosen for chosen in (answer.chosen, first) if chosen is not None]
    return max(known, key=found.gain), answer.finished


def _small(found: Program, bound: Bound) -> tuple[int, ...] | None:
    """A good choice: only the columns whose price is nearest to their gain are searched, the others follow it."""
    near = sorted(range(len(found.columns)), key=lambda column: (abs(bound.reduced[column]), column))
    limits = Limits.none(found)
    for column in near[CORE:]:
        limits.lower[column] = limits.upper[column] = 1.0 if bound.reduced[column] > 0 else 0.0
    return search(found, limits, nodes=LEAST).chosen


def _first(found: Program, bound: Bound, chosen: tuple[int, ...], nodes: int) -> tuple[tuple[int, ...], bool]:
    """Of all choices with the same gain, the one that comes first in the order; whether it is so for certain."""
    limits = Limits.none(found)
    settle(bound, found.gain(chosen), limits)
    free = limits.free()
    if not free:
        return chosen, True
    equal = {column: -gain for column, gain in enumerate(found.gains) if gain}
    limits.rows.append(Row("$.selection", "the greatest gain", "cut", equal, -found.gain(chosen)))
    limits.rows.append(other_than(chosen, range(len(found.columns))))
    other = search(found, limits, nodes=nodes)
    if other.chosen is None:
        return chosen, other.finished
    limits.rows.pop()
    blocks = [free[at : at + BLOCK] for at in range(0, len(free), BLOCK)]
    for block in blocks[:BLOCKS]:
        answer = _preferred(found, limits, block, nodes)
        if answer.chosen is None or not answer.finished:
            return chosen, False
        chosen = answer.chosen
        for column in block:
            limits.lower[column] = limits.upper[column] = float(column in chosen)
    return chosen, len(blocks) <= BLOCKS


def _preferred(found: Program, limits: Limits, block: Sequence[int], nodes: int) -> Answer:
    weights = {
        column: (1 if found.gains[column] > 0 else -1) << (len(block) - place) for place, column in enumerate(block)
    }
    return search(found, limits, weights, nodes)


def _filled(found: Program, chosen: tuple[int, ...]) -> tuple[int, ...]:
    """With every column added that still fits and gains something, in the order."""
    touches: dict[int, list[tuple[int, int]]] = {}
    for place, row in enumerate(found.rows):
        for column, amount in row.coefficients.items():
            touches.setdefault(column, []).append((place, amount))
    room = [-row.over(chosen) for row in found.rows]
    inside = set(chosen)
    for column, gain in enumerate(found.gains):
        needed = touches.get(column, [])
        if gain > 0 and column not in inside and all(amount <= room[place] for place, amount in needed):
            inside.add(column)
            for place, amount in needed:
                room[place] -= amount
    return tuple(sorted(inside))
