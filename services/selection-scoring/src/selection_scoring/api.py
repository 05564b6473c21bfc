"""The HTTP API of selection-scoring."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any

import rfc8785
import structlog
from fastapi import APIRouter, Depends, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from oker_bus import Bus, Reason, Refused, Transaction
from oker_contracts.base import HolderId, Rational, Slug, Title
from oker_contracts.selection.ballot_cast_v1 import BallotCastV1
from oker_contracts.selection.decision_taken_v1 import DecisionTakenV1, RankedProject
from oker_contracts.selection.round_opened_v1 import RoundOpenedV1
from oker_identity import Holder, require
from selection_scoring import domain, store

log = structlog.get_logger()

AnyHolder = Depends(require())
Chief = Annotated[Holder, Depends(require("cdo"))]
Member = Annotated[Holder, Depends(require("board"))]
Observer = Depends(require("cdo", "unit", "board", "officer", "auditor"))

Name = Annotated[Title, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$")]
Weight = Annotated[Rational, StringConstraints(max_length=40)]


class Asked(BaseModel):
    """What a request may hold: exact types, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid")


class AskedCriterion(Asked):
    """A criterion with its weight as an exact number, ``2/5``."""

    criterion: Slug
    title: Name
    weight: Weight


class AskedRound(Asked):
    """A round to open."""

    round_id: Slug
    title: Name
    candidates: Annotated[list[Slug], Field(min_length=1)] | None = Field(
        default=None, description="Projects of the pool; without it, the whole pool."
    )
    electorate: Annotated[list[HolderId], Field(min_length=1)]
    quorum: int = Field(ge=1, le=1000, description="How many members must have scored every candidate.")
    seats: int = Field(ge=1, le=1000, description="How many projects are selected.")
    criteria: Annotated[list[AskedCriterion], Field(min_length=1, max_length=20)] | None = Field(
        default=None, description="Without it, the four of the strategy, Bürgernutzen first."
    )


class AskedBallot(Asked):
    """Scores by criterion."""

    scores: dict[Slug, int]


class RoundView(BaseModel):
    """A round and how far it is; never who voted how."""

    content: dict[str, Any]
    frozen_sha256: str
    opened_at: datetime
    closed: bool
    ballots: int
    complete_voters: int


class BallotView(BaseModel):
    """The voter's own ballot as it counts."""

    round_id: str
    project_id: str
    version: int
    scores: dict[str, int]
    cast_at: datetime


def build(bus: Bus) -> APIRouter:
    """The routes over the rounds of ``bus``."""
    rounds = Rounds(bus)
    api = APIRouter()
    api.add_api_route("/candidates", rounds.pool, dependencies=[AnyHolder])
    api.add_api_route("/rounds", rounds.open, methods=["POST"], status_code=201)
    api.add_api_route("/rounds/{round_id}", rounds.show, dependencies=[Observer])
    api.add_api_route("/rounds/{round_id}/ballots/{project_id}", rounds.cast, methods=["PUT"])
    api.add_api_route("/rounds/{round_id}/closing", rounds.close, methods=["POST"])
    api.add_api_route("/rounds/{round_id}/decision", rounds.decision, dependencies=[AnyHolder])
    return api


@dataclass(frozen=True, slots=True)
class Rounds:
    """Rounds of selection as people see them."""

    bus: Bus

    async def pool(self) -> list[domain.Candidate]:
        """The candidates that the next round can draw from."""
        async with self.bus.sessions() as session:
            return await store.candidates(session)

    async def open(self, body: AskedRound, holder: Chief, response: Response) -> RoundView:
        """Open and freeze a round in one step; 200 if it is open with the same content already."""
        async with self.bus.transaction() as tx:
            known = await store.opened_round(tx.session, body.round_id)
            opened = domain.freeze(await _asked(tx, body, known), rfc8785.dumps, tx.now)
            if await store.open_round(tx.session, opened):
                tx.announce(_round_opened(opened))
                log.info("round.opened", round_id=body.round_id, frozen_sha256=opened.frozen_sha256)
                return _view(opened, [], closed=False)
            response.status_code = 200
            return await _same_content(tx, opened)

    async def show(self, round_id: Slug) -> RoundView:
        """One round."""
        async with self.bus.sessions() as session:
            opened = _found(await store.opened_round(session, round_id))
            closed = await store.decision(session, round_id) is not None
            return _view(opened, await store.ballots(session, round_id), closed)

    async def cast(self, round_id: Slug, project_id: Slug, body: AskedBallot, holder: Member) -> BallotView:
        """Score a candidate, or change one's scores; the same scores again change nothing."""
        async with self.bus.transaction() as tx:
            opened = await _open_round(tx, round_id)
            _may_score(opened.round, holder.id, project_id)
            _refuse(domain.fault_in_scores(opened.round, body.scores))
            known = await store.ballot(tx.session, round_id, holder.id, project_id)
            ballot = domain.cast(holder.id, project_id, body.scores, known, tx.now)
            if ballot != known:
                await store.save_ballot(tx.session, round_id, ballot)
                tx.announce(_ballot_cast(opened, ballot))
        log.info("ballot.cast", round_id=round_id, project_id=project_id, version=ballot.version)
        return _ballot_view(round_id, ballot)

    async def close(self, round_id: Slug, holder: Chief) -> DecisionTakenV1:
        """Close a round, rank its candidates and announce the decision; a second closing shows the first."""
        async with self.bus.transaction() as tx:
            opened = _found(await store.lock_round(tx.session, round_id))
            titles = await store.titles(tx.session, opened.round.candidates)
            if known := await store.decision(tx.session, round_id):
                return _decision_taken(opened, known, titles)
            ballots = await store.ballots(tx.session, round_id)
            _quorum_reached(opened.round, ballots)
            decision = domain.close(opened, ballots, rfc8785.dumps, holder.id, tx.now)
            await store.save_decision(tx.session, decision)
            fact = _decision_taken(opened, decision, titles)
            tx.announce(fact)
        log.info("round.closed", round_id=round_id, ballots_sha256=fact.ballots_sha256)
        return fact

    async def decision(self, round_id: Slug) -> DecisionTakenV1:
        """The decision of a closed round."""
        async with self.bus.sessions() as session:
            opened = _found(await store.opened_round(session, round_id))
            known = await store.decision(session, round_id)
            if known is None:
                raise HTTPException(404, "The round is still open.")
            return _decision_taken(opened, known, await store.titles(session, opened.round.candidates))


