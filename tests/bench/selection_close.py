"""`selection.close_10k_s`: seconds until a round of 10,000 projects is closed, with 200 assessments of each.

Assessments and ballots are loaded into the tables as folding their facts leaves them; the closing is the request of the
CDO: count in the database, compute, hash, record and announce the result.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from time import perf_counter
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession
from tests.bench.figures import Figure
from tests.bench.place import BenchFailed, Place

from oker_contracts.selection.candidate_listed_v2 import CandidateListedV2
from selection_scoring import store
from selection_scoring.domain.criteria import FOUR_CRITERIA
from selection_scoring.domain.judging import Judgement
from selection_scoring.fold import FOLDS

NAME = "selection-scoring"
ROUND = "runde-10k"
MEMBERS = 5
LIMIT_SECONDS = 300.0


async def measure(place: Place, short: bool) -> list[Figure]:
    """Closing, reading the first page of the result, and how soon health answers meanwhile is not this figure."""
    projects, assessors = (1_000, 20) if short else (10_000, 200)
    stack = place.stack
    stack.start_service(NAME)
    await stack.ready(NAME)
    engine = create_async_engine(stack.database_url(NAME))
    try:
        async with AsyncSession(bind=engine) as session:
            await _list(session, projects)
        async with httpx.AsyncClient(base_url=stack.url(NAME), timeout=LIMIT_SECONDS) as http:
            cdo = stack.token("cdo-1", "cdo")
            shown = await _post(http, cdo, "/rounds", _body(assessors))
            await _post(http, cdo, f"/rounds/{ROUND}/opening", {"frozen_sha256": shown["frozen_sha256"]})
            async with AsyncSession(bind=engine) as session:
                raw = (await (await session.connection()).get_raw_connection()).driver_connection
                await store.judgements.load(raw, ROUND, _judgements(projects, assessors))
                await session.commit()
            await place.r1_database.execute("CHECKPOINT")
            await _post(http, cdo, f"/rounds/{ROUND}/ballots-opening", {"reason": ""})
            begun = perf_counter()
            closed = await _post(http, cdo, f"/rounds/{ROUND}/closing", None)
            took = perf_counter() - begun
    finally:
        await engine.dispose()
        stack.kill(NAME)
        del stack.processes[NAME]
    expected = projects * (assessors + MEMBERS)
    if closed["judgements"] != expected:
        raise BenchFailed(f"{closed['judgements']} judgements were counted, {expected} were given")
    note = f"{projects:,} projects, {projects * assessors:,} assessments, {projects * MEMBERS:,} ballots"
    return [Figure("selection.close_10k_s", round(took, 2), "s", note=f"{note}{'; short form' if short else ''}")]


async def _post(http: httpx.AsyncClient, headers: dict[str, str], path: str, body: Any) -> Any:
    answer = await http.post(path, json=body, headers=headers)
    if answer.is_error:
        raise BenchFailed(f"POST {path}: {answer.status_code} {answer.text[:300]}")
    return answer.json()


async def _list(session: AsyncSession, projects: int) -> None:
    """Put projects into the pool, as hearing of them does."""
    for number in range(projects):
        fact = CandidateListedV2(
            project_id=f"projekt-{number:05}",
            version=3,
            title=f"Projekt {number}",
            fields_of_action=["mobilitaet"],
            costs={"digital": 10_000 + number},
            profile_sha256=sha256(b"%d" % number).hexdigest(),
            listed_at=datetime.now(UTC),
        )
        await FOLDS[CandidateListedV2](session, fact)
    await session.commit()


def _body(assessors: int) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "round_id": ROUND,
        "title": "Runde der Messung",
        "assessors": [f"assessor-{number}" for number in range(assessors)],
        "assessments_until": (now + timedelta(hours=1)).isoformat(),
        "electorate": [f"board-{number}" for number in range(MEMBERS)],
        "quorum": MEMBERS,
        "ballots_until": (now + timedelta(hours=2)).isoformat(),
        "selection": {"method": "seats", "seats": 100},
        "robustness": {"samples": 1_000, "seed": 1},
    }


def _judgements(projects: int, assessors: int) -> Iterator[Judgement]:
    """Every assessor and every member scores every project; scores follow from the names."""
    at = datetime.now(UTC)
    voices = [("assessments", f"assessor-{number}") for number in range(assessors)]
    voices += [("board", f"board-{number}") for number in range(MEMBERS)]
    for number in range(projects):
        project = f"projekt-{number:05}"
        for voice, voter in voices:
            seal = sha256(f"{voice}/{voter}/{project}".encode())
            digits = seal.digest()
            scores = tuple(1 + digits[place] % 5 for place in range(len(FOUR_CRITERIA)))
            yield Judgement(ROUND, voice, voter, project, 1, scores, "", at, seal.hexdigest())
