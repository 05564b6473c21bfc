"""Which projects can be chosen: those that are eligible, in their newest version."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

ELIGIBLE = "eligible"
MOST_EUROS = 10_000_000_000
Step = Literal["list", "delist", "nothing"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version of a project, as a round freezes it."""

    project_id: str
    version: int
    title: str
    fields_of_action: tuple[str, ...]
    costs: Mapping[str, int]
    """Planned EUR of each budget line, all years together."""
    profile_sha256: str


@dataclass(frozen=True, slots=True)
class Place:
    """The newest version of a project that the pool has heard of, and whether it is in the pool."""

    version: int
    listed: bool


def step(state: str, previous_state: str, version: int, known: Place | None) -> Step:
    """What a version of a project does to the pool.

    News may come in any order. A version that ends eligibility is kept even if its beginning has not been heard yet:
    the beginning is older, and must not list the project when it comes at last.
    """
    if known is not None and version <= known.version:
        return "nothing"
    if state == ELIGIBLE:
        return "list"
    if previous_state == ELIGIBLE or (known is not None and known.listed):
        return "delist"
    return "nothing"


def costs(budget: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Planned EUR of each line, over all years; what is more than ``MOST_EUROS`` is written as that."""
    total: dict[str, int] = {}
    for line, euros in budget:
        total[line] = min(total.get(line, 0) + euros, MOST_EUROS)
    return total