async def _asked(tx: Transaction, body: AskedRound, known: domain.OpenedRound | None) -> domain.Round:
    """The round that is asked for, in order and without a fault.

    "The whole pool" means the pool at the moment of opening, also when the same request comes again later.
    """
    pool = [candidate.project_id for candidate in await store.candidates(tx.session)]
    if not pool:
        raise HTTPException(409, "The pool is empty: no project is registered yet.")
    round = domain.Round(
        round_id=body.round_id,
        title=body.title,
        criteria=_criteria(body),
        scale_min=domain.SCALE[0],
        scale_max=domain.SCALE[1],
        candidates=tuple(body.candidates or (known.round.candidates if known else pool)),
        electorate=tuple(body.electorate),
        quorum=body.quorum,
        seats=body.seats,
    )
    _refuse(domain.fault_in_round(round, pool))
    return domain.in_order(round)


def _criteria(body: AskedRound) -> tuple[domain.Criterion, ...]:
    if body.criteria is None:
        return domain.FOUR_CRITERIA
    return tuple(domain.Criterion(row.criterion, row.title, Fraction(row.weight)) for row in body.criteria)


async def _same_content(tx: Transaction, asked: domain.OpenedRound) -> RoundView:
    round_id = asked.round.round_id
    opened = _found(await store.opened_round(tx.session, round_id))
    if opened.frozen_sha256 != asked.frozen_sha256:
        raise HTTPException(409, "A round of this id was opened with other content; it is frozen.")
    closed = await store.decision(tx.session, round_id) is not None
    return _view(opened, await store.ballots(tx.session, round_id), closed)


async def _open_round(tx: Transaction, round_id: str) -> domain.OpenedRound:
    """The round, locked until the transaction ends, so that no ballot slips in behind a closing."""
    opened = _found(await store.lock_round(tx.session, round_id))
    if await store.decision(tx.session, round_id) is not None:
        raise HTTPException(409, "The round is closed; its ballots are counted.")
    return opened


def _found(opened: domain.OpenedRound | None) -> domain.OpenedRound:
    if opened is None:
        raise HTTPException(404, "There is no round of this id.")
    return opened


def _may_score(round: domain.Round, voter: str, project_id: str) -> None:
    if voter not in round.electorate:
        raise HTTPException(403, "You are not in the electorate of this round.")
    if project_id not in round.candidates:
        raise HTTPException(404, "The round has no such candidate.")


def _refuse(fault: domain.Fault | None) -> None:
    if fault is not None:
        raise Refused(Reason[fault.reason], fault.path, fault.sentence)


def _quorum_reached(round: domain.Round, ballots: Sequence[domain.Ballot]) -> None:
    complete = domain.complete_voters(round, ballots)
    if complete < round.quorum:
        said = f"Members who have scored every candidate: {complete}; the quorum is {round.quorum}."
        raise HTTPException(409, said)


def _view(opened: domain.OpenedRound, ballots: Sequence[domain.Ballot], closed: bool) -> RoundView:
    return RoundView(
        content=domain.content(opened.round),
        frozen_sha256=opened.frozen_sha256,
        opened_at=opened.opened_at,
        closed=closed,
        ballots=len(ballots),
        complete_voters=domain.complete_voters(opened.round, ballots),
    )


def _ballot_view(round_id: str, ballot: domain.Ballot) -> BallotView:
    return BallotView(
        round_id=round_id,
        project_id=ballot.project_id,
        version=ballot.version,
        scores=dict(ballot.scores),
        cast_at=ballot.cast_at,
    )


def _round_opened(opened: domain.OpenedRound) -> RoundOpenedV1:
    return RoundOpenedV1.model_validate(
        {
            **domain.content(opened.round),
            "frozen_sha256": opened.frozen_sha256,
            "opened_at": opened.opened_at,
        }
    )


def _ballot_cast(opened: domain.OpenedRound, ballot: domain.Ballot) -> BallotCastV1:
    return BallotCastV1(
        round_id=opened.round.round_id,
        frozen_sha256=opened.frozen_sha256,
        voter=ballot.voter,
        project_id=ballot.project_id,
        version=ballot.version,
        scores=dict(ballot.scores),
        cast_at=ballot.cast_at,
    )


def _decision_taken(opened: domain.OpenedRound, decision: domain.Decision, titles: dict[str, str]) -> DecisionTakenV1:
    ranking = [
        RankedProject(**{**asdict(line), "score": str(line.score), "title": titles[line.project_id]})
        for line in decision.ranking
    ]
    return DecisionTakenV1(
        round_id=decision.round_id,
        title=opened.round.title,
        frozen_sha256=opened.frozen_sha256,
        ballots_sha256=decision.ballots_sha256,
        ranking=ranking,
        decided_by=decision.decided_by,
        decided_at=decision.decided_at,
    )
