"""The HTTP API of selection-scoring."""

from fastapi import APIRouter

from oker_bus import Bus
from selection_scoring.api import closing, criteria, deciding, judging, publishing, rounds, seeing, sessions

PARTS = (rounds, criteria, judging, seeing, closing, deciding, sessions, publishing)


def build(bus: Bus) -> APIRouter:
    """All routes over the rounds of ``bus``."""
    api = APIRouter()
    for part in PARTS:
        api.include_router(part.build(bus))
    return api
