"""Projects over HTTP: lists, profiles, steps through the gates, history."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ConfigDict, Field, StringConstraints, field_validator

from oker_bus import Bus, Transaction
from oker_bus.preconditions import IfMatch, etag, expect
from oker_contracts.base import HolderId, Slug, Text, Title
from oker_contracts.project.profile_recorded_v1 import Profile, State
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from oker_identity import Holder, require
from project_registry import domain, store
from project_registry.api import shown
from project_registry.api.conditions import BERLIN, Moment, Problem, Times, at, faulty, lacking
from project_registry.api.versions import Body, Reason, Versioned
from project_registry.fold import entry_of
from project_registry.record import Change, change_projects, register_many

log = structlog.get_logger()
Steering = Annotated[Holder, Depends(require("cdo", "unit"))]
Responsible = Annotated[Holder, Depends(require("cdo", "officer", "unit"))]
PartOfATitle = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
MAX_PAGE = 1000
PAGE = 100


class NewProject(Body):
    """A project that the unit registers; without an id it gets one from its title."""

    project_id: Slug | None = None
    title: Title
    summary: Text = ""
    fields_of_action: list[Slug] = Field(default=[], max_length=10)
    goals: list[Slug] = Field(default=[], max_length=20)
    officer: HolderId | None = None
    state: Literal["idea", "proposed"] = "proposed"


class ProfileSaid(Profile):
    """The Projektsteckbrief as it shall be; a part that is not known is refused."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("location", mode="before")
    @classmethod
    def _position(cls, said: Any) -> Any:
        """JSON has lists only; a position is a tuple to a strict contract."""
        if isinstance(said, dict) and isinstance(said.get("coordinates"), list):
            return {**said, "coordinates": tuple(said["coordinates"])}
        return said


class ProfileBody(Versioned):
    """A new version of a profile."""

    profile: ProfileSaid


class Step(Body):
    """A step in the life of a project."""

    to: State
    reason: Reason
    valid_from: Moment | None = None


def add_routes(api: APIRouter, bus: Bus) -> None:
    """The routes over projects."""
    anybody = [Depends(require())]
    routes = ProjectRoutes(bus)
    api.add_api_route("/projects", routes.projects, dependencies=anybody)
    api.add_api_route("/projects", routes.register, methods=["POST"], status_code=201)
    api.add_api_route("/projects/{project_id}", routes.project, dependencies=anybody)
    api.add_api_route("/projects/{project_id}/profile", routes.put_profile, methods=["PUT"])
    api.add_api_route("/projects/{project_id}/steps", routes.step, methods=["POST"])
    api.add_api_route("/projects/{project_id}/history", routes.history, dependencies=anybody)
    api.add_api_route("/projects/{project_id}/missing", routes.missing, dependencies=anybody)


