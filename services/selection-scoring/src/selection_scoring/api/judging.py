"""What people say in a round: assessments, ballots, votes, recusals."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel

from oker_bus import Bus, Reason, Refused, Transaction
from oker_contracts import Contract
from oker_contracts.base import Slug
from oker_contracts.selection.assessment_given_v1 import AssessmentGivenV1
from oker_contracts.selection.ballot_cast_v2 import BallotCastV2
from oker_contracts.selection.recusal_declared_v1 import RecusalDeclaredV1
from oker_contracts.selection.votes_counted_v1 import VotesCountedV1
from oker_identity import Holder, require
from selection_scoring import store
from selection_scoring.api.answers import allow, locked, refuse, sealed
from selection_scoring.api.asked import AskedAssessment, AskedBallot, AskedRecusal, AskedVotes
from selection_scoring.domain import judging
from selection_scoring.domain.judging import Judgement, Said
from selection_scoring.domain.rounds import ASSESSMENTS, BOARD, Round
from selection_scoring.fold import record

log = structlog.get_logger()
Anybody = Annotated[Holder, Depends(require())]
Member = Annotated[Holder, Depends(require("board"))]
Adviser = Annotated[Holder, Depends(require("forum", "advisory_board"))]
Unit = Annotated[Holder, Depends(require("unit"))]


class JudgementView(BaseModel):
    """The holder's own assessment or ballot as it counts."""

    round_id: str
    voice: str
    project_id: str
    version: int
    scores: dict[str, int]
    comment: str
    at: datetime


class RecusalView(BaseModel):
    """A recusal as it was declared."""

    round_id: str
    project_id: str
    holder: str
    reason: str
    declared_by: str
    declared_at: datetime


class VotesView(BaseModel):
    """The newest count of a voice."""

    round_id: str
    voice: str
    version: int
    ballots: list[dict[str, Any]]
    advice: str
    recorded_at: datetime


def build(bus: Bus) -> APIRouter:
    """The routes of those who judge."""
    told = Judging(bus)
    api = APIRouter()
    put: dict[str, Any] = {"methods": ["PUT"]}
    api.add_api_route("/rounds/{round_id}/assessments/{project_id}", told.assess, **put)
    api.add_api_route("/rounds/{round_id}/ballots/{project_id}", told.cast, **put)
    api.add_api_route("/rounds/{round_id}/voices/{voice}/ballots/{project_id}", told.advise, **put)
    api.add_api_route("/rounds/{round_id}/voices/{voice}/votes", told.count, **put)
    api.add_api_route("/rounds/{round_id}/recusals/{project_id}", told.recuse, **put)
    return api


@dataclass(frozen=True, slots=True)
class Judging:
    """A round as those see it who judge in it."""

    bus: Bus

    async def assess(self, round_id: Slug, project_id: Slug, body: AskedAssessment, holder: Anybody) -> JudgementView:
        """Assess a candidate, or change one's assessment; the same again changes nothing."""
        return await self._judge(round_id, ASSESSMENTS, project_id, holder, body.scores, body.comment)

    async def cast(self, round_id: Slug, project_id: Slug, body: AskedBallot, holder: Member) -> JudgementView:
        """Score a candidate as a member of the board, or change one's scores; the same again changes nothing."""
        return await self._judge(round_id, BOARD, project_id, holder, body.scores)

    async def advise(
        self, round_id: Slug, voice: Slug, project_id: Slug, body: AskedBallot, holder: Adviser
    ) -> JudgementView:
        """Score a candidate with a voice beside the board's."""
        if voice in (ASSESSMENTS, BOARD):
            raise HTTPException(404, "This voice has a route of its own.")
        return await self._judge(round_id, voice, project_id, holder, body.scores)

    async def _judge(
        self,
        round_id: str,
        voice: str,
        project_id: str,
        holder: Holder,
        scores: Mapping[str, int],
        comment: str = "",
    ) -> JudgementView:
        async with self.bus.transaction() as tx:
            round = await locked(tx, round_id)
            said = await _said(tx, round, voice, project_id, holder)
            allow(judging.may_judge(round, said, tx.now))
            refuse(judging.fault_in_scores(round, scores))
            in_order = [scores[criterion] for criterion in round.criteria]
            known = await store.judgements.current(tx.session, round_id, voice, project_id, holder.id)
            version = judging.next_version(known, in_order, comment)
            if known is None or version is not None:
                await record(tx, _fact(round, said, version or 1, scores, comment, tx.now))
                known = await store.judgements.current(tx.session, round_id, voice, project_id, holder.id)
        return _view(round, known)

    async def count(self, round_id: Slug, voice: Slug, body: AskedVotes, holder: Unit) -> VotesView:
        """Record the count of a voice, or correct it; the same again changes nothing."""
        async with self.bus.transaction() as tx:
            round = await locked(tx, round_id)
            await _check_votes(tx, round, voice, body)
            known = (await store.votes.newest(tx.session, round_id)).get(voice)
            said = body.model_dump()
            if known is None or any(known[name] != value for name, value in said.items()):
                place: dict[str, Any] = {"round_id": round_id, "frozen_sha256": round.frozen_sha256, "voice": voice}
                version = known["version"] + 1 if known else 1
                by = {"recorded_by": holder.id, "recorded_at": tx.now}
                await record(tx, sealed(VotesCountedV1, **place, version=version, **said, **by))
            newest = (await store.votes.newest(tx.session, round_id))[voice]
        return VotesView(**newest)

    async def recuse(self, round_id: Slug, project_id: Slug, body: AskedRecusal, holder: Anybody) -> RecusalView:
        """Declare a bias: what the holder says on this candidate does not count, said before or after."""
        who = body.holder or holder.id
        async with self.bus.transaction() as tx:
            round = await locked(tx, round_id)
            if not await store.rounds.has_candidate(tx.session, round_id, project_id):
                raise HTTPException(404, "The round has no such candidate.")
            known = await store.judgements.recusal(tx.session, round_id, project_id, who)
            if known is not None and (who == holder.id or "cdo" in holder.roles):
                return RecusalView(**known)
            allow(judging.may_recuse(round, who, holder.id, "cdo" in holder.roles))
            await _check_judge(tx, round, who, holder)
            said = {"holder": who, "project_id": project_id, "reason": body.reason}
            place = {"round_id": round_id, "frozen_sha256": round.frozen_sha256}
            by = {"declared_by": holder.id, "declared_at": tx.now}
            await record(tx, sealed(RecusalDeclaredV1, **place, **said, **by))
            known = await store.judgements.recusal(tx.session, round_id, project_id, who)
        log.info("recusal.declared", round_id=round_id, project_id=project_id)
        return RecusalView(**(known or {}))


