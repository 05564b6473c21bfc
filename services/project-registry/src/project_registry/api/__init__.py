"""The HTTP API of project-registry."""

from fastapi import APIRouter

from oker_bus import Bus
from project_registry.api import catalogue, exports, ideas, importing, people, projects, proposals
from project_registry.api.conditions import ProblemRoute


def build(bus: Bus) -> APIRouter:
    """The routes over the register of ``bus``."""
    api = APIRouter(route_class=ProblemRoute)
    for part in (catalogue, exports, ideas, importing, people, proposals, projects):
        part.add_routes(api, bus)
    return api