@dataclass(frozen=True, slots=True)
class ProjectRoutes:
    """The register of projects as people see and change it."""

    bus: Bus

    async def projects(
        self,
        request: Request,
        response: Response,
        when: Times,
        field: Slug | None = None,
        goal: Slug | None = None,
        state: State | None = None,
        department: Slug | None = None,
        q: Annotated[PartOfATitle | None, Query(description="Part of the title.")] = None,
        after: Annotated[Slug | None, Query(description="The last id of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
    ) -> list[shown.Line]:
        """Projects by id, a line each. The header ``Link`` leads to the next page (RFC 8288)."""
        async with self.bus.sessions() as session:
            if field is not None and field not in await store.ids(session, "field"):
                raise Problem(404, "The catalogue has no such field of action.")
            wanted = store.Wanted(field, goal, state, department, q)
            found = await store.projects(session, wanted, when, after=after or "", limit=limit + 1)
        if len(found) > limit:
            asked = {name: value for name, value in request.query_params.items() if name != "after"}
            response.headers["Link"] = f'<?{urlencode({**asked, "after": found[limit - 1].id})}>; rel="next"'
        return [shown.line(entry) for entry in found[:limit]]

    async def project(self, project_id: Slug, when: Times, response: Response) -> shown.Shown:
        """One project with its profile."""
        async with self.bus.sessions() as session:
            entry = await _counting(session, project_id, when)
        response.headers["ETag"] = etag(entry.version)
        return shown.shown(entry)

    async def history(self, project_id: Slug, when: Times) -> list[shown.Version]:
        """The versions of a project in the order of recording: those that hold from ``as_of`` or before, known then."""
        async with self.bus.sessions() as session:
            found = await store.history(session, "project", project_id, when)
        if not found:
            raise Problem(404, "No project of this id is registered.")
        return shown.versions(found)

    async def missing(self, project_id: Slug, to: State, when: Times) -> shown.Outlook:
        """What a project lacks for a step, in German and in English."""
        async with self.bus.sessions() as session:
            entry = await _counting(session, project_id, when)
            facts = await _facts(session, entry.department, at(when, self.bus.edge.clock()))
        return shown.outlook(entry, to, domain.missing(entry.content, to, facts))

    async def register(self, body: NewProject, holder: Steering, response: Response) -> shown.Shown:
        """Register a project; as proposed, it needs a summary and a field of action."""
        project_id = body.project_id or domain.slug(body.title)
        if not project_id:
            raise Problem(422, "The title gives no id; name one.", code="field_missing", path="$.project_id")
        async with self.bus.transaction() as tx:
            await store.lock_register(tx.session)
            if project_id in await store.taken_ids(tx.session):
                raise Problem(409, f"The id {project_id!r} is taken; name another one in project_id.")
            fact = ProjectRegisteredV2(
                **body.model_dump(exclude={"project_id"}),
                project_id=project_id,
                origin="unit",
                registered_by=holder.id,
                registered_at=tx.now,
            )
            entry = entry_of(fact)
            await _check_references(tx, entry.content, {}, tx.now)
            await _check_gate(tx, entry, body.state, tx.now)
            await register_many(tx, [fact])
        log.info("project.registered", project_id=project_id)
        response.headers["ETag"] = etag(1)
        response.headers["Location"] = f"/projects/{project_id}"
        return shown.shown(entry)

    async def put_profile(
        self,
        project_id: Slug,
        body: ProfileBody,
        holder: Responsible,
        response: Response,
        if_match: IfMatch = None,
    ) -> shown.Shown:
        """Replace the profile; with ``valid_from`` in the past, what was valid then is corrected until the next change.

        An officer changes the projects of the own department. What a gate behind the project needed stays.
        """
        async with self.bus.transaction() as tx:
            before = await self._before(tx, project_id, body.valid_from)
            expect(if_match, before.version)
            await _check_holder(tx, holder, before)
            now = await _counting(tx.session, project_id, store.NOW)
            await _check_holder(tx, holder, now)
            after = body.profile.model_dump(mode="json", exclude_defaults=True)
            if after == before.content:
                response.headers["ETag"] = etag(before.version)
                return shown.shown(before)
            profile = Profile.model_validate(body.profile.model_dump())
            if profile.department != before.department:
                await _check_holder(tx, holder, replace(before, department=profile.department, officer=profile.officer))
            await _check_references(tx, after, before.content, body.valid_from or tx.now)
            await _check_kept(tx, before, after, body.valid_from or tx.now)
            change = Change(before, body.reason, profile=profile, valid_from=body.valid_from)
            (fact,) = await change_projects(tx, [change], holder.id)
            entry = await _version(tx, project_id, fact.version)
        log.info("profile.recorded", project_id=project_id, version=entry.version)
        response.headers["ETag"] = etag(entry.version)
        return shown.shown(entry)

    async def step(
        self, project_id: Slug, body: Step, holder: Responsible, response: Response, if_match: IfMatch = None
    ) -> shown.Shown:
        """Take a step in the life of a project, or say what is missing for it (409)."""
        async with self.bus.transaction() as tx:
            before = await self._before(tx, project_id, None)
            if if_match is not None:
                expect(if_match, before.version)
            await _check_holder(tx, holder, before)
            self._check_time(body, before, tx)
            if wrong := domain.wrong_step(before.status, body.to):
                raise lacking(wrong[1], wrong[0], [])
            await _check_gate(tx, before, body.to, body.valid_from or tx.now)
            change = Change(before, body.reason, state=body.to, valid_from=body.valid_from)
            (fact,) = await change_projects(tx, [change], holder.id)
            entry = await _version(tx, project_id, fact.version)
        log.info("project.stepped", project_id=project_id, state=entry.status, version=entry.version)
        response.headers["ETag"] = etag(entry.version)
        return shown.shown(entry)

    async def _before(self, tx: Transaction, project_id: str, valid_from: datetime | None) -> domain.Entry:
        await store.lock_register(tx.session)
        if valid_from is not None and valid_from > tx.now:
            sentence = "A project changes now or changed before; a time to come cannot be recorded yet."
            raise faulty([domain.Fault("$.valid_from", sentence)])
        return await _counting(tx.session, project_id, store.When(valid_from))

    def _check_time(self, body: Step, before: domain.Entry, tx: Transaction) -> None:
        if body.valid_from is not None and not before.valid_from <= body.valid_from <= tx.now:
            sentence = f"A step is taken after the one before it ({before.valid_from.isoformat()}) and not after now."
            raise faulty([domain.Fault("$.valid_from", sentence)])


async def _facts(session: store.Session, department: str | None, when: store.When) -> domain.Facts:
    as_of = when.as_of
    assert as_of is not None
    active = await store.active(session, "organisation", as_of, when.known_at)
    terms = await store.terms(session, when)
    return domain.facts_of(department, as_of, as_of.astimezone(BERLIN).date(), terms, active)


async def _check_gate(tx: Transaction, entry: domain.Entry, to: str, as_of: datetime) -> None:
    facts = await _facts(tx.session, entry.department, store.When(as_of))
    if missing := domain.missing(entry.content, to, facts):
        paths = ", ".join(dict.fromkeys(evidence.path for evidence in missing))
        raise lacking(f"The step to {to} needs more: {paths}.", f"Für {to} fehlt noch: {paths}.", missing)


async def _check_kept(tx: Transaction, before: domain.Entry, after: domain.Profile, as_of: datetime) -> None:
    then = await _facts(tx.session, before.department, store.When(as_of))
    facts = await _facts(tx.session, after.get("department"), store.When(as_of))
    if missing := domain.taken_away(before.status, before.content, after, then, facts):
        paths = ", ".join(dict.fromkeys(evidence.path for evidence in missing))
        raise lacking(
            f"A gate behind the project needed what this change takes away: {paths}.",
            f"Die Änderung nimmt weg, was ein früherer Schritt verlangt hat: {paths}.",
            missing,
        )


async def _counting(session: store.Session, project_id: str, when: store.When) -> domain.Entry:
    entry = await store.entry(session, "project", project_id, when)
    if entry is None:
        known = await store.newest(session, "project", project_id)
        raise Problem(
            404, "The project was not known at that time." if known else "No project of this id is registered."
        )
    return entry


async def _version(tx: Transaction, project_id: str, version: int) -> domain.Entry:
    return next(e for e in await store.history(tx.session, "project", project_id) if e.version == version)


async def _check_holder(tx: Transaction, holder: Holder, before: domain.Entry) -> None:
    """The unit and the CDO change every project, an officer those of the own department."""
    if holder.roles & {"cdo", "unit"}:
        return
    terms = await store.terms(tx.session)
    if not domain.answers_for(holder.id, before.department, before.officer, terms, tx.now):
        raise Problem(403, "An officer changes the projects of the own department only; see GET /roles.")


async def _check_references(tx: Transaction, after: domain.Profile, before: domain.Profile, as_of: datetime) -> None:
    fields = await store.active(tx.session, "field", as_of)
    goals = await store.active(tx.session, "goal", as_of)
    organisations = await store.active(tx.session, "organisation", as_of)
    faults = [*domain.doubled(after), *domain.dangling(after, before, fields, goals, organisations)]
    if faults:
        raise faulty(faults)
