"""Contacts of role holders, gaps in the organisation, terms of office."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from project_registry.domain import Gap, Term, read_term
from project_registry.store.base import ContactRow, GapRow
from project_registry.store.versions import NOW, When, entries


@dataclass(frozen=True, slots=True)
class Contact:
    """Who a role holder is and how to reach that person."""

    name: str
    mail: str | None
    phone: str | None
    noted_at: datetime


async def terms(session: AsyncSession, when: When = NOW) -> list[Term]:
    """All terms of office, past, running and to come, by what was known."""
    return [read_term(entry.content) for entry in await entries(session, "term", When(None, when.known_at))]


async def contact(session: AsyncSession, holder: str) -> Contact | None:
    """The person behind a holder; nobody where it was never noted or was erased."""
    row = await session.get(ContactRow, holder)
    return Contact(row.name, row.mail, row.phone, row.noted_at) if row else None


async def save_contact(session: AsyncSession, holder: str, contact: Contact) -> None:
    """Note or change a contact; the one before is gone."""
    row = asdict(contact)
    statement = insert(ContactRow).values(holder=holder, **row)
    await session.exec(statement.on_conflict_do_update(index_elements=["holder"], set_=row))


async def erase_contact(session: AsyncSession, holder: str) -> bool:
    """Erase a contact; whether there was one."""
    statement = delete(ContactRow).where(col(ContactRow.holder) == holder).returning(col(ContactRow.holder))
    return (await session.exec(statement)).first() is not None


async def gaps(
    session: AsyncSession, *, state: str | None = None, organisations: Collection[str] | None = None
) -> list[Gap]:
    """Gaps by organisation, open ones, closed ones or both."""
    query = select(GapRow).order_by(GapRow.organisation)
    if state is not None:
        query = query.where(GapRow.state == state)
    if organisations is not None:
        query = query.where(col(GapRow.organisation) == func.any(list(organisations)))
    return [_gap(row) for row in await session.exec(query)]


async def save_gap(session: AsyncSession, gap: Gap) -> None:
    """Keep what was said last of a department."""
    row = {**asdict(gap), "projects": list(gap.projects)}
    statement = insert(GapRow).values(row)
    await session.exec(statement.on_conflict_do_update(index_elements=["organisation"], set_=row))


def _gap(row: GapRow) -> Gap:
    return Gap(row.organisation, row.state, row.since, row.recorded_at, tuple(row.projects))
