"""The tables of project-registry."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import ARRAY, Column, DateTime, String, Text, UniqueConstraint, func, literal
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from project_registry.domain import Catalogue, FieldOfAction, Group, Origin, Project, Proposal, StrategicGoal

REGISTER_LOCK = 7_350_048
"""The key of the advisory lock that lets one transaction at a time write to the register."""


class Base(SQLModel, registry=registry()):
    """The tables of this service and of no other."""


class CatalogueRow(Base, table=True):
    """An edition of the catalogue that was imported."""

    __tablename__ = "catalogue"

    catalogue: str = Field(primary_key=True)
    imported_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class FieldRow(Base, table=True):
    """A field of action, in the order of the strategy."""

    __tablename__ = "field_of_action"

    field: str = Field(primary_key=True)
    title: str
    position: int


class GoalRow(Base, table=True):
    """A strategic goal, in the order of the strategy."""

    __tablename__ = "strategic_goal"

    goal: str = Field(primary_key=True)
    title: str
    goal_group: str
    position: int


class ProjectRow(Base, table=True):
    """A registered project."""

    __tablename__ = "project"

    project_id: str = Field(primary_key=True)
    title: str
    summary: str = Field(sa_column=Column(Text, nullable=False))
    fields_of_action: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    goals: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    origin: str
    partner: str | None = None
    officer: str | None = None
    registered_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class ProposalRow(Base, table=True):
    """A proposal of a company, waiting or accepted."""

    __tablename__ = "proposal"
    __table_args__ = (UniqueConstraint("partner", "name", name="proposal_of_partner"),)

    project_id: str = Field(primary_key=True)
    partner: str
    name: str
    title: str
    summary: str = Field(sa_column=Column(Text, nullable=False))
    fields_of_action: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    goals: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    received_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    accepted_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


metadata = Base.metadata


async def lock_register(session: AsyncSession) -> None:
    """Wait until no other transaction writes to the register; held until this one ends.

    Ids are unique over projects and proposals of all companies, so "is it taken?" needs one writer at a time.
    """
    await session.exec(select(func.pg_advisory_xact_lock(REGISTER_LOCK)))


async def is_imported(session: AsyncSession, catalogue: str | None = None) -> bool:
    """Whether this edition (or any, when none is named) was imported."""
    query = select(CatalogueRow.catalogue).limit(1)
    if catalogue is not None:
        query = query.where(CatalogueRow.catalogue == catalogue)
    return (await session.exec(query)).first() is not None


async def save_catalogue(session: AsyncSession, catalogue: Catalogue, imported_at: datetime) -> None:
    """Keep the edition, its fields and its goals; projects are saved one by one."""
    session.add(CatalogueRow(catalogue=catalogue.catalogue, imported_at=imported_at))
    for position, field in enumerate(catalogue.fields_of_action):
        await session.merge(FieldRow(field=field.field, title=field.title, position=position))
    for position, goal in enumerate(catalogue.goals):
        row = GoalRow(goal=goal.goal, title=goal.title, goal_group=goal.group, position=position)
        await session.merge(row)


async def fields_with_projects(session: AsyncSession) -> list[tuple[FieldOfAction, int]]:
    """Every field of action with the number of its projects, fields without any included."""
    belongs = col(FieldRow.field) == func.any(ProjectRow.fields_of_action)
    query = (
        select(FieldRow, func.count(col(ProjectRow.project_id)))
        .join(ProjectRow, belongs, isouter=True)
        .group_by(col(FieldRow.field))
        .order_by(col(FieldRow.position))
    )
    return [(FieldOfAction(row.field, row.title), count) for row, count in await session.exec(query)]


async def field_ids(session: AsyncSession) -> set[str]:
    """The ids of all fields of action."""
    return set(await session.exec(select(FieldRow.field)))


async def goals(session: AsyncSession) -> list[StrategicGoal]:
    """All goals in the order of the strategy."""
    rows = await session.exec(select(GoalRow).order_by(col(GoalRow.position)))
    return [StrategicGoal(row.goal, row.title, cast(Group, row.goal_group)) for row in rows]


async def projects(session: AsyncSession, field: str | None = None) -> list[Project]:
    """Registered projects by id, of one field of action or of all."""
    query = select(ProjectRow).order_by(ProjectRow.project_id)
    if field is not None:
        query = query.where(literal(field) == func.any(ProjectRow.fields_of_action))
    return [_project(row) for row in await session.exec(query)]


async def project(session: AsyncSession, project_id: str) -> Project | None:
    """One registered project."""
    row = await session.get(ProjectRow, project_id)
    return _project(row) if row else None


async def save_project(session: AsyncSession, project: Project) -> None:
    """Register a project."""
    session.add(ProjectRow(**_columns(project)))


async def taken_ids(session: AsyncSession) -> set[str]:
    """The ids of all projects and proposals."""
    registered = await session.exec(select(ProjectRow.project_id))
    proposed = await session.exec(select(ProposalRow.project_id))
    return {*registered, *proposed}


async def proposals(session: AsyncSession, partner: str | None = None) -> list[Proposal]:
    """Proposals by id, of one company or of all."""
    query = select(ProposalRow).order_by(ProposalRow.project_id)
    if partner is not None:
        query = query.where(ProposalRow.partner == partner)
    return [_proposal(row) for row in await session.exec(query)]


async def proposal(session: AsyncSession, project_id: str) -> Proposal | None:
    """The proposal that has this project id."""
    row = await session.get(ProposalRow, project_id)
    return _proposal(row) if row else None


async def proposal_of(session: AsyncSession, partner: str, name: str) -> Proposal | None:
    """The proposal that a company calls by this name."""
    query = select(ProposalRow).where(ProposalRow.partner == partner, ProposalRow.name == name)
    row = (await session.exec(query)).first()
    return _proposal(row) if row else None


async def save_proposal(session: AsyncSession, proposal: Proposal) -> None:
    """Keep a proposal, or its new state."""
    await session.merge(ProposalRow(**_columns(proposal)))


def _columns(said: Project | Proposal) -> dict[str, Any]:
    columns = {name: getattr(said, name) for name in said.__slots__}
    return {**columns, "fields_of_action": list(said.fields_of_action), "goals": list(said.goals)}


def _project(row: ProjectRow) -> Project:
    return Project(
        project_id=row.project_id,
        title=row.title,
        summary=row.summary,
        fields_of_action=tuple(row.fields_of_action),
        goals=tuple(row.goals),
        origin=cast(Origin, row.origin),
        registered_at=row.registered_at,
        partner=row.partner,
        officer=row.officer,
    )


def _proposal(row: ProposalRow) -> Proposal:
    return Proposal(
        project_id=row.project_id,
        partner=row.partner,
        name=row.name,
        title=row.title,
        summary=row.summary,
        fields_of_action=tuple(row.fields_of_action),
        goals=tuple(row.goals),
        received_at=row.received_at,
        accepted_at=row.accepted_at,
    )
