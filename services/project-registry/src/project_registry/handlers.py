"""Everything project-registry hears."""

import structlog

from oker_bus import Reason, Refused, RetryLater, Router, Transaction, on
from oker_contracts import Event
from oker_contracts.project.proposal_received_v1 import ProposalReceivedV1
from oker_contracts.project.proposed_v2 import ProjectProposedV2
from oker_contracts.selection.candidates_frozen_v1 import CandidatesFrozenV1
from oker_contracts.selection.decision_taken_v2 import DecisionTakenV2
from oker_contracts.selection.round_frozen_v1 import RoundFrozenV1
from oker_contracts.selection.round_moved_v1 import RoundMovedV1
from project_registry import domain, store
from project_registry.record import Change, change_projects, record

router = Router("project-registry")
log = structlog.get_logger()
ROUNDS = "project-registry-follow-rounds"


FOLLOWING = {
    "frozen": ("assessment", "ballot", "cancelled"),
    "assessment": ("ballot", "cancelled"),
    "ballot": ("cancelled",),
    "cancelled": (),
    "decided": (),
}
"""The stages of a round that are news at each stage; what is older comes late, or again."""


class CatalogueMissing(RetryLater):
    """No catalogue was imported yet, so no reference can be checked."""


class RoundIncomplete(RetryLater):
    """A candidate of the round, or its stage before, was not heard of yet."""


@on(router, ProjectProposedV2, consumer="project-registry-claims")
async def receive_proposal(event: Event[ProjectProposedV2], tx: Transaction) -> None:
    """Keep what a company proposes until the unit decides upon it."""
    await store.lock_register(tx.session)
    known = await store.proposal_of(tx.session, str(event.partner), event.data.proposal)
    proposal = _proposal(event, tx, known.project_id if known else await _free_id(event, tx))
    if known is not None:
        _heard_again(proposal, known)
        return

    await _check(proposal, tx)
    await record(tx, _received(proposal))
    log.info("proposal.received", project_id=proposal.project_id, partner=proposal.partner)


async def _free_id(event: Event[ProjectProposedV2], tx: Transaction) -> str:
    return domain.proposal_id(str(event.partner), event.data.proposal, await store.taken_ids(tx.session))


def _proposal(event: Event[ProjectProposedV2], tx: Transaction, project_id: str) -> domain.Proposal:
    said = event.data
    return domain.Proposal(
        project_id=project_id,
        partner=str(event.partner),
        name=said.proposal,
        title=said.title,
        summary=said.summary,
        fields_of_action=tuple(said.fields_of_action),
        goals=tuple(said.goals),
        received_at=tx.now,
    )


def _heard_again(proposal: domain.Proposal, known: domain.Proposal) -> None:
    if not domain.same_proposal(proposal, known):
        raise Refused(
            Reason.FIELD_VALUE_INVALID,
            "$.proposal",
            "A proposal of this name was received with other content; propose the change under a new name.",
        )
    log.info("proposal.known", project_id=known.project_id, partner=known.partner)


async def _check(proposal: domain.Proposal, tx: Transaction) -> None:
    if not await store.is_imported(tx.session):
        raise CatalogueMissing("Import the catalogue: POST /catalogue.")
    if fault := domain.unreadable_text(proposal):
        raise Refused(Reason.FIELD_VALUE_INVALID, fault.path, fault.sentence)
    fields = await store.active(tx.session, "field", tx.now)
    if fault := domain.unknown_reference(proposal, fields, await store.active(tx.session, "goal", tx.now)):
        raise Refused(Reason.PROPOSAL_REFERENCE_UNKNOWN, fault.path, fault.sentence)


def _received(proposal: domain.Proposal) -> ProposalReceivedV1:
    return ProposalReceivedV1(
        project_id=proposal.project_id,
        partner=proposal.partner,
        proposal=proposal.name,
        title=proposal.title,
        summary=proposal.summary,
        fields_of_action=list(proposal.fields_of_action),
        goals=list(proposal.goals),
        received_at=proposal.received_at,
    )


