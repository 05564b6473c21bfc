"""The HTTP API of project-registry."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, ConfigDict

from oker_bus import Bus, Transaction
from oker_contracts.base import HolderId, Slug
from oker_contracts.project import catalogue_imported_v1 as imported
from oker_contracts.project.registered_v1 import ProjectRegisteredV1
from oker_identity import Holder, require
from project_registry import domain, store

log = structlog.get_logger()

AnyHolder = Depends(require())
Steering = Depends(require("cdo", "unit"))
OVERSEEING = frozenset({"cdo", "unit", "board", "auditor"})
Reader = Annotated[Holder, Depends(require(*sorted(OVERSEEING), "partner"))]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import of the catalogue found and did."""

    catalogue: str
    fields_of_action: int
    goals: int
    projects: int
    assignments: int
    new_projects: int


@dataclass(frozen=True, slots=True)
class FieldWithProjects:
    """A field of action with the number of its projects, 0 included."""

    field: str
    title: str
    projects: int


class Acceptance(BaseModel):
    """Who is responsible for the project from now on."""

    model_config = ConfigDict(extra="forbid")

    officer: HolderId


def build(bus: Bus) -> APIRouter:
    """The routes over the register of ``bus``."""
    register = Register(bus)
    api = APIRouter()
    api.add_api_route("/catalogue", register.import_catalogue, methods=["POST"], dependencies=[Steering])
    api.add_api_route("/catalogue/fields", register.fields, dependencies=[AnyHolder])
    api.add_api_route("/goals", register.goals, dependencies=[AnyHolder])
    api.add_api_route("/projects", register.projects, dependencies=[AnyHolder])
    api.add_api_route("/projects/{project_id}", register.project, dependencies=[AnyHolder])
    api.add_api_route("/proposals", register.proposals)
    accept = "/proposals/{project_id}/acceptance"
    api.add_api_route(accept, register.accept_proposal, methods=["POST"], dependencies=[Steering])
    return api


@dataclass(frozen=True, slots=True)
class Register:
    """The register as people see it."""

    bus: Bus

    async def import_catalogue(self) -> ImportReport:
        """Import the strategy's catalogue, once; a second call changes and announces nothing."""
        text = files("project_registry").joinpath("catalogue.toml").read_text("utf-8")
        async with self.bus.transaction() as tx:
            catalogue = domain.read_catalogue(text, tx.now)
            await store.lock_register(tx.session)
            if await store.is_imported(tx.session, catalogue.catalogue):
                return _report(catalogue, [])
            new = domain.new_projects(catalogue, await store.taken_ids(tx.session))
            await store.save_catalogue(tx.session, catalogue, tx.now)
            tx.announce(_imported(catalogue, tx))
            for project in new:
                await store.save_project(tx.session, project)
                tx.announce(_registered(project))
        log.info("catalogue.imported", catalogue=catalogue.catalogue, new_projects=len(new))
        return _report(catalogue, new)

    async def fields(self) -> list[FieldWithProjects]:
        """All fields of action; one without projects is shown as empty, not hidden (S4.3-2)."""
        async with self.bus.sessions() as session:
            rows = await store.fields_with_projects(session)
        return [FieldWithProjects(field.field, field.title, count) for field, count in rows]

    async def goals(self) -> list[domain.StrategicGoal]:
        """The strategic goals in their three groups."""
        async with self.bus.sessions() as session:
            return await store.goals(session)

    async def projects(self, field: Slug | None = None) -> list[domain.Project]:
        """Registered projects, of one field of action or of all."""
        async with self.bus.sessions() as session:
            if field is not None and field not in await store.field_ids(session):
                raise HTTPException(404, "The catalogue has no such field of action.")
            return await store.projects(session, field)

    async def project(self, project_id: Slug) -> domain.Project:
        """One registered project."""
        async with self.bus.sessions() as session:
            found = await store.project(session, project_id)
        if found is None:
            raise HTTPException(404, "No project of this id is registered.")
        return found

    async def proposals(self, holder: Reader) -> list[domain.Proposal]:
        """Proposals, waiting and accepted; a company sees its own only."""
        own = None if holder.roles & OVERSEEING else holder.partner or ""
        async with self.bus.sessions() as session:
            return await store.proposals(session, own)

    async def accept_proposal(self, project_id: Slug, body: Acceptance) -> domain.Project:
        """Turn a proposal into a project; the same acceptance again changes and announces nothing."""
        async with self.bus.transaction() as tx:
            await store.lock_register(tx.session)
            proposal = await store.proposal(tx.session, project_id)
            if proposal is None:
                raise HTTPException(404, "No proposal of this id was received.")
            if proposal.accepted_at is not None:
                return _same_officer(await store.project(tx.session, project_id), body.officer)
            accepted, project = domain.accept(proposal, body.officer, tx.now)
            await store.save_proposal(tx.session, accepted)
            await store.save_project(tx.session, project)
            tx.announce(_registered(project))
        log.info("proposal.accepted", project_id=project_id)
        return project


def _same_officer(project: domain.Project | None, officer: str) -> domain.Project:
    if project is None or project.officer != officer:
        raise HTTPException(409, "The proposal was accepted with another officer.")
    return project


def _report(catalogue: domain.Catalogue, new: list[domain.Project]) -> ImportReport:
    return ImportReport(
        catalogue=catalogue.catalogue,
        fields_of_action=len(catalogue.fields_of_action),
        goals=len(catalogue.goals),
        projects=len(catalogue.projects),
        assignments=catalogue.assignments,
        new_projects=len(new),
    )


def _imported(catalogue: domain.Catalogue, tx: Transaction) -> imported.CatalogueImportedV1:
    return imported.CatalogueImportedV1(
        catalogue=catalogue.catalogue,
        fields_of_action=[
            imported.FieldOfAction(field=row.field, title=row.title) for row in catalogue.fields_of_action
        ],
        goals=[imported.StrategicGoal(goal=row.goal, title=row.title, group=row.group) for row in catalogue.goals],
        projects=[project.project_id for project in catalogue.projects],
        imported_at=tx.now,
    )


def _registered(project: domain.Project) -> ProjectRegisteredV1:
    return ProjectRegisteredV1(
        project_id=project.project_id,
        title=project.title,
        summary=project.summary,
        fields_of_action=list(project.fields_of_action),
        goals=list(project.goals),
        origin=project.origin,
        partner=project.partner,
        officer=project.officer,
        registered_at=project.registered_at,
    )
