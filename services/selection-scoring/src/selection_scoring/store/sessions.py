"""Sessions in all their versions, and conflicts that were settled."""

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Column, DateTime, String
from sqlalchemy.dialects.postgresql import JSONB, distinct_on, insert
from sqlmodel import Field, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from selection_scoring.store.base import Base

LINE = ("session", "version", "body", "title", "starts", "ends", "place", "state")


class SessionRow(Base, table=True):
    """One version of a session."""

    __tablename__ = "session"

    session: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    body: str
    title: str
    starts: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    ends: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    place: str
    state: str
    agenda: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    reason: str
    recorded_by: str
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class ConflictRow(Base, table=True):
    """A conflict of competence, and how the CDO settled it."""

    __tablename__ = "conflict"

    conflict: str = Field(primary_key=True)
    title: str
    parties: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    project_id: str | None = None
    decision: str
    reason: str
    session: str | None = None
    settled_by: str
    settled_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


async def find(session: AsyncSession, name: str, version: int | None = None) -> dict[str, Any] | None:
    """A version of a session; without one, the newest."""
    query = select(SessionRow).where(SessionRow.session == name).order_by(col(SessionRow.version).desc()).limit(1)
    if version is not None:
        query = query.where(SessionRow.version == version)
    row = (await session.exec(query)).first()
    return row.model_dump() if row else None


async def page(session: AsyncSession, after: str, limit: int) -> list[dict[str, Any]]:
    """The newest version of each session behind ``after``, by id, without agenda."""
    query = select(*(getattr(SessionRow, name) for name in LINE)).where(SessionRow.session > after)
    newest = query.ext(distinct_on(col(SessionRow.session))).order_by(
        SessionRow.session, col(SessionRow.version).desc()
    )
    return [dict(zip(LINE, row, strict=True)) for row in await session.exec(newest.limit(limit))]


async def put(session: AsyncSession, row: dict[str, Any]) -> None:
    """Keep a version; the same again changes nothing."""
    await (await session.connection()).execute(insert(SessionRow).values(row).on_conflict_do_nothing())


async def conflict(session: AsyncSession, name: str) -> dict[str, Any] | None:
    """A conflict that was settled."""
    row = await session.get(ConflictRow, name, populate_existing=True)
    return row.model_dump() if row else None


async def conflicts(session: AsyncSession, after: str, limit: int) -> list[dict[str, Any]]:
    """Conflicts behind ``after``, by id."""
    query = select(ConflictRow).where(ConflictRow.conflict > after).order_by(ConflictRow.conflict).limit(limit)
    return [row.model_dump() for row in await session.exec(query)]


async def settle(session: AsyncSession, row: dict[str, Any]) -> None:
    """Keep how a conflict was settled; the same again changes nothing."""
    await (await session.connection()).execute(insert(ConflictRow).values(row).on_conflict_do_nothing())
