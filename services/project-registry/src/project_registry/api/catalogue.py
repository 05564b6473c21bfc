"""The catalogue of the strategy over HTTP: its import, fields of action, strategic goals."""

from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Depends, Response
from pydantic import Field

from oker_bus import Bus, Transaction
from oker_bus.preconditions import IfMatch
from oker_contracts.base import Slug, Title
from oker_contracts.project import catalogue_imported_v1 as imported
from oker_contracts.project.field_recorded_v1 import FieldRecordedV1, Focus
from oker_contracts.project.goal_recorded_v1 import GoalRecordedV1
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from oker_identity import Holder, require
from project_registry import domain, store
from project_registry.api.conditions import Times, at, faulty
from project_registry.api.versions import Recorded, Versioned, Writing, found, recorded
from project_registry.record import record, register_many

log = structlog.get_logger()
Position = Annotated[int, Field(ge=0, le=10_000)]
Steering = Annotated[Holder, Depends(require("cdo", "unit"))]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import of the catalogue found and did."""

    catalogue: str
    fields_of_action: int
    goals: int
    projects: int
    assignments: int
    new_projects: int


class FieldBody(Versioned):
    """A field of action as it shall be."""

    title: Title
    position: Position
    status: Literal["active", "retired"] = "active"
    focus: Focus | None = None


class GoalBody(Versioned):
    """A strategic goal as it shall be."""

    title: Title
    group: domain.Group
    position: Position
    status: Literal["active", "retired"] = "active"
    isek: list[Title] = Field(default=[], max_length=20)


@dataclass(frozen=True, slots=True)
class FieldShown(Recorded):
    """A field of action with the number of its projects, 0 included."""

    field: str
    title: str
    position: int
    status: str
    focus: Focus | None
    projects: int


@dataclass(frozen=True, slots=True)
class GoalShown(Recorded):
    """A strategic goal with the ISEK Leitziele that it serves."""

    goal: str
    title: str
    group: str
    position: int
    status: str
    isek: list[str]


def add_routes(api: APIRouter, bus: Bus) -> None:
    """The routes over the catalogue."""
    steering, anybody = [Depends(require("cdo", "unit"))], [Depends(require())]
    shown = CatalogueRoutes(bus)
    api.add_api_route("/catalogue", shown.import_catalogue, methods=["POST"], dependencies=steering)
    api.add_api_route("/catalogue/fields", shown.fields, dependencies=anybody)
    api.add_api_route("/fields/{field}", shown.field, dependencies=anybody)
    api.add_api_route("/fields/{field}", shown.put_field, methods=["PUT"])
    api.add_api_route("/goals", shown.goals, dependencies=anybody)
    api.add_api_route("/goals/{goal}", shown.goal, dependencies=anybody)
    api.add_api_route("/goals/{goal}", shown.put_goal, methods=["PUT"])


@dataclass(frozen=True, slots=True)
class CatalogueRoutes:
    """The catalogue as people see and change it."""

    bus: Bus

    async def import_catalogue(self) -> ImportReport:
        """Import the strategy's catalogue, once; a second call changes and announces nothing."""
        text = files("project_registry").joinpath("catalogue.toml").read_text("utf-8")
        catalogue = domain.read_catalogue(text)
        async with self.bus.transaction() as tx:
            await store.lock_register(tx.session)
            if await store.is_imported(tx.session, catalogue.catalogue):
                return _report(catalogue, 0)
            new = domain.new_projects(catalogue, await store.taken_ids(tx.session))
            await record(tx, _imported(catalogue, tx))
            await register_many(tx, [_registered(project, tx) for project in new])
        log.info("catalogue.imported", catalogue=catalogue.catalogue, new_projects=len(new))
        return _report(catalogue, len(new))

    async def fields(self, when: Times) -> list[FieldShown]:
        """All fields of action; one without projects is shown as empty, not hidden (S4.3-2)."""
        async with self.bus.sessions() as session:
            entries = await store.entries(session, "field", at(when, self.bus.edge.clock()))
            counts = await store.projects_by_field(session, when)
        return sorted((_field(entry, counts) for entry in entries), key=lambda row: (row.position, row.field))

    async def field(self, field: Slug, when: Times, response: Response) -> FieldShown:
        """One field of action."""
        entry = await found(self.bus, "field", field, when, response)
        async with self.bus.sessions() as session:
            return _field(entry, await store.projects_by_field(session, when))

    async def put_field(
        self, field: Slug, body: FieldBody, holder: Steering, response: Response, if_match: IfMatch = None
    ) -> FieldShown:
        """Add, change or retire a field of action, or make it a focus."""
        said = {"field": field, **_said(body)}
        writing = Writing(self.bus, holder, "field", field, if_match, response)
        if body.focus and body.status == "retired":
            raise faulty([domain.Fault("$.focus", "A field that is retired is no focus; leave one of them out.")])
        entry = await writing.write(body.valid_from, partial(_fact, FieldRecordedV1, said))
        async with self.bus.sessions() as session:
            return _field(entry, await store.projects_by_field(session))

    async def goals(self, when: Times) -> list[GoalShown]:
        """The strategic goals in their three groups."""
        async with self.bus.sessions() as session:
            entries = await store.entries(session, "goal", at(when, self.bus.edge.clock()))
        return sorted((_goal(entry) for entry in entries), key=lambda row: (row.position, row.goal))

    async def goal(self, goal: Slug, when: Times, response: Response) -> GoalShown:
        """One strategic goal."""
        return _goal(await found(self.bus, "goal", goal, when, response))

    async def put_goal(
        self, goal: Slug, body: GoalBody, holder: Steering, response: Response, if_match: IfMatch = None
    ) -> GoalShown:
        """Add, change or retire a strategic goal, or link it to ISEK Leitziele."""
        said = {"goal": goal, **_said(body)}
        writing = Writing(self.bus, holder, "goal", goal, if_match, response)
        return _goal(await writing.write(body.valid_from, partial(_fact, GoalRecordedV1, said)))


