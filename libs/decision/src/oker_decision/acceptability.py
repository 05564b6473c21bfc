"""How often a project would win if nobody knew the weights (rank acceptability, SMAA-2; Lahdelma and Salminen 2001).

The weights are drawn evenly from all weights that sum to 1: m - 1 whole numbers below 2**32, sorted, and the spaces
between them. There is no division and no logarithm in it, and `random.Random` draws the same bits from a seed in every
version of Python. In each sample the candidates are ranked exactly; ties are broken as in the ranking. So the counts
are exact, and the same everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from random import Random

import numpy as np
from numpy.typing import NDArray

from oker_decision.exact import Floats, Rows, rows
from oker_decision.ranking import ranks

BITS = 32
Numbers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates: each is of a kind, a distinct row of values, and has its place in the order that breaks ties."""

    distinct: Rows
    kinds: Numbers
    places: Numbers


@dataclass(frozen=True, slots=True)
class Counts:
    """In how many samples a candidate was first, and among the selected."""

    first: int
    selected: int


def draw(seed: int, samples: int, criteria: int) -> list[list[int]]:
    """Weights as whole numbers, each row summing to 2**32."""
    chance = Random(seed)  # noqa: S311 - not a secret: anybody is to draw the same
    found = []
    for _ in range(samples):
        cuts = [0, *sorted(chance.getrandbits(BITS) for _ in range(criteria - 1)), 1 << BITS]
        found.append([after - before for before, after in pairwise(cuts)])
    return found


def acceptability(
    values: Sequence[tuple[Fraction, ...]], ties: Sequence[int], seats: int, samples: int, seed: int
) -> list[Counts]:
    """Count over the samples.

    Args:
        values: a row of values for each candidate.
        ties: of each candidate its place in the order that breaks ties; the smaller goes first.
        seats: how many are selected.
        samples: how often weights are drawn.
        seed: from which they are drawn.
    """
    pool = _pool(values, ties)
    first = np.zeros(len(values), dtype=np.int64)
    selected = np.zeros(len(values), dtype=np.int64)
    for weights in draw(seed, samples, len(values[0]) if values else 1):
        near, error = pool.distinct.sums(weights)
        near = near[pool.kinds]
        first[_best(pool, weights, near, error, 1)] += 1
        selected[_best(pool, weights, near, error, seats)] += 1
    return [Counts(int(a), int(b)) for a, b in zip(first, selected, strict=True)]


def _pool(values: Sequence[tuple[Fraction, ...]], ties: Sequence[int]) -> Pool:
    kinds = {row: kind for kind, row in enumerate(dict.fromkeys(values))}
    return Pool(
        distinct=rows(list(kinds)),
        kinds=np.array([kinds[row] for row in values], dtype=np.intp),
        places=np.array(ties, dtype=np.intp),
    )


def _best(pool: Pool, weights: Sequence[int], near: Floats, error: float, seats: int) -> Numbers:
    """The best ``seats`` candidates: those inside for certain, and of the close ones the exact best."""
    if seats >= len(near):
        return np.arange(len(near))
    cut = near.max() if seats == 1 else np.partition(near, len(near) - seats)[len(near) - seats]
    inside = (near > cut + 2 * error).nonzero()[0]
    close = ((near >= cut - 2 * error) & (near <= cut + 2 * error)).nonzero()[0]
    free = seats - len(inside)
    if len(close) > free:
        close = _exactly(pool, weights, close)[:free]
    return np.concatenate([inside, close])


def _exactly(pool: Pool, weights: Sequence[int], close: Numbers) -> Numbers:
    """The close candidates, best first by their exact sums, then by their place."""
    kinds, kind_of = np.unique(pool.kinds[close], return_inverse=True)
    ranked = np.array(ranks([pool.distinct.sum(int(kind), weights) for kind in kinds]), dtype=np.intp)
    found: Numbers = close[np.lexsort((pool.places[close], ranked[kind_of]))]
    return found
