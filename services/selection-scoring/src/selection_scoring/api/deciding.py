"""The board's decision, beside the computed result."""

from dataclasses import dataclass
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, HTTPException

from oker_bus import Bus, Reason, Refused, Transaction
from oker_contracts.base import Slug
from oker_contracts.selection.decision_taken_v2 import DecisionTakenV2
from oker_identity import Holder, require
from selection_scoring import store
from selection_scoring.api.answers import allow, found, locked, refuse
from selection_scoring.api.asked import AskedDecision
from selection_scoring.domain import deciding, rounds, sessions
from selection_scoring.domain.deciding import Computed, Override
from selection_scoring.domain.rounds import Round
from selection_scoring.fold import record
from selection_scoring.log import UNLINKED, linked

log = structlog.get_logger()
Chief = Annotated[Holder, Depends(require("cdo"))]
AnyHolder = Depends(require())
MOST_LINES, MOST_BYTES = 3000, 850_000


def build(bus: Bus) -> APIRouter:
    """The routes of decisions."""
    told = Deciding(bus)
    api = APIRouter()
    api.add_api_route("/rounds/{round_id}/decision", told.decide, methods=["POST"])
    api.add_api_route("/rounds/{round_id}/decision", told.show, dependencies=[AnyHolder])
    return api


@dataclass(frozen=True, slots=True)
class Deciding:
    """What the board made of the result."""

    bus: Bus

    async def decide(self, round_id: Slug, body: AskedDecision, holder: Chief) -> DecisionTakenV2:
        """Record the decision; the same again shows the first, another one is a conflict."""
        async with self.bus.transaction() as tx:
            round = await locked(tx, round_id)
            computed = await _computed(tx.session, round)
            closing = await store.results.closing(tx.session, round_id)
            allow(deciding.may_decide_on(closing["result_sha256"] if closing else "", body.result_sha256))
            overrides = [Override(row.project_id, row.decided, row.reason) for row in body.overrides]
            refuse(deciding.fault_in_overrides(overrides, {row.project_id: row for row in computed}))
            fact = await _fact(tx, round, body, deciding.decide(computed, overrides), holder.id)
            known = await store.results.decision(tx.session, round_id)
            if known is not None:
                return _same(DecisionTakenV2.model_validate(known), fact)
            await _check_named(tx, round, body)
            fact = await linked(tx, fact)
            await record(tx, fact)
        log.info("round.decided", round_id=round_id, overrides=len(overrides))
        return fact

    async def show(self, round_id: Slug) -> DecisionTakenV2:
        """The decision on a round."""
        async with self.bus.sessions() as session:
            found(await store.rounds.find(session, round_id))
            known = await store.results.decision(session, round_id)
        if known is None:
            raise HTTPException(404, "The board has not decided on this round yet.")
        return DecisionTakenV2.model_validate(known)


async def _computed(session: store.Session, round: Round) -> list[Computed]:
    allow(rounds.may_be_decided(round))
    return await store.results.outcomes(session, round.round_id)


async def _check_named(tx: Transaction, round: Round, body: AskedDecision) -> None:
    """Staffing is for candidates of the round; the session was held."""
    for index, row in enumerate(body.staffing):
        if not await store.rounds.has_candidate(tx.session, round.round_id, row.project_id):
            path = f"$.staffing[{index}].project_id"
            raise Refused(Reason.FIELD_VALUE_INVALID, path, "The round has no such candidate.")
    if body.session is not None:
        known = await store.sessions.find(tx.session, body.session)
        if known is None:
            raise Refused(Reason.FIELD_VALUE_INVALID, "$.session", "There is no session of this id.")
        allow(sessions.may_decide(known["state"]))


async def _fact(
    tx: Transaction, round: Round, body: AskedDecision, lines: list[dict[str, Any]], by: str
) -> DecisionTakenV2:
    if len(lines) > MOST_LINES:
        sentence = f"A decision names {MOST_LINES} projects at most; this one selects or overrides {len(lines)}."
        raise Refused(Reason.BODY_TOO_LARGE, "$", sentence)
    fact = DecisionTakenV2(
        round_id=round.round_id,
        title=round.content["title"],
        frozen_sha256=round.frozen_sha256,
        result_sha256=body.result_sha256,
        lines=lines,  # type: ignore[arg-type]
        candidates=round.content["candidates"],
        staffing=[row.model_dump() for row in body.staffing],  # type: ignore[misc]
        session=body.session,
        note=body.note,
        decided_by=by,
        decided_at=tx.now,
        log=UNLINKED,
    )
    if len(fact.model_dump_json()) > MOST_BYTES:
        raise Refused(Reason.BODY_TOO_LARGE, "$", "The decision is too long for one event; shorten note and reasons.")
    return fact


def _same(known: DecisionTakenV2, asked: DecisionTakenV2) -> DecisionTakenV2:
    ways = {"decided_by", "decided_at", "log"}
    if known.model_dump(exclude=ways) != asked.model_dump(exclude=ways):
        raise HTTPException(409, "The board has decided on this round already; a decision is not changed.")
    return known
