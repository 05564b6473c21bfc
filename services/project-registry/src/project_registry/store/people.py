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
    session: AsyncSession, *, at: datetime | None = None, organisations: Collection[str] | None = None
) -> list[Gap]:
    """Gaps by organisation and beginning, as they were at a time; left out, as they are."""
    query = select(GapRow).order_by(GapRow.organisation, col(GapRow.since))
    if at is not None:
        query = query.where(GapRow.since <= at)
    if organisations is not None:
        query = query.where(col(GapRow.organisation) == func.any(list(organisations)))
    return [_gap(row, at) for row in await session.exec(query)]


async def save_gap(session: AsyncSession, gap: Gap) -> None:
    """Keep a gap that opens, or the end of one; its projects stay those of its beginning."""
    statement = insert(GapRow).values({**asdict(gap), "projects": list(gap.projects)})
    end = {"state": gap.state, "recorded_at": gap.recorded_at}
    await session.exec(statement.on_conflict_do_update(index_elements=["organisation", "since"], set_=end))


def _gap(row: GapRow, at: datetime | None) -> Gap:
    open_then = at is not None and row.recorded_at > at
    said = ("open", row.since) if open_then else (row.state, row.recorded_at)
    return Gap(row.organisation, said[0], row.since, said[1], tuple(row.projects))