async def _said(tx: Transaction, round: Round, voice: str, project_id: str, holder: Holder) -> Said:
    recusal = await store.judgements.recusal(tx.session, round.round_id, project_id, holder.id)
    listed = await store.rounds.has_candidate(tx.session, round.round_id, project_id)
    return Said(voice, holder.id, holder.roles, project_id, recusal is not None, listed)


def _fact(round: Round, said: Said, version: int, scores: Mapping[str, int], comment: str, now: datetime) -> Contract:
    place = {"round_id": round.round_id, "frozen_sha256": round.frozen_sha256, "project_id": said.project_id}
    what = {**place, "version": version, "scores": dict(scores)}
    if said.voice == ASSESSMENTS:
        return sealed(AssessmentGivenV1, **what, assessor=said.voter, comment=comment, given_at=now)
    return sealed(BallotCastV2, **what, voice=said.voice, voter=said.voter, cast_at=now)


def _view(round: Round, known: Judgement | None) -> JudgementView:
    if known is None:
        raise LookupError("what was recorded in this transaction is gone")
    return JudgementView(
        round_id=known.round_id,
        voice=known.voice,
        project_id=known.project_id,
        version=known.version,
        scores=dict(zip(round.criteria, known.scores, strict=True)),
        comment=known.comment,
        at=known.at,
    )


async def _check_votes(tx: Transaction, round: Round, name: str, body: AskedVotes) -> None:
    """Votes are of a voice that counts them; any voice beside the board may give advice in words."""
    voice = round.voice(name)
    if voice is None:
        raise HTTPException(404, "The round has no such voice.")
    stage = round.stage if round.stage in ("assessment", "ballot") else "ballot"
    allow(judging.late(round, stage, round.ballots_until, tx.now))
    if voice["kind"] != "votes" and body.ballots:
        sentence = "This voice scores the candidates one by one; leave the ballots out, and give the advice alone."
        raise Refused(Reason.FIELD_VALUE_INVALID, "$.ballots", sentence)
    candidates = frozenset(await store.rounds.candidate_ids(tx.session, round.round_id))
    for index, ballot in enumerate(body.ballots):
        for at, project_id in enumerate(ballot.approves):
            path = f"$.ballots[{index}].approves[{at}]"
            if project_id not in candidates:
                raise Refused(Reason.FIELD_VALUE_INVALID, path, "The round has no such candidate.")
            if project_id in ballot.approves[:at]:
                raise Refused(Reason.FIELD_VALUE_INVALID, path, "This stands in the list twice.")


async def _check_judge(tx: Transaction, round: Round, who: str, holder: Holder) -> None:
    """A recusal is of somebody who may judge in the round."""
    named = {*round.content["assessors"], *round.content["electorate"]}
    adviser = who == holder.id and holder.roles & {"forum", "advisory_board"}
    if who in named or adviser or await store.judgements.has_spoken(tx.session, round.round_id, who):
        return
    if who == holder.id:
        raise HTTPException(403, "You judge nothing in this round.")
    raise Refused(Reason.FIELD_VALUE_INVALID, "$.holder", "This holder judges nothing in this round.")
