"""TOPSIS and PROMETHEE II beside the ranking: shown, and never deciding.

Their numbers stand in the result, which is hashed, so they have to be the same on every machine; floats are not. Both
methods are rational up to a last root or exponential, so they are computed in whole numbers, and that last step with 40
decimal digits. Written are 9 decimals. Sources: Hwang and Yoon 1981 (TOPSIS); Brans and Vincke 1985 (PROMETHEE).
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from math import lcm

import numpy as np

from oker_decision.model import NORMALISATIONS, Preference
from oker_decision.reading import Invalid

DIGITS = Context(prec=40, rounding=ROUND_HALF_EVEN)
PLACES = Decimal("1e-9")
MOST = 1_000
"""The greatest number of candidates that PROMETHEE II compares in pairs."""
MOST_GAUSSIAN = 250
"""The same where a shape is Gaussian: each difference needs an exponential with 40 digits."""
SAFE = 2**62
Column = tuple[Fraction, ...]
Matrix = Sequence[Sequence[Fraction]]


def written(value: Decimal) -> str:
    """With 9 decimals; a zero has no sign."""
    rounded = value.quantize(PLACES, context=DIGITS)
    return f"{rounded.copy_abs() if rounded == 0 else rounded:f}"


def check(matrix: Matrix, weights: Sequence[Fraction], directions: Sequence[str]) -> None:
    """Refuse a table that is none.

    Raises:
        Invalid: naming the place: rows of different length, a weight that is not positive, weights that do not add up
            to exactly 1, an unknown direction.
    """
    for index, row in enumerate(matrix):
        if len(row) != len(weights):
            raise Invalid(f"$.matrix[{index}]", f"Write one value for each of the {len(weights)} criteria.")
    for index, weight in enumerate(weights):
        if weight <= 0:
            raise Invalid(f"$.weights[{index}]", "A weight is greater than 0.")
    if sum(weights) != 1:
        raise Invalid("$.weights", f"The weights add up to {sum(weights)}; make them add up to exactly 1.")
    if len(directions) != len(weights):
        raise Invalid("$.directions", "Write one direction for each criterion.")
    for index, direction in enumerate(directions):
        if direction not in ("max", "min"):
            raise Invalid(f"$.directions[{index}]", "Write max or min.")


def weighted_sum(
    matrix: Matrix, weights: Sequence[Fraction], directions: Sequence[str], normalisation: str
) -> list[Fraction]:
    """The weighted sum of normalised values (``minmax``, ``sum`` or ``max``), exact.

    A column whose values are all equal is 1 for everybody under ``minmax``. Where less is better: ``minmax`` measures
    from the greatest, ``max`` is 1 - x / max, ``sum`` takes 1 / x.
    """
    check(matrix, weights, directions)
    columns = [
        _normalised(column, direction, normalisation, f"$.matrix[*][{index}]")
        for index, (column, direction) in enumerate(zip(_columns(matrix), directions, strict=True))
    ]
    return [sum((w * value for w, value in zip(weights, row, strict=True)), Fraction(0)) for row in _rows(columns)]


def topsis(
    matrix: Matrix, weights: Sequence[Fraction], directions: Sequence[str], normalisation: str = "vector"
) -> list[Decimal]:
    """Closeness to the ideal: far / (far + near), from 0 to 1, with 40 digits.

    ``near`` and ``far`` are Euclidean distances from the best and the worst value of each weighted normalised column.
    Their squares are rational: ``vector`` divides by the sum of squares. Where all alternatives are equal the closeness
    is 1/2.

    Args:
        matrix: a row for each alternative.
        weights: of the criteria, summing to exactly 1.
        directions: ``max`` or ``min`` for each criterion.
        normalisation: ``vector``, ``minmax``, ``max`` or ``sum``.
    """
    check(matrix, weights, directions)
    near, far = [Fraction(0)] * len(matrix), [Fraction(0)] * len(matrix)
    for index, (column, weight, direction) in enumerate(zip(_columns(matrix), weights, directions, strict=True)):
        values, square = _for_distance(column, direction, normalisation, f"$.matrix[*][{index}]")
        if not square:
            continue
        factor = weight * weight / square
        best, worst = (min(values), max(values)) if _less(direction, normalisation) else (max(values), min(values))
        near = _plus(near, values, best, factor)
        far = _plus(far, values, worst, factor)
    return [_closeness(a, b) for a, b in zip(near, far, strict=True)]


def _plus(sums: list[Fraction], values: Column, end: Fraction, factor: Fraction) -> list[Fraction]:
    squares = {value: factor * (value - end) ** 2 for value in set(values)}
    return [found + squares[value] for found, value in zip(sums, values, strict=True)]


def _closeness(near: Fraction, far: Fraction) -> Decimal:
    if near == far:
        return Decimal("0.5")
    if far == 0:
        return Decimal(0)
    ratio = DIGITS.sqrt(_decimal(near / far))
    return DIGITS.divide(Decimal(1), DIGITS.add(Decimal(1), ratio))


def _decimal(value: Fraction) -> Decimal:
    return DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))


def _columns(matrix: Matrix) -> list[Column]:
    return [tuple(column) for column in zip(*matrix, strict=True)]


def _rows(columns: Sequence[Column]) -> list[Column]:
    return [tuple(row) for row in zip(*columns, strict=True)]


def _less(direction: str, normalisation: str) -> bool:
    """Whether the least of the values is the best; ``sum`` has turned them around already."""
    return direction == "min" and normalisation != "sum"


def _for_distance(column: Column, direction: str, normalisation: str, path: str) -> tuple[Column, Fraction]:
    """The values, and the square of what they are divided by; 0 if they do not differ."""
    if normalisation not in NORMALISATIONS:
        raise Invalid("$.normalisation", f"Write one of these: {', '.join(NORMALISATIONS)}.")
    if max(column) == min(column):
        return column, Fraction(0)
    if normalisation == "vector":
        return column, sum((value * value for value in column), Fraction(0))
    if normalisation == "minmax":
        return column, (max(column) - min(column)) ** 2
    if normalisation == "max":
        return column, _positive(max(column), path) ** 2
    values = _turned(column, direction, path)
    return values, sum(values, Fraction(0)) ** 2


def _normalised(column: Column, direction: str, normalisation: str, path: str) -> Column:
    least, greatest = min(column), max(column)
    if normalisation == "minmax":
        if least == greatest:
            return (Fraction(1),) * len(column)
        end = greatest if direction == "min" else least
        return tuple(abs(value - end) / (greatest - least) for value in column)
    if normalisation == "max":
        shares = tuple(value / _positive(greatest, path) for value in column)
        return tuple(1 - share for share in shares) if direction == "min" else shares
    if normalisation == "sum":
        values = _turned(column, direction, path)
        whole = _positive(sum(values, Fraction(0)), path)
        return tuple(value / whole for value in values)
    raise Invalid("$.normalisation", "Write minmax, max or sum; vector is not rational.")


def _turned(column: Column, direction: str, path: str) -> Column:
    if min(column) < 0 or (direction == "min" and min(column) == 0):
        raise Invalid(path, "Normalising by the sum takes positive values; choose minmax, or shift the column.")
    return tuple(1 / value for value in column) if direction == "min" else column


def _positive(value: Fraction, path: str) -> Fraction:
    if value <= 0:
        raise Invalid(path, "This normalisation divides by it, so it has to be positive; choose minmax.")
    return value


def comparable(alternatives: int, functions: Sequence[Preference]) -> bool:
    """Whether PROMETHEE II is computed for so many alternatives; time goes with the square of their number."""
    return alternatives <= (MOST_GAUSSIAN if any(row.shape == "gaussian" for row in functions) else MOST)


def promethee_ii(
    matrix: Matrix, weights: Sequence[Fraction], directions: Sequence[str], functions: Sequence[Preference]
) -> list[Decimal]:
    """The net flow of each alternative, from -1 to 1, with 40 digits.

    For each criterion the preference function of the difference is summed over all pairs, in whole numbers. One
    alternative by itself has flow 0.

    Args:
        matrix: a row for each alternative; :func:`comparable` tells whether they are too many.
        weights: of the criteria, summing to exactly 1.
        directions: ``max`` or ``min`` for each criterion.
        functions: the preference function of each criterion.
    """
    check(matrix, weights, directions)
    flows = [Decimal(0)] * len(matrix)
    exact = [Fraction(0)] * len(matrix)
    for column, weight, direction, function in zip(_columns(matrix), weights, directions, functions, strict=True):
        signed = tuple(-value for value in column) if direction == "min" else column
        if function.shape == "gaussian":
            bells = _bells(signed, function.p)
            flows = [
                DIGITS.add(flow, DIGITS.multiply(_decimal(weight), bell))
                for flow, bell in zip(flows, bells, strict=True)
            ]
        else:
            steps = _steps(signed, function)
            exact = [found + weight * step for found, step in zip(exact, steps, strict=True)]
    others = Decimal(max(len(matrix) - 1, 1))
    return [DIGITS.divide(DIGITS.add(a, _decimal(b)), others) for a, b in zip(flows, exact, strict=True)]


def _scaled(column: Column, *thresholds: Fraction) -> tuple[list[int], list[int]]:
    """Values and thresholds as whole numbers of one unit."""
    unit = lcm(*(value.denominator for value in (*column, *thresholds)))
    return [int(value * unit) for value in column], [int(value * unit) for value in thresholds]


def _steps(column: Column, function: Preference) -> list[Fraction]:
    """For each value the sum over all others of P(difference) - P(-difference)."""
    q = function.q if function.shape in ("u_shape", "level", "v_shape_indifference") else Fraction(0)
    p = function.p if function.shape in ("v_shape", "level", "v_shape_indifference") else q
    values, (low, high) = _scaled(column, q, p)
    greatest = 2 * max(map(abs, [*values, low, high, 1])) * len(values)
    numbers = np.array(values, dtype=np.int64 if greatest < SAFE else object)
    unit = {"level": 2, "usual": 1, "u_shape": 1}.get(function.shape, high - low)
    found: dict[int, Fraction] = {}
    for value in set(values):
        gaps = value - numbers
        sums = _preference(function.shape, gaps, low, high) - _preference(function.shape, -gaps, low, high)
        found[value] = Fraction(int(sums), unit)
    return [found[value] for value in values]


def _preference(shape: str, gaps: "np.ndarray[tuple[int], np.dtype[np.int64]]", low: int, high: int) -> int:
    """The sum of a preference function over the gaps, in its own unit."""
    if shape in ("usual", "u_shape"):
        return int((gaps > low).sum())
    if shape == "level":
        return int((gaps > low).sum() + (gaps > high).sum())
    return int(np.clip(gaps - low, 0, high - low).sum())


def _bells(column: Column, deviation: Fraction) -> list[Decimal]:
    """The same for the Gaussian shape: 1 - exp(-d² / 2s²)."""
    values, (unit,) = _scaled(column, deviation)
    known: dict[int, Decimal] = {}

    def bell(gap: int) -> Decimal:
        if gap not in known:
            exponent = DIGITS.divide(Decimal(-gap * gap), Decimal(2 * unit * unit))
            known[gap] = DIGITS.subtract(Decimal(1), DIGITS.exp(exponent))
        return known[gap]

    amounts = {value: values.count(value) for value in set(values)}
    found: dict[int, Decimal] = {}
    for value in amounts:
        total = Decimal(0)
        for other in sorted(amounts):
            part = DIGITS.multiply(Decimal(amounts[other]), bell(abs(value - other)))
            total = DIGITS.add(total, part) if value > other else DIGITS.subtract(total, part)
        found[value] = total
    return [found[value] for value in values]
