"""What companies proposed, over HTTP, and its acceptance."""

from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends
from pydantic import Field

from oker_bus import Bus, Transaction
from oker_contracts.base import HolderId, Slug
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from oker_identity import Holder, require
from project_registry import domain, store
from project_registry.api import shown
from project_registry.api.conditions import Problem, faulty
from project_registry.api.versions import Body
from project_registry.fold import entry_of
from project_registry.record import register_many

log = structlog.get_logger()
OVERSEEING = frozenset({"cdo", "unit", "board", "auditor"})
Reader = Annotated[Holder, Depends(require(*sorted(OVERSEEING), "partner"))]
Steering = Annotated[Holder, Depends(require("cdo", "unit"))]


class Acceptance(Body):
    """Who is responsible for the project from now on.

    Fields and goals are those of the proposal, unless they are named: one of them may be retired by now.
    """

    officer: HolderId
    fields_of_action: list[Slug] | None = Field(default=None, min_length=1, max_length=10)
    goals: list[Slug] | None = Field(default=None, max_length=20)


def add_routes(api: APIRouter, bus: Bus) -> None:
    """The routes over proposals."""
    routes = ProposalRoutes(bus)
    api.add_api_route("/proposals", routes.proposals)
    api.add_api_route("/proposals/{project_id}/acceptance", routes.accept, methods=["POST"])


@dataclass(frozen=True, slots=True)
class ProposalRoutes:
    """Proposals as people see and accept them."""

    bus: Bus

    async def proposals(self, holder: Reader) -> list[domain.Proposal]:
        """Proposals, waiting and accepted; a company sees its own only."""
        own = None if holder.roles & OVERSEEING else holder.partner or ""
        async with self.bus.sessions() as session:
            return await store.proposals(session, own)

    async def accept(self, project_id: Slug, body: Acceptance, holder: Steering) -> shown.Shown:
        """Turn a proposal into a project; the same acceptance again changes and announces nothing.

        One without a summary is an idea until somebody writes it: the gate to proposed holds for companies too.
        """
        async with self.bus.transaction() as tx:
            await store.lock_register(tx.session)
            proposal = await store.proposal(tx.session, project_id)
            if proposal is None:
                raise Problem(404, "No proposal of this id was received.")
            if proposal.accepted_at is not None:
                return await _accepted(tx.session, project_id, body.officer)
            fields, goals = await _references(tx, proposal, body)
            said = {"summary": proposal.summary, "fields_of_action": fields}
            fact = ProjectRegisteredV2(
                project_id=project_id,
                title=proposal.title,
                summary=proposal.summary,
                fields_of_action=fields,
                goals=goals,
                origin="proposal",
                state="idea" if domain.missing(said, "proposed", domain.Facts(tx.now.date())) else "proposed",
                partner=proposal.partner,
                officer=body.officer,
                registered_by=holder.id,
                registered_at=tx.now,
            )
            await register_many(tx, [fact])
        log.info("proposal.accepted", project_id=project_id)
        return shown.shown(entry_of(fact))


async def _references(tx: Transaction, proposal: domain.Proposal, body: Acceptance) -> tuple[list[str], list[str]]:
    """Fields and goals of the project.

    Raises:
        Problem: one of them is not active.
    """
    fields = list(dict.fromkeys(proposal.fields_of_action)) if body.fields_of_action is None else body.fields_of_action
    goals = list(dict.fromkeys(proposal.goals)) if body.goals is None else body.goals
    profile = {"fields_of_action": fields, "goals": [{"goal": goal} for goal in goals]}
    known_fields = await store.active(tx.session, "field", tx.now)
    known_goals = await store.active(tx.session, "goal", tx.now)
    if faults := [*domain.doubled(profile), *domain.dangling(profile, {}, known_fields, known_goals, ())]:
        raise faulty(faults)
    return fields, goals


async def _accepted(session: store.Session, project_id: str, officer: str) -> shown.Shown:
    """The project at its registration: the answer that the first acceptance got."""
    entry = (await store.history(session, "project", project_id))[0]
    if entry.officer != officer:
        raise Problem(409, "The proposal was accepted with another officer.")
    return shown.shown(entry)
