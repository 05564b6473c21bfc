"""The closing of a round: count, compute, record. The board decides after that."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, HTTPException, Query

from oker_bus import Bus
from oker_contracts.base import Slug
from oker_contracts.selection.result_recorded_v1 import ResultRecordedV1
from oker_contracts.selection.round_closed_v1 import RoundClosedV1
from oker_decision.model import Approvals, Tallies
from oker_decision.portfolio import Infeasible, Unsolved
from oker_decision.result import compute, fingerprint
from oker_identity import Holder, require
from selection_scoring import store
from selection_scoring.api.answers import allow, found, locked
from selection_scoring.api.counting import complete_voters, counted
from selection_scoring.api.rounds import as_said
from selection_scoring.domain import freezing, rounds
from selection_scoring.domain.rounds import Round
from selection_scoring.fold import LINES_IN_A_PART, record
from selection_scoring.log import UNLINKED, linked

log = structlog.get_logger()
Chief = Annotated[Holder, Depends(require("cdo"))]
Anybody = Annotated[Holder, Depends(require())]
EARLY_READERS = frozenset({"cdo", "unit", "board", "auditor"})
MOST_BYTES = 700_000


@dataclass(frozen=True, slots=True)
class Result:
    """What was computed: its hash, its lines in parts that one event can hold, and the rest of it."""

    sha256: str
    parts: list[list[dict[str, Any]]]
    summary: dict[str, Any]


def build(bus: Bus) -> APIRouter:
    """The routes of closing and result."""
    told = Closing(bus)
    api = APIRouter()
    api.add_api_route("/rounds/{round_id}/closing", told.close, methods=["POST"])
    api.add_api_route("/rounds/{round_id}/result", told.result)
    return api


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of the ballots."""

    bus: Bus

    async def close(self, round_id: Slug, holder: Chief) -> dict[str, Any]:
        """Count the ballots and compute the result; a second closing shows the first, and changes nothing."""
        async with self.bus.transaction() as tx:
            round = await locked(tx, round_id)
            known = await store.results.closing(tx.session, round_id)
            if known is None:
                complete = await complete_voters(tx.session, round) if round.stage == "ballot" else 0
                allow(rounds.may_close(round, complete, tx.now))
                await store.counting.make_room(tx.session)
                result, (judgements, judgements_sha256) = await _computed(tx.session, round)
                place = {"round_id": round_id, "frozen_sha256": round.frozen_sha256}
                fact = RoundClosedV1(
                    **place,
                    judgements=judgements,
                    judgements_sha256=judgements_sha256,
                    complete_voters=complete,
                    result_sha256=result.sha256,
                    parts=len(result.parts),
                    summary=result.summary,
                    closed_by=holder.id,
                    closed_at=tx.now,
                    log=UNLINKED,
                )
                await record(tx, await linked(tx, fact))
                for number, lines in enumerate(result.parts, start=1):
                    part = ResultRecordedV1(**place, result_sha256=result.sha256, part=number, lines=lines)
                    await record(tx, part)
                log.info("round.closed", round_id=round_id, result_sha256=result.sha256)
            return await store.results.closing(tx.session, round_id) or {}

    async def result(
        self,
        round_id: Slug,
        holder: Anybody,
        after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, Any]:
        """The computed result; lines by rank. ``next`` is where the next page begins, null at the end."""
        async with self.bus.sessions() as session:
            round = found(await store.rounds.find(session, round_id))
            closing = await store.results.closing(session, round_id)
            if closing is None:
                raise HTTPException(404, "The round is not closed; there is no result yet.")
            if round.stage != "decided" and not holder.roles & EARLY_READERS:
                raise HTTPException(403, "The result is shown to you when the board has decided.")
            rows = await store.results.lines(session, round_id, after, limit)
        lines = [row for _, row in rows]
        return {**closing, "lines": lines, "next": rows[-1][0] if len(rows) == limit else None}


async def _computed(session: store.Session, round: Round) -> tuple[Result, tuple[int, str]]:
    """Compute in a thread of its own while the database hashes, so that the service goes on answering.

    Both are waited for whatever becomes of the other: a transaction does not end while its connection is in use.
    """
    tallies, approvals = await counted(session, round)
    candidates = [as_said(row) for row in await store.rounds.candidates(session, round.round_id)]
    computing = asyncio.create_task(asyncio.to_thread(_result, round.content, candidates, tallies, approvals))
    try:
        said = await store.counting.fingerprint(session, round.round_id)
    finally:
        await asyncio.wait([computing])
    try:
        result = computing.result()
    except Infeasible as error:
        raise HTTPException(409, f"{error} Cancel the round, and freeze one that can be met.") from None
    except Unsolved as error:
        sentence = f"{error} Close the round again when the machine is less busy, or cancel it."
        raise HTTPException(503, sentence) from None
    return result, said


def _result(
    content: Mapping[str, Any],
    candidates: Sequence[Mapping[str, Any]],
    tallies: Tallies,
    approvals: Approvals,
) -> Result:
    computed = compute(content, candidates, tallies, approvals)
    lines = computed["lines"]
    sizes = [len(json.dumps(line, ensure_ascii=False).encode()) for line in lines]
    parts = freezing.parts(lines, sizes, LINES_IN_A_PART, MOST_BYTES)
    summary = {name: value for name, value in computed.items() if name != "lines"}
    return Result(fingerprint(computed), parts, summary)
