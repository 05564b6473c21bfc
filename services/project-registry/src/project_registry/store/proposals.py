"""Imported catalogues, and what companies propose."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from project_registry.domain import Proposal
from project_registry.store.base import CatalogueRow, ProposalRow
from project_registry.store.versions import ids


async def is_imported(session: AsyncSession, catalogue: str | None = None) -> bool:
    """Whether this edition (or any, when none is named) was imported."""
    query = select(CatalogueRow.catalogue).limit(1)
    if catalogue is not None:
        query = query.where(CatalogueRow.catalogue == catalogue)
    return (await session.exec(query)).first() is not None


async def save_catalogue(session: AsyncSession, catalogue: str, imported_at: datetime) -> None:
    """Keep that this edition was imported."""
    session.add(CatalogueRow(catalogue=catalogue, imported_at=imported_at))
    await session.flush()


async def taken_ids(session: AsyncSession) -> set[str]:
    """The ids of all projects and proposals."""
    proposed = await session.exec(select(ProposalRow.project_id))
    return {*await ids(session, "project"), *proposed}


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
    """Keep a proposal."""
    session.add(ProposalRow(**_columns(proposal)))
    await session.flush()


async def accept_proposal(session: AsyncSession, project_id: str, accepted_at: datetime) -> None:
    """Keep that a proposal became a project; nothing where there is none."""
    statement = update(ProposalRow).where(col(ProposalRow.project_id) == project_id)
    await session.exec(statement.values(accepted_at=accepted_at))


def _columns(said: Proposal) -> dict[str, Any]:
    return {**asdict(said), "fields_of_action": list(said.fields_of_action), "goals": list(said.goals)}


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
