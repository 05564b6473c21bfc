"""Projects for others: CSV and GeoJSON of many, HTML and PDF of one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from oker_bus import Bus
from oker_bus.preconditions import etag
from oker_contracts.base import Slug
from oker_contracts.project.profile_recorded_v1 import State
from oker_identity import require
from project_registry import domain, rendering, store
from project_registry.api.bodies import offers
from project_registry.api.conditions import Problem, Times, at
from project_registry.api.projects import PartOfATitle

PAGE = 1000
"""Projects that are read at once."""
AT_ONCE = 2
"""PDFs that are set at the same time."""


def _wanted(
    field: Slug | None = None,
    goal: Slug | None = None,
    state: State | None = None,
    department: Slug | None = None,
    q: Annotated[PartOfATitle | None, Query(description="Part of the title.")] = None,
) -> store.Wanted:
    return store.Wanted(field, goal, state, department, q)


Wanted = Annotated[store.Wanted, Depends(_wanted)]


def add_routes(api: APIRouter, bus: Bus) -> None:
    """The routes over exports; before those over single projects, whose ids would take their names."""
    anybody = [Depends(require())]
    routes = ExportRoutes(bus, asyncio.Semaphore(AT_ONCE))
    for path, route, kind in (
        ("/projects.csv", routes.csv, "text/csv"),
        ("/projects.geojson", routes.geojson, "application/geo+json"),
        ("/projects/{project_id}.html", routes.html, "text/html"),
        ("/projects/{project_id}.pdf", routes.pdf, "application/pdf"),
    ):
        api.add_api_route(path, route, dependencies=anybody, response_class=Response, responses=offers(kind))


@dataclass(frozen=True, slots=True)
class ExportRoutes:
    """The register as files."""

    bus: Bus
    setting: asyncio.Semaphore

    async def csv(self, wanted: Wanted, when: Times) -> Response:
        """Projects as CSV, safe to be opened in a spreadsheet; an import takes the file back."""

        async def lines() -> AsyncIterator[str]:
            yield rendering.csv_header()
            async for entries in self._pages(wanted, when):
                yield await asyncio.to_thread(rendering.csv_lines, entries)

        named = {"Content-Disposition": 'attachment; filename="projects.csv"'}
        return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=named)

    async def geojson(self, wanted: Wanted, when: Times) -> Response:
        """Projects as a GeoJSON FeatureCollection (RFC 7946)."""
        start, end = rendering.FEATURES

        async def lines() -> AsyncIterator[str]:
            yield start
            between = "\n"
            async for entries in self._pages(wanted, when):
                yield between + ",\n".join(rendering.feature(entry) for entry in entries)
                between = ",\n"
            yield end

        return StreamingResponse(lines(), media_type="application/geo+json")

    async def html(self, project_id: Slug, when: Times, lang: rendering.Language = "de") -> Response:
        """The Projektsteckbrief as an accessible page (WCAG 2.2)."""
        entry, titles = await self._read(project_id, when)
        text = rendering.page(rendering.sheet(entry, titles, lang))
        headers = {
            "Content-Security-Policy": rendering.policy(),
            "Content-Language": lang,
            "X-Content-Type-Options": "nosniff",
            "ETag": etag(entry.version),
        }
        return Response(text, media_type="text/html; charset=utf-8", headers=headers)

    async def pdf(self, project_id: Slug, when: Times, lang: rendering.Language = "de") -> Response:
        """The Projektsteckbrief as a tagged PDF (PDF/UA-1)."""
        entry, titles = await self._read(project_id, when)
        sheet = rendering.sheet(entry, titles, lang)
        async with self.setting:
            file = await asyncio.to_thread(rendering.document, sheet, entry.recorded_at)
        named = {"Content-Disposition": f'inline; filename="{project_id}.pdf"', "ETag": etag(entry.version)}
        return Response(file, media_type="application/pdf", headers={**named, "Content-Language": lang})

    async def _pages(self, wanted: store.Wanted, when: store.When) -> AsyncIterator[list[domain.Entry]]:
        """All projects by what is known now, page by page; no connection is held while one is sent."""
        when = store.When(when.as_of, when.known_at or self.bus.edge.clock())
        after = ""
        while True:
            async with self.bus.sessions() as session:
                found = await store.projects(session, wanted, when, after=after, limit=PAGE, light=False)
            if found:
                yield found
            if len(found) < PAGE:
                return
            after = found[-1].id

    async def _read(self, project_id: str, when: store.When) -> tuple[domain.Entry, rendering.Titles]:
        async with self.bus.sessions() as session:
            entry = await store.entry(session, "project", project_id, at(when, self.bus.edge.clock()))
            if entry is None:
                raise Problem(404, "No project of this id is registered, or it was not known at that time.")
            kinds: tuple[domain.Kind, ...] = ("field", "goal", "organisation")
            names = [await store.entries(session, kind, at(when, self.bus.edge.clock())) for kind in kinds]
        return entry, rendering.Titles(*[{entry.id: entry.title for entry in found} for found in names])
