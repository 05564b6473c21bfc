"""Everything project-registry hears."""

import structlog

from oker_bus import Reason, Refused, RetryLater, Router, Transaction, on
from oker_contracts import Event
from oker_contracts.project.proposal_received_v1 import ProposalReceivedV1
from oker_contracts.project.proposed_v2 import ProjectProposedV2
from project_registry import domain, store

router = Router("project-registry")
log = structlog.get_logger()


class CatalogueMissing(RetryLater):
    """No catalogue was imported yet, so no reference can be checked."""


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
    await store.save_proposal(tx.session, proposal)
    tx.announce(_received(proposal))
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
    goals = {goal.goal for goal in await store.goals(tx.session)}
    if fault := domain.unknown_reference(proposal, await store.field_ids(tx.session), goals):
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
