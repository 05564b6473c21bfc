"""Who stands before whom.

Equal scores share a rank, and the next rank is left out (1, 1, 3). Among equal scores the greater mean by the board of
the first criterion stands before (mirrored where less is better; Bürgernutzen comes first, S4.4-1), then of the second,
and so on; at last a lot that was drawn when the round was frozen, before anybody cast a ballot.
"""

from collections.abc import Sequence
from fractions import Fraction
from hashlib import sha256

from oker_decision.scoring import Scored


def lot(frozen_sha256: str, project_id: str) -> str:
    """The lot of a project; the greater one stands before."""
    return sha256(f"{frozen_sha256}\x00{project_id}".encode()).hexdigest()


def in_order(scored: Sequence[Scored], frozen_sha256: str) -> list[Scored]:
    """All candidates, best first."""
    return sorted(scored, key=lambda row: (row.score, row.board, lot(frozen_sha256, row.project_id)), reverse=True)


def tie_places(scored: Sequence[Scored], frozen_sha256: str) -> list[int]:
    """Of each candidate its place among all if all had the same score; 0 stands before the others."""
    keys = [(row.board, lot(frozen_sha256, row.project_id)) for row in scored]
    places = [0] * len(keys)
    for place, index in enumerate(sorted(range(len(keys)), key=keys.__getitem__, reverse=True)):
        places[index] = place
    return places


def ranks(values: Sequence[Fraction]) -> list[int]:
    """The rank of each value, 1 for the greatest; equal values share it."""
    found = [0] * len(values)
    rank, before = 0, None
    for place, index in enumerate(sorted(range(len(values)), key=values.__getitem__, reverse=True), start=1):
        if values[index] != before:
            rank, before = place, values[index]
        found[index] = rank
    return found
