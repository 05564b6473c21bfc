"""What others check without us: the decision log, and the file of a decision."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from oker_bus import Bus
from oker_contracts.base import Slug
from oker_contracts.selection.assessment_given_v1 import AssessmentGivenV1
from oker_contracts.selection.ballot_cast_v2 import BallotCastV2
from oker_contracts.selection.candidates_frozen_v1 import CandidatesFrozenV1
from oker_contracts.selection.recusal_declared_v1 import RecusalDeclaredV1
from oker_contracts.selection.result_recorded_v1 import ResultRecordedV1
from oker_contracts.selection.votes_counted_v1 import VotesCountedV1
from oker_decision.canonical import digest
from oker_decision.file import FORMAT
from oker_identity import Holder, require
from selection_scoring import store
from selection_scoring.api.answers import found
from selection_scoring.api.rounds import as_said
from selection_scoring.domain.freezing import utc
from selection_scoring.domain.rounds import ASSESSMENTS, Round
from selection_scoring.fold import CANDIDATES_IN_A_PART, LINES_IN_A_PART

Anybody = Annotated[Holder, Depends(require())]
TOLD = frozenset({"cdo", "unit", "board", "auditor"})
Publisher = Annotated[Holder, Depends(require(*sorted(TOLD)))]
JSON_LINES = "application/jsonl"
PIECE = 200
"""Lines that are sent together."""
Lines = AsyncIterator[dict[str, Any]]


class Entry(BaseModel):
    """An entry of the decision log; the fact itself is shown to CDO, unit, board and auditors."""

    number: int
    type: str
    previous_sha256: str
    data_sha256: str
    sha256: str
    data: dict[str, Any] | None = None


def build(bus: Bus) -> APIRouter:
    """The routes of log and decision file."""
    told = Publishing(bus)
    api = APIRouter()
    api.add_api_route("/log", told.log, response_model_exclude_none=True)
    api.add_api_route("/rounds/{round_id}/decision-file", told.file, response_class=StreamingResponse)
    return api


@dataclass(frozen=True, slots=True)
class Publishing:
    """What can be checked from outside."""

    bus: Bus

    async def log(
        self,
        holder: Anybody,
        after: Annotated[int, Query(ge=0, le=2**53 - 1)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[Entry]:
        """The decision log from its beginning; the next page comes ``after`` the last number seen."""
        async with self.bus.sessions() as session:
            rows = await store.log.page(session, after, limit)
        told = bool(holder.roles & TOLD)
        return [Entry(**{**entry(row), "data": row["data"] if told else None}) for row in rows]

    async def file(self, round_id: Slug, _: Publisher) -> StreamingResponse:
        """The decision file of a decided round, JSON Lines: ``oker verify decision`` computes the decision again.

        It says who said what, with the comments of assessors; CDO, unit, board and auditors decide who gets it.
        """
        async with self.bus.sessions() as session:
            round = found(await store.rounds.find(session, round_id))
            if round.stage != "decided":
                raise HTTPException(404, "The board has not decided on this round yet.")
        name = {"Content-Disposition": f'attachment; filename="{round_id}.jsonl"'}
        return StreamingResponse(_written(self.bus, round), media_type=JSON_LINES, headers=name)


def entry(row: Mapping[str, Any]) -> dict[str, Any]:
    """An entry without its fact."""
    kept = {name: row[name] for name in ("number", "type", "previous_sha256", "sha256")}
    return {**kept, "data_sha256": digest(row["data"])}


async def _written(bus: Bus, round: Round) -> AsyncIterator[bytes]:
    async with bus.sessions() as session:
        piece: list[str] = []
        async for line in _lines(session, round):
            piece.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
            if len(piece) == PIECE:
                yield ("\n".join(piece) + "\n").encode()
                piece = []
        yield ("\n".join(piece) + "\n").encode() if piece else b""


async def _lines(session: Any, round: Round) -> Lines:
    """The lines of a decision file, see ``oker_decision.file``."""
    place = {"round_id": round.round_id, "frozen_sha256": round.frozen_sha256}
    logged = await store.log.of_decision(session, round.round_id, round.content["criteria_set"])
    decision = logged["selection.decision_taken.v2"][-1]
    result = {"result_sha256": decision["data"]["result_sha256"]}
    yield {"format": FORMAT, **place, **result, "log_sha256": decision["sha256"]}
    for type in ("criteria_recorded.v1", "round_frozen.v1"):
        yield _logged(logged[f"selection.{type}"][-1])
    async for line in _candidates(session, place):
        yield line
    for row in logged["selection.round_moved.v1"]:
        yield _logged(row)
    async for line in _judgements(session, round, place):
        yield line
    yield _logged(logged["selection.round_closed.v1"][-1])
    async for line in _result(session, {**place, **result}):
        yield line
    yield _logged(decision)
    own = {row["number"] for rows in logged.values() for row in rows}
    async for line in _other_entries(session, own, decision["number"]):
        yield line


def _logged(row: Mapping[str, Any]) -> dict[str, Any]:
    """A fact of the log as it was announced."""
    link = {name: row[name] for name in ("number", "previous_sha256", "sha256")}
    return {"type": row["type"], "data": {**row["data"], "log": link}}


async def _candidates(session: Any, place: dict[str, str]) -> Lines:
    rows = await store.publishing.candidates(session, place["round_id"])
    parts: dict[int, list[dict[str, Any]]] = {}
    for at, row in rows:
        parts.setdefault(at // CANDIDATES_IN_A_PART + 1, []).append(as_said(row))
    for part, candidates in parts.items():
        yield _fact(CandidatesFrozenV1(**place, part=part, candidates=candidates))  # type: ignore[arg-type]


async def _judgements(session: Any, round: Round, place: dict[str, str]) -> Lines:
    for row in await store.judgements.recusals(session, round.round_id):
        yield _fact(RecusalDeclaredV1(**{**row, **place}))
    criteria = round.criteria
    async for row in store.publishing.judgements(session, round.round_id):
        said = {**place, "project_id": row.project_id, "version": row.version, "sha256": row.sha256}
        said["scores"] = dict(zip(criteria, row.scores, strict=True))
        if row.voice == ASSESSMENTS:
            said |= {"assessor": row.voter, "comment": row.comment, "given_at": utc(row.at)}
            yield {"type": AssessmentGivenV1.TYPE, "data": said}
        else:
            said |= {"voice": row.voice, "voter": row.voter, "cast_at": utc(row.at)}
            yield {"type": BallotCastV2.TYPE, "data": said}
    for row in await store.publishing.votes(session, round.round_id):
        yield _fact(VotesCountedV1(**{**row, **place}))


async def _result(session: Any, place: dict[str, Any]) -> Lines:
    parts: dict[int, list[dict[str, Any]]] = {}
    for at, line in await store.publishing.result_lines(session, place["round_id"]):
        parts.setdefault((at - 1) // LINES_IN_A_PART + 1, []).append(line)
    for part, lines in parts.items():
        yield _fact(ResultRecordedV1(**place, part=part, lines=lines))


async def _other_entries(session: Any, own: set[int], last: int) -> Lines:
    after = 0
    while after < last:
        for row in await store.log.page(session, after, 1000):
            after = row["number"]
            if after <= last and after not in own:
                yield {"type": "log", "data": entry(row)}


def _fact(fact: Any) -> dict[str, Any]:
    return {"type": fact.TYPE, "data": fact.model_dump(mode="json")}
