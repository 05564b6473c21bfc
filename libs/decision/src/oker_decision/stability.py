"""How far the weight of one criterion may move before the outcome changes: exact intervals.

The weight of one criterion moves to t, the others keep their proportions: w_k (1 - t) / (1 - w). Each score is then a
straight line over t. The outcome stays where the least score of those inside (the winner, or the selected) is not
under the greatest score of those outside. Least minus greatest is concave, so it stays on an interval, which is
searched by Newton's method from both ends of [0, 1]: each step is the crossing of two lines, and finitely many steps
lead to the exact end (Bertsekas 1999, 1.4; for weights Triantaphyllou and Sánchez 1997).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from oker_decision.exact import Rows, rows

ONE = Fraction(1)
Interval = tuple[Fraction, Fraction]


@dataclass(frozen=True, slots=True)
class Sides:
    """The distinct rows of values inside and outside."""

    inside: Rows
    outside: Rows


def interval(weights: Sequence[Fraction], column: int, values: Sequence[tuple[Fraction, ...]], inside: int) -> Interval:
    """From where to where the weight of one criterion may move.

    Args:
        weights: of all criteria, summing to 1.
        column: which criterion's weight moves.
        values: a row of values for each candidate, in the order of the ranking.
        inside: how many of the first candidates are to stay before all others.

    Returns:
        The ends of a closed interval within [0, 1] that holds today's weight. At an end the last inside and the first
        outside have equal scores, unless the end is 0 or 1. A single criterion has weight 1 and cannot move.
    """
    if len(weights) == 1:
        return ONE, ONE
    return between(weights, column, split(values, inside))


def split(values: Sequence[tuple[Fraction, ...]], inside: int) -> Sides:
    """The distinct rows of the first candidates and of the others."""
    return Sides(rows(list(dict.fromkeys(values[:inside]))), rows(list(dict.fromkeys(values[inside:]))))


def between(weights: Sequence[Fraction], column: int, sides: Sides) -> Interval:
    """See :func:`interval`."""
    if len(weights) == 1:
        return ONE, ONE
    if not sides.inside.exact or not sides.outside.exact:
        return Fraction(0), ONE
    return _end(weights, column, sides, Fraction(0)), _end(weights, column, sides, ONE)


def _end(weights: Sequence[Fraction], column: int, sides: Sides, t: Fraction) -> Fraction:
    while True:
        moved = _moved(weights, column, t)
        low = _extreme(sides.inside, moved, -1)
        high = _extreme(sides.outside, moved, 1)
        now = _difference(low, high, moved)
        if now >= 0:
            return t
        t = _root(low, high, weights, column, t, now)


def _moved(weights: Sequence[Fraction], column: int, t: Fraction) -> list[Fraction]:
    rest = (ONE - t) / (ONE - weights[column])
    return [t if index == column else weight * rest for index, weight in enumerate(weights)]


def _difference(low: tuple[Fraction, ...], high: tuple[Fraction, ...], weights: Sequence[Fraction]) -> Fraction:
    return sum((w * (a - b) for w, a, b in zip(weights, low, high, strict=True)), Fraction(0))


def _root(
    low: tuple[Fraction, ...],
    high: tuple[Fraction, ...],
    weights: Sequence[Fraction],
    column: int,
    t: Fraction,
    now: Fraction,
) -> Fraction:
    """Where the difference of two lines, ``now`` at ``t`` and not negative at today's weight, is 0."""
    today = weights[column]
    at_today = _difference(low, high, weights)
    if at_today < 0:
        raise ValueError("The rows are not in the order of the ranking; sort them by their weighted sums.")
    return t + (today - t) * now / (now - at_today)


def _extreme(side: Rows, weights: Sequence[Fraction], sign: int) -> tuple[Fraction, ...]:
    """The row with the greatest (``sign`` 1) or least (-1) weighted sum."""
    near, error = side.sums(weights)
    near = near * sign
    close = (near >= near.max() - 2 * error).nonzero()[0]
    if len(close) == 1:
        return side.exact[int(close[0])]
    best = max(close, key=lambda row: sign * side.sum(int(row), weights))
    return side.exact[int(best)]
