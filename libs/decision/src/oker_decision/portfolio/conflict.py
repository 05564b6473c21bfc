"""Which constraints contradict each other when no portfolio keeps them all."""

from collections.abc import Sequence
from dataclasses import replace

from oker_decision.portfolio.columns import Program, Row
from oker_decision.portfolio.highs import Limits, relax, search
from oker_decision.reading import Invalid

SINGLE = 100
"""Constraints of a kind that are tried one by one; more are named as a whole."""


class Infeasible(Invalid):
    """No portfolio keeps all constraints; the path is that of a field's minimum in conflict."""


def conflict(found: Program) -> Infeasible:
    """What is in conflict: constraints that no portfolio keeps together, none of which can be left out.

    Without minima the empty portfolio keeps everything, so a minimum is always among them.
    """
    rows = list(found.rows)
    kinds = ["exclusion", "dependency", "level", "seats", "budget", "minimum"]
    for kind in kinds:
        rows = _less(found, rows, [row for row in rows if row.kind == kind])
    minima = [row for row in rows if row.kind == "minimum"]
    others = [row.said for row in rows if row.kind not in ("minimum", "level")]
    wanted = " and ".join(row.said for row in minima)
    against = f" together with {'; '.join(others[:10])}" if others else ": the field has fewer candidates"
    sentence = f"No portfolio can have {wanted}{against}. Lower the minimum, or give way in what stands against it."
    return Infeasible(minima[0].path if minima else "$.selection", sentence)


def _less(found: Program, rows: list[Row], some: Sequence[Row]) -> list[Row]:
    without = [row for row in rows if row not in some]
    if not some or not _possible(found, without):
        return without
    if len(some) > SINGLE:
        return rows
    for row in some:
        fewer = [other for other in rows if other is not row]
        if not _possible(found, fewer):
            rows = fewer
    return rows


def _possible(found: Program, rows: Sequence[Row]) -> bool:
    tried = replace(found, rows=rows, gains=[0] * len(found.columns))
    return relax(tried) is not None and search(tried, Limits.none(tried)).chosen is not None