def _said(body: Versioned) -> dict[str, Any]:
    return {name: getattr(body, name) for name in type(body).model_fields if name != "valid_from"}


def _fact(model: Any, said: dict[str, Any], recorded: dict[str, Any]) -> Any:
    return model(**said, **recorded)


def _field(entry: domain.Entry, counts: dict[str, int]) -> FieldShown:
    said = entry.content
    return FieldShown(
        field=entry.id,
        title=entry.title,
        position=said["position"],
        status=entry.status,
        focus=Focus.model_validate(said["focus"]) if said.get("focus") else None,
        projects=counts.get(entry.id, 0),
        **recorded(entry),
    )


def _goal(entry: domain.Entry) -> GoalShown:
    said = entry.content
    return GoalShown(
        goal=entry.id,
        title=entry.title,
        group=said["group"],
        position=said["position"],
        status=entry.status,
        isek=said.get("isek", []),
        **recorded(entry),
    )


def _report(catalogue: domain.Catalogue, new: int) -> ImportReport:
    return ImportReport(
        catalogue=catalogue.catalogue,
        fields_of_action=len(catalogue.fields_of_action),
        goals=len(catalogue.goals),
        projects=len(catalogue.projects),
        assignments=catalogue.assignments,
        new_projects=new,
    )


def _imported(catalogue: domain.Catalogue, tx: Transaction) -> imported.CatalogueImportedV1:
    fields = [imported.FieldOfAction(field=row.field, title=row.title) for row in catalogue.fields_of_action]
    return imported.CatalogueImportedV1(
        catalogue=catalogue.catalogue,
        fields_of_action=fields,
        goals=[imported.StrategicGoal(goal=row.goal, title=row.title, group=row.group) for row in catalogue.goals],
        projects=[project.project_id for project in catalogue.projects],
        imported_at=tx.now,
    )


def _registered(project: domain.CatalogueProject, tx: Transaction) -> ProjectRegisteredV2:
    return ProjectRegisteredV2(
        project_id=project.project_id,
        title=project.title,
        summary="",
        fields_of_action=list(project.fields_of_action),
        goals=[],
        origin="catalogue",
        state="proposed",
        registered_at=tx.now,
    )
