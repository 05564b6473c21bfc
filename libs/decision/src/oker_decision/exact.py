"""The greatest of many exact numbers, found fast: floats only sort out what cannot be it, fractions decide.

A float sum of products lies within a known distance of the exact one, in whatever order a machine adds. What is further
from the greatest than twice that distance is out for certain; the few others are compared exactly. So the answer is the
same on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Number = int | Fraction
Floats = NDArray[np.float64]
UNIT = 2.0**-53


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of exact numbers, and the same as floats, each rounded to the nearest."""

    exact: Sequence[tuple[Fraction, ...]]
    near: Floats

    def sums(self, weights: Sequence[Number]) -> tuple[Floats, float]:
        """The weighted sum of each row as floats, and how far at most they lie from the exact ones.

        Value, weight, product and each addition are rounded once, by 2**-53 of their size (Higham 2002, 3.1); the
        distance is twice what that comes to, at least. Weights are not negative.
        """
        columns = self.near.shape[1]
        found = np.zeros(len(self.exact))
        for column, weight in enumerate(weights):
            found += self.near[:, column] * float(weight)
        greatest = float(np.abs(self.near).max(initial=0.0))
        return found, 4 * (columns + 2) * UNIT * greatest * float(sum(weights))

    def sum(self, row: int, weights: Sequence[Number]) -> Fraction:
        """The weighted sum of a row, exactly."""
        return sum((weight * value for weight, value in zip(weights, self.exact[row], strict=True)), Fraction(0))


def rows(values: Sequence[tuple[Fraction, ...]]) -> Rows:
    """Keep exact rows beside their floats."""
    near = np.array([[float(value) for value in row] for row in values], dtype=np.float64)
    return Rows(values, near.reshape(len(values), len(values[0]) if values else 0))
