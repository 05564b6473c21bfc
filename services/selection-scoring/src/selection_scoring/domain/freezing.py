"""What is fixed before a round opens, so that nobody can bend the rules to the outcome."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from selection_scoring.domain.rounds import Denial, Fault, named

PROCEDURE = "oker/1"
"""The edition of the rules by which a round is computed. Old rounds are computed by theirs for ever."""
WAY_BACK = timedelta(minutes=10)
"""How long the projects of a cancelled round are waited for. Those that have not come back by then were stopped."""


def may_take_all(missing: Sequence[str]) -> Denial | None:
    """The whole pool is taken when it is whole.

    Args:
        missing: projects of rounds that were cancelled a moment ago and that are not back in the pool.
    """
    if not missing:
        return None
    sentence = f"Projects of a round that was cancelled just now are not back in the pool yet: {named(missing)}."
    return Denial("conflict", f"{sentence} Try again in a moment, or name the candidates.")


def content(
    asked: Mapping[str, Any], criteria_set: Mapping[str, Any], candidates: int, candidates_sha256: str
) -> dict[str, Any]:
    """The content of a round as JSON values, see ``RoundContent``.

    Electorate, assessors, pairs and lines are sorted: their order in a request makes no difference. The order of the
    criteria stays, it decides ties.

    Args:
        asked: the request, without its candidates; times are aware.
        criteria_set: ``set``, ``version``, ``criteria``, ``scale_min`` and ``scale_max``.
    """
    kept = ("round_id", "title", "comparisons", "robustness", "min_assessments", "discussion_spread", "quorum")
    return {
        "procedure": PROCEDURE,
        **{name: asked[name] for name in (*kept, "may_end_early")},
        "voices": [{**row, "weight": str(Fraction(row["weight"]))} for row in asked["voices"]],
        "criteria_set": {"set": criteria_set["set"], "version": criteria_set["version"]},
        **{name: criteria_set[name] for name in ("criteria", "scale_min", "scale_max")},
        "assessors": sorted(asked["assessors"]),
        "assessments_until": utc(asked["assessments_until"]),
        "electorate": sorted(asked["electorate"]),
        "ballots_until": utc(asked["ballots_until"]),
        "tie_break": "criteria_then_lot",
        "selection": _sorted(asked["selection"]),
        "candidates": candidates,
        "candidates_sha256": candidates_sha256,
    }


def _sorted(selection: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(selection)
    if "exclusions" in found:
        found["exclusions"] = sorted(sorted(pair) for pair in found["exclusions"])
        found["part_funding"] = [{**row, "share": str(Fraction(row["share"]))} for row in found["part_funding"]]
    for name, keys in (("dependencies", ("project", "needs")), ("part_funding", ("project",)), ("budgets", ("line",))):
        if name in found:
            found[name] = sorted(found[name], key=lambda row: tuple(row[key] for key in keys))
    return found


def utc(moment: datetime) -> str:
    """A time as text, in UTC (RFC 3339)."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parts(rows: Sequence[Any], sizes: Sequence[int], most_rows: int, most_bytes: int) -> list[list[Any]]:
    """The rows in pieces that one event can hold, in order.

    Args:
        sizes: of each row its length in an event, in bytes.
    """
    found: list[list[Any]] = []
    room = 0
    for row, size in zip(rows, sizes, strict=True):
        if not found or len(found[-1]) == most_rows or size > room:
            found.append([])
            room = most_bytes
        found[-1].append(row)
        room -= size
    return found


def first_repeated(path: str, names: Sequence[str]) -> Fault | None:
    """The first name that stands in a list twice."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            return Fault("FIELD_VALUE_INVALID", f"{path}[{index}]", "This stands in the list twice.")
        seen.add(name)
    return None
