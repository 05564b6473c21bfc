"""`registry.list_p95_ms`: how long lists and reads of project-registry take with 10,000 projects, one after another."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession
from tests.bench.figures import Figure
from tests.bench.place import BenchFailed, Place

from oker_contracts.project.profile_recorded_v1 import Profile, ProfileRecordedV1
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from project_registry.fold import fold

NAME = "project-registry"
FIELDS = ("mobilitaet", "energie", "umwelt-und-klimaschutz", "bildung")
PIECE = 1_000
REGISTERED = datetime(2026, 1, 1, tzinfo=UTC)
ASKED: dict[str, Callable[[int], str]] = {
    "registry.list_p95_ms": lambda number: f"/projects?limit=100&after=projekt-{number:05}",
    "registry.list_by_state_p95_ms": lambda number: f"/projects?state=eligible&department=fb-{number % 50}",
    "registry.list_by_title_p95_ms": lambda number: f"/projects?q=Nummer {number}",
    "registry.list_as_of_p95_ms": lambda number: "/projects?limit=100&as_of=2026-01-02T00:00:00Z",
    "registry.read_p95_ms": lambda number: f"/projects/projekt-{number:05}",
    "registry.history_p95_ms": lambda number: f"/projects/projekt-{number:05}/history",
}


async def measure(place: Place, short: bool) -> list[Figure]:
    """The 95th percentile of requests of each kind."""
    projects, rounds = (1_000, 40) if short else (10_000, 300)
    stack = place.stack
    engine = create_async_engine(stack.database_url(NAME))
    try:
        await _fill(engine, projects)
        await place.r1_database.execute("CHECKPOINT")
        stack.start_service(NAME)
        await stack.ready(NAME)
        async with httpx.AsyncClient(base_url=stack.url(NAME), timeout=60) as http:
            http.headers.update(stack.token("unit-1", "unit"))
            note = f"{projects:,} projects, 3 versions each{'; short form' if short else ''}"
            return [await _figure(http, name, path, projects, rounds, note) for name, path in ASKED.items()]
    finally:
        await engine.dispose()
        if NAME in stack.processes:
            stack.kill(NAME)
            del stack.processes[NAME]


async def _figure(
    http: httpx.AsyncClient, name: str, path: Callable[[int], str], projects: int, rounds: int, note: str
) -> Figure:
    took = []
    for number in range(rounds):
        begun = perf_counter()
        answer = await http.get(path(number * 7919 % projects))
        took.append((perf_counter() - begun) * 1000)
        if answer.status_code != 200:
            raise BenchFailed(f"GET {path(number)}: {answer.status_code} {answer.text[:300]}")
    took.sort()
    middle, late = took[len(took) // 2], took[int(len(took) * 0.95)]
    return Figure(name, round(late, 1), "ms", spread=f"median {middle:.1f}", note=note)


async def _fill(engine: Any, projects: int) -> None:
    """Fold the facts of as many projects: registered, then two versions of their profile."""
    async with AsyncSession(bind=engine) as session:
        for first in range(0, projects, PIECE):
            numbers = range(first, min(first + PIECE, projects))
            await fold(session, [_registered(number) for number in numbers])
            for version in (2, 3):
                await fold(session, [_profile(number, version) for number in numbers])
        await session.commit()
        await (await session.connection()).exec_driver_sql("ANALYZE")
        await session.commit()


def _registered(number: int) -> ProjectRegisteredV2:
    return ProjectRegisteredV2(
        project_id=f"projekt-{number:05}",
        title=f"Projekt Nummer {number}",
        summary="Eine Zusammenfassung von ein bis zwei Sätzen.",
        fields_of_action=[FIELDS[number % len(FIELDS)]],
        goals=[],
        origin="unit",
        state="proposed",
        registered_at=REGISTERED,
    )


def _profile(number: int, version: int) -> ProfileRecordedV1:
    at = REGISTERED + timedelta(days=version)
    return ProfileRecordedV1(
        project_id=f"projekt-{number:05}",
        version=version,
        state="eligible" if version == 3 else "proposed",
        previous_state="proposed",
        profile=Profile(
            title=f"Projekt Nummer {number}",
            summary="Eine Zusammenfassung von ein bis zwei Sätzen. " * 10,
            fields_of_action=[FIELDS[number % len(FIELDS)]],
            department=f"fb-{number % 50}",
            officer=f"officer-{number % 50}",
        ),
        reason="Steckbrief",
        valid_from=at,
        recorded_at=at,
    )
