"""Searching the best columns of a program with HiGHS, whose every answer is checked in whole numbers.

HiGHS (Huangfu and Hall 2018) computes in floats. What is certain here without them: the chosen columns keep every row,
and ``Bound.most`` is exceeded by none. What rests on floats: that a search which HiGHS has finished, with a gap of 0,
has overlooked nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array

from oker_decision.portfolio.columns import Program, Row

SCALE = 2**40
"""Prices are rounded to this part of a gain; they stay prices, whatever they are rounded to."""
CUTS = 200
SECONDS = 120.0
OPTIMAL, LIMIT, INFEASIBLE = 0, 1, 2

Floats = NDArray[np.float64]


class Unsolved(RuntimeError):
    """The search ended without an answer; the sentence names the way out."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What no choice of columns exceeds, and what moving a column costs against it; whole numbers, times ``SCALE``."""

    most: int
    reduced: Sequence[int]


@dataclass(slots=True)
class Limits:
    """Columns that are settled before the search, and rows besides those of the program."""

    lower: Floats
    upper: Floats
    rows: list[Row] = field(default_factory=list)

    @staticmethod
    def none(found: Program) -> "Limits":
        return Limits(np.zeros(len(found.columns)), np.ones(len(found.columns)))

    def free(self) -> list[int]:
        """The columns that are not settled."""
        return [int(column) for column in np.flatnonzero(self.lower < self.upper)]


@dataclass(frozen=True, slots=True)
class Answer:
    """The columns that were chosen, and whether the search was finished; no columns: there is no choice."""

    chosen: tuple[int, ...] | None
    finished: bool


def search(found: Program, limits: Limits, gains: Mapping[int, int] | None = None, nodes: int | None = None) -> Answer:
    """The choice with the greatest gain (of the program, or of ``gains``) within the limits.

    ``nodes`` bounds the search tree: a number of nodes is the same on a slow machine, a number of seconds is not. A
    choice that breaks a row by HiGHS's tolerances is cut off, and the search begins again.

    Raises:
        Unsolved: after two minutes, or if HiGHS gives up.
    """
    count = len(found.columns)
    objective = np.zeros(count)
    for column, gain in enumerate(found.gains) if gains is None else gains.items():
        objective[column] = -gain
    rows = [*found.rows, *limits.rows]
    for _ in range(CUTS):
        status, chosen = _highs(objective, rows, limits, nodes)
        if chosen is None:
            return Answer(None, status == INFEASIBLE)
        wrong = next((row for row in rows if row.over(chosen) > 0), None)
        if wrong is None:
            return Answer(chosen, status == OPTIMAL)
        rows.append(cut(wrong, chosen, count))
    raise Unsolved("The solver keeps to no constraint exactly; write budgets in thousands of EUR and freeze again.")


def cut(wrong: Row, chosen: Sequence[int], count: int) -> Row:
    """A row that the choice breaks and no choice that keeps ``wrong`` does."""
    if all(amount >= 0 for amount in wrong.coefficients.values()):
        inside = [column for column in chosen if wrong.coefficients.get(column, 0) > 0]
        return Row(wrong.path, "cut", "cut", dict.fromkeys(inside, 1), len(inside) - 1)
    return other_than(chosen, range(count))


def other_than(chosen: Sequence[int], columns: Sequence[int]) -> Row:
    """At least one of the columns is chosen otherwise."""
    inside = set(chosen) & set(columns)
    coefficients = {column: 1 if column in inside else -1 for column in columns}
    return Row("$.selection", "another choice", "cut", coefficients, len(inside) - 1)


def relax(found: Program) -> Bound | None:
    """A bound by the prices of the linear relaxation; None if even that has no solution.

    Whatever prices p >= 0: no choice gains more than the sum of p times ``most`` over the rows, plus the sum of what is
    above 0 of each column's gain less its price (Geoffrion 1974). So the floats of HiGHS make the bound good or bad,
    never wrong.
    """
    matrix, most = _matrix(found.rows, len(found.columns))
    objective = -np.array(found.gains, dtype=np.float64)
    if not found.rows:
        return _bound(found, [])
    answer = linprog(objective, A_ub=matrix, b_ub=most, bounds=(0, 1), method="highs")
    if answer.status == INFEASIBLE:
        return None
    if answer.status != OPTIMAL:
        return _bound(found, [0] * len(found.rows))
    return _bound(found, [max(0, round(-price * SCALE)) for price in answer.ineqlin.marginals.tolist()])


def _bound(found: Program, prices: Sequence[int]) -> Bound:
    reduced = [gain * SCALE for gain in found.gains]
    most = 0
    for price, row in zip(prices, found.rows, strict=True):
        if price:
            most += price * row.most
            for column, amount in row.coefficients.items():
                reduced[column] -= price * amount
    return Bound(most + sum(gain for gain in reduced if gain > 0), reduced)


def settle(bound: Bound, least: int, limits: Limits) -> None:
    """Settle the columns that are the same in every choice that gains ``least`` or more."""
    spare = bound.most - least * SCALE
    for column, gain in enumerate(bound.reduced):
        if gain > spare:
            limits.lower[column] = 1
        elif -gain > spare:
            limits.upper[column] = 0


def _highs(
    objective: Floats, rows: Sequence[Row], limits: Limits, nodes: int | None
) -> tuple[int, tuple[int, ...] | None]:
    options: dict[str, float | int] = {"mip_rel_gap": 0, "time_limit": SECONDS}
    if nodes is not None:
        options["node_limit"] = nodes
    matrix, most = _matrix(rows, len(objective))
    answer = milp(
        objective,
        constraints=LinearConstraint(matrix, -np.inf, most) if rows else (),
        integrality=np.ones(len(objective)),
        bounds=Bounds(limits.lower, limits.upper),
        options=options,
    )
    if "Time limit" in answer.message:
        raise Unsolved(f"No portfolio was settled in {SECONDS:.0f} s; freeze fewer candidates or fewer constraints.")
    ended = LIMIT if "limit reached" in answer.message else int(answer.status)
    if ended not in (OPTIMAL, LIMIT, INFEASIBLE):
        raise Unsolved(f"The solver gave up: {answer.message}")
    chosen = None if answer.x is None else tuple(int(column) for column in np.flatnonzero(answer.x > 0.5))
    return ended, chosen


def _matrix(rows: Sequence[Row], columns: int) -> tuple[csr_array, Floats]:
    data: list[int] = []
    places: list[int] = []
    ends = [0]
    for row in rows:
        places.extend(row.coefficients.keys())
        data.extend(row.coefficients.values())
        ends.append(len(places))
    matrix = csr_array((np.array(data, dtype=np.float64), places, ends), shape=(len(rows), columns))
    return matrix, np.array([row.most for row in rows], dtype=np.float64)
