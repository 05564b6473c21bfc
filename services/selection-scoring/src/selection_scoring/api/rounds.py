"""Rounds: frozen, opened, called to the ballots, cancelled."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, HTTPException, Query, Response
from pydantic import BaseModel

from oker_bus import Bus, Reason, Refused, Transaction
from oker_contracts.base import Slug
from oker_contracts.selection.candidates_frozen_v1 import CandidatesFrozenV1
from oker_contracts.selection.round_frozen_v1 import RoundFrozenV1
from oker_contracts.selection.round_moved_v1 import RoundMovedV1
from oker_decision import portfolio
from oker_decision.canonical import canonical, digest
from oker_decision.model import Round as Readable
from oker_decision.reading import Invalid
from oker_decision.result import read_candidates
from oker_identity import Holder, require
from selection_scoring import store
from selection_scoring.api.answers import allow, found, locked, refuse, refused
from selection_scoring.api.asked import AskedBallots, AskedOpening, AskedReason, AskedRound
from selection_scoring.api.counting import MOST_DISCUSSED, assessed, complete_voters, far_apart, short_of_assessments
from selection_scoring.api.criteria import seed
from selection_scoring.domain import freezing, rounds
from selection_scoring.domain.pool import Candidate
from selection_scoring.domain.rounds import Round
from selection_scoring.fold import CANDIDATES_IN_A_PART, record
from selection_scoring.log import UNLINKED, linked

log = structlog.get_logger()
Preparer = Annotated[Holder, Depends(require("cdo", "unit"))]
Chief = Annotated[Holder, Depends(require("cdo"))]
AnyHolder = Depends(require())
OBSERVERS = ("cdo", "unit", "board", "officer", "auditor", "forum", "advisory_board", "dezernent")
Observer = Depends(require(*OBSERVERS))
After = Annotated[str, Query(max_length=63, pattern=r"^[a-z0-9-]*$")]
Limit = Annotated[int, Query(ge=1, le=1000)]
MOST_CANDIDATES = 10_000
MOST_BYTES = 700_000
"""Of the candidates in one event; the broker takes a little more."""


class RoundView(BaseModel):
    """A round and how far it is; never who voted how."""

    content: dict[str, Any]
    frozen_sha256: str
    frozen_by: str
    frozen_at: datetime
    stage: str
    discuss: list[str]
    closed: bool
    assessments: int
    ballots: int
    complete_voters: int


class RoundLine(BaseModel):
    """A round in a list."""

    round_id: str
    title: str
    stage: str
    frozen_sha256: str
    frozen_at: datetime


def build(bus: Bus) -> APIRouter:
    """The routes of rounds and their stages."""
    told = Rounds(bus)
    api = APIRouter()
    api.add_api_route("/candidates", told.pool, dependencies=[AnyHolder])
    api.add_api_route("/rounds", told.freeze, methods=["POST"], status_code=201)
    api.add_api_route("/rounds", told.every, dependencies=[Observer])
    api.add_api_route("/rounds/{round_id}", told.show, dependencies=[Observer])
    api.add_api_route("/rounds/{round_id}/candidates", told.candidates, dependencies=[Observer])
    api.add_api_route("/rounds/{round_id}/opening", told.open, methods=["POST"])
    api.add_api_route("/rounds/{round_id}/ballots-opening", told.call_ballots, methods=["POST"])
    api.add_api_route("/rounds/{round_id}/cancellation", told.cancel, methods=["POST"])
    return api


@dataclass(frozen=True, slots=True)
class Rounds:
    """Rounds of selection as people see them."""

    bus: Bus

    async def pool(self, after: After = "", limit: Limit = 100) -> list[Candidate]:
        """The candidates that the next round can draw from, by id; the next page comes ``after`` the last one seen."""
        async with self.bus.sessions() as session:
            return await store.pool.candidates(session, after, limit)

    async def freeze(self, body: AskedRound, holder: Preparer, response: Response) -> RoundView:
        """Freeze a round before it opens; 200 if it is frozen with the same content already, 409 with another."""
        async with self.bus.transaction() as tx:
            await seed(tx)
            await store.rounds.lock_freezing(tx.session)
            known = await store.rounds.find(tx.session, body.round_id)
            candidates = await _candidates(tx, body, known)
            content = await _content(tx, body, known, candidates)
            if known is None:
                _on_time(body, tx.now)
                round = await _frozen(tx, content, candidates, holder.id)
                log.info("round.frozen", round_id=round.round_id, frozen_sha256=round.frozen_sha256)
                return await _view(tx.session, round)
            if digest(content) != known.frozen_sha256:
                raise HTTPException(409, "A round of this id is frozen with other content; take another id.")
            response.status_code = 200
            return await _view(tx.session, known)

    async def every(self) -> list[RoundLine]:
        """All rounds, the newest first."""
        async with self.bus.sessions() as session:
            rows = await store.rounds.every(session)
        names = ("round_id", "stage", "frozen_sha256", "frozen_at")
        return [RoundLine(title=row.content["title"], **{name: getattr(row, name) for name in names}) for row in rows]

    async def show(self, round_id: Slug) -> RoundView:
        """One round."""
        async with self.bus.sessions() as session:
            return await _view(session, found(await store.rounds.find(session, round_id)))

    async def candidates(self, round_id: Slug, after: After = "", limit: Limit = 100) -> list[Candidate]:
        """The candidates of a round, in the versions that were frozen, by id."""
        async with self.bus.sessions() as session:
            found(await store.rounds.find(session, round_id))
            return await store.rounds.candidates(session, round_id, after, limit)

    async def open(self, round_id: Slug, body: AskedOpening, holder: Chief) -> RoundView:
        """Open a frozen round for assessments."""
        async with self.bus.transaction() as tx:
            round = await locked(tx, round_id)
            if round.stage != "assessment" or round.frozen_sha256 != body.frozen_sha256:
                allow(rounds.may_open(round, body.frozen_sha256))
                await _move(tx, round, "assessment", holder.id)
            return await _view(tx.session, await locked(tx, round_id))

    async def call_ballots(self, round_id: Slug, body: AskedBallots, holder: Chief) -> RoundView:
        """Let the board vote; says on which candidates the assessments differ much."""
        async with self.bus.transaction() as tx:
            round = await locked(tx, round_id)
            if round.stage != "ballot":
                tallies = await assessed(tx.session, round)
                names = await store.rounds.candidate_ids(tx.session, round_id)
                short = await short_of_assessments(tx.session, round, names, tallies)
                allow(rounds.may_call_ballots(round, short, body.reason, tx.now))
                discuss = sorted(project for project, tally in tallies.items() if far_apart(round, tally))
                await _move(tx, round, "ballot", holder.id, body.reason, discuss[:MOST_DISCUSSED])
            return await _view(tx.session, await locked(tx, round_id))

    async def cancel(self, round_id: Slug, body: AskedReason, holder: Chief) -> RoundView:
        """Give a round up; its candidates are free for another."""
        async with self.bus.transaction() as tx:
            round = await locked(tx, round_id)
            if round.stage != "cancelled":
                allow(rounds.may_cancel(round))
                await _move(tx, round, "cancelled", holder.id, body.reason)
            return await _view(tx.session, await locked(tx, round_id))


async def _candidates(tx: Transaction, body: AskedRound, known: Round | None) -> list[Candidate]:
    """The candidates asked for, by id.

    "The whole pool" means the pool at the moment of freezing, also when the same request comes again later; so do the
    versions of the candidates.
    """
    asked = body.candidates
    if asked is not None:
        refuse(freezing.first_repeated("$.candidates", asked))
    if known is not None:
        frozen = await store.rounds.candidates(tx.session, known.round_id)
        if asked is None or sorted(asked) == [row.project_id for row in frozen]:
            return frozen
        raise HTTPException(409, "A round of this id is frozen with other candidates; take another id.")
    pool = {row.project_id: row for row in await store.pool.candidates(tx.session)}
    held = await store.rounds.held(tx.session, asked or list(pool))
    if asked is None:
        allow(freezing.may_take_all(await _not_back(tx, pool)))
        return _not_empty([row for row in pool.values() if row.project_id not in held])
    for index, project_id in enumerate(asked):
        if project_id in held:
            raise HTTPException(
                409, f"{project_id} is in the round {held[project_id]}; wait for its end, or leave it out."
            )
        if project_id not in pool:
            raise Refused(Reason.FIELD_VALUE_INVALID, f"$.candidates[{index}]", "The pool has no such candidate.")
    return [pool[project_id] for project_id in sorted(asked)]


async def _not_back(tx: Transaction, pool: Mapping[str, Candidate]) -> list[str]:
    """The projects of rounds that were cancelled a moment ago, that are neither in the pool nor in a round."""
    freed = await store.rounds.freed(tx.session, tx.now - freezing.WAY_BACK) - pool.keys()
    return sorted(freed - (await store.rounds.held(tx.session, list(freed))).keys())


def _not_empty(candidates: list[Candidate]) -> list[Candidate]:
    if not candidates:
        raise HTTPException(409, "The pool is empty: no project is eligible that is not in a round already.")
    if len(candidates) > MOST_CANDIDATES:
        raise HTTPException(409, f"The pool has {len(candidates)} candidates; name {MOST_CANDIDATES} of them at most.")
    return candidates


async def _content(
    tx: Transaction, body: AskedRound, known: Round | None, candidates: Sequence[Candidate]
) -> dict[str, Any]:
    """The content of the round that is asked for, without a fault."""
    criteria = await _criteria(tx, body, known)
    said = [as_said(row) for row in candidates]

    def assembled() -> dict[str, Any]:
        content = freezing.content(body.model_dump(mode="python"), criteria, len(said), digest(said))
        round = Readable.read(content)
        frozen = read_candidates(round, said)
        if known is None and round.selection.method == "portfolio":
            portfolio.check(frozen, round.selection)
        return content

    try:
        return await asyncio.to_thread(assembled)
    except Invalid as invalid:
        raise refused(invalid) from None
    except portfolio.Unsolved as unsolved:
        raise Refused(Reason.FIELD_VALUE_INVALID, "$.selection", str(unsolved)) from None


async def _criteria(tx: Transaction, body: AskedRound, known: Round | None) -> dict[str, Any]:
    """The version of the set that is asked for; the newest of the moment of freezing if none is named."""
    version = body.criteria_set.version
    if (
        version is None
        and known is not None
        and known.content.get("criteria_set", {}).get("set") == body.criteria_set.set
    ):
        version = known.content["criteria_set"]["version"]
    criteria = await store.criteria.find(tx.session, body.criteria_set.set, version)
    if criteria is None:
        sentence = "There is no such set of criteria, or not in this version; record it first."
        raise Refused(Reason.FIELD_VALUE_INVALID, "$.criteria_set", sentence)
    return criteria


def _on_time(body: AskedRound, now: datetime) -> None:
    if body.ballots_until <= now:
        raise Refused(Reason.FIELD_VALUE_INVALID, "$.ballots_until", "This is over; take a time to come.")
    if body.assessments_until <= now:
        sentence = "This is over, and nobody could assess anything; take a time to come."
        raise Refused(Reason.FIELD_VALUE_INVALID, "$.assessments_until", sentence)
    if body.assessments_until > body.ballots_until:
        sentence = "Assessments end before the ballots do; take a time that is not after ballots_until."
        raise Refused(Reason.FIELD_VALUE_INVALID, "$.assessments_until", sentence)


async def _frozen(tx: Transaction, content: dict[str, Any], candidates: Sequence[Candidate], by: str) -> Round:
    said = [as_said(row) for row in candidates]
    sizes = await asyncio.to_thread(lambda: [len(canonical(row)) for row in said])
    parts = freezing.parts(said, sizes, CANDIDATES_IN_A_PART, MOST_BYTES)
    round_id, frozen_sha256 = content["round_id"], digest(content)
    place = {"round_id": round_id, "frozen_sha256": frozen_sha256}
    fact = RoundFrozenV1(**place, content=content, parts=len(parts), frozen_by=by, frozen_at=tx.now, log=UNLINKED)
    await record(tx, await linked(tx, fact))
    for number, part in enumerate(parts, start=1):
        await record(tx, CandidatesFrozenV1(**place, part=number, candidates=part))
    return await locked(tx, round_id)


def as_said(candidate: Candidate) -> dict[str, Any]:
    """A candidate as JSON values, as its fact says it and its hash covers it."""
    fields = list(candidate.fields_of_action)
    return {**asdict(candidate), "fields_of_action": fields, "costs": dict(candidate.costs)}


async def _move(
    tx: Transaction, round: Round, stage: Any, by: str, reason: str = "", discuss: Sequence[str] = ()
) -> None:
    fact = RoundMovedV1(
        round_id=round.round_id,
        frozen_sha256=round.frozen_sha256,
        stage=stage,
        discuss=list(discuss),
        reason=reason,
        moved_by=by,
        moved_at=tx.now,
        log=UNLINKED,
    )
    await record(tx, await linked(tx, fact))
    log.info("round.moved", round_id=round.round_id, stage=stage)


async def _view(session: Any, round: Round) -> RoundView:
    given = await store.counting.given(session, round.round_id)
    complete = await complete_voters(session, round) if round.stage != "archived" else 0
    return RoundView(
        content=dict(round.content),
        frozen_sha256=round.frozen_sha256,
        frozen_by=round.frozen_by,
        frozen_at=round.frozen_at,
        stage=round.stage,
        discuss=list(round.discuss),
        closed=round.stage in ("closed", "decided", "archived"),
        assessments=given.get(rounds.ASSESSMENTS, 0),
        ballots=given.get(rounds.BOARD, 0),
        complete_voters=complete,
    )