@on(router, RoundFrozenV1, consumer=ROUNDS)
async def note_round(event: Event[RoundFrozenV1], tx: Transaction) -> None:
    """Note how many candidates a frozen round has."""
    await store.save_round(tx.session, event.data.round_id, int(event.data.content["candidates"]))
    log.info("round.noted", round_id=event.data.round_id)


@on(router, CandidatesFrozenV1, consumer=ROUNDS)
async def note_candidates(event: Event[CandidatesFrozenV1], tx: Transaction) -> None:
    """Note the candidates of a frozen round."""
    candidates = [(candidate.project_id, candidate.version) for candidate in event.data.candidates]
    await store.save_candidates(tx.session, event.data.round_id, candidates)
    log.info("candidates.noted", round_id=event.data.round_id, candidates=len(candidates))


@on(router, RoundMovedV1, consumer=ROUNDS)
async def follow_round(event: Event[RoundMovedV1], tx: Transaction) -> None:
    """Candidates of a round that opens are in selection; those of a round that is given up are eligible again."""
    moved = event.data
    await store.lock_register(tx.session)
    before = await _stage(moved.round_id, tx)
    if moved.stage not in FOLLOWING[before]:
        return
    if moved.stage == "ballot" and before == "frozen":
        raise RoundIncomplete("The round was not seen to open yet.")
    await store.move_round(tx.session, moved.round_id, moved.stage)
    if moved.stage == "assessment":
        await _enter(moved, tx)
    elif moved.stage == "cancelled":
        await _leave(moved, tx)


async def _stage(round_id: str, tx: Transaction) -> str:
    stage = await store.round_stage(tx.session, round_id)
    if stage is None:
        raise RoundIncomplete("The round or some of its candidates were not heard of yet.")
    return stage


async def _enter(moved: RoundMovedV1, tx: Transaction) -> None:
    candidates = await store.profiles(tx.session, await store.round_candidates(tx.session, moved.round_id))
    reason = f"The round {moved.round_id} opened."
    entering = [entry for entry in candidates if domain.decided(entry.status, "in_selection")]
    changes = [Change(entry, reason, state="in_selection", round_id=moved.round_id) for entry in entering]
    await change_projects(tx, changes)
    log.info("round.entered", round_id=moved.round_id, projects=len(changes), left_out=len(candidates) - len(changes))


async def _leave(moved: RoundMovedV1, tx: Transaction) -> None:
    reason = f"The round {moved.round_id} was given up."
    staying = await store.profiles_of_round(tx.session, moved.round_id)
    await change_projects(tx, [Change(entry, reason, state="eligible") for entry in staying])
    log.info("round.left", round_id=moved.round_id, projects=len(staying))


@on(router, DecisionTakenV2, consumer=ROUNDS)
async def follow_decision(event: Event[DecisionTakenV2], tx: Transaction) -> None:
    """Selected, deferred or rejected, as the board decided; who is on no line of the decision was rejected."""
    decision = event.data
    if decision.log is None:
        log.info("decision.before_gates", round_id=decision.round_id)
        return
    await store.lock_register(tx.session)
    if await _stage(decision.round_id, tx) == "frozen":
        raise RoundIncomplete("The round was not seen to open yet.")
    outcomes = {line.project_id: line.decided for line in decision.lines}
    reasons = {line.project_id: line.reason for line in decision.lines if line.reason}
    default = f"The board decided on the round {decision.round_id}."
    changes = [
        Change(entry, reasons.get(entry.id, default), state=outcomes.get(entry.id, "rejected"))
        for entry in await store.profiles_of_round(tx.session, decision.round_id)
    ]
    await store.move_round(tx.session, decision.round_id, "decided")
    await change_projects(tx, changes)
    log.info("decision.followed", round_id=decision.round_id, projects=len(changes))
