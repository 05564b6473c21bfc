"""The decision log: a chain over the facts that carry a link."""

from typing import Any

from sqlalchemy import BigInteger, Column, or_, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Field, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from selection_scoring.store.base import Base

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('selection-scoring/log', 4))"
TYPES = ("criteria_recorded.v1", "round_frozen.v1", "round_moved.v1", "round_closed.v1", "decision_taken.v2")


class LogRow(Base, table=True):
    """One entry: a fact without its link, and the link."""

    __tablename__ = "log_entry"

    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    type: str
    data: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    previous_sha256: str
    sha256: str


async def last_entry(session: AsyncSession) -> tuple[int, str] | None:
    """Number and hash of the newest entry; no other transaction adds one until this one ends."""
    await (await session.connection()).execute(text(LOCK))
    query = select(LogRow.number, LogRow.sha256).order_by(col(LogRow.number).desc()).limit(1)
    return (await session.exec(query)).first()


async def append(session: AsyncSession, entry: dict[str, Any]) -> None:
    """Add an entry; the same entry again changes nothing."""
    await (await session.connection()).execute(insert(LogRow).values(entry).on_conflict_do_nothing())


async def page(session: AsyncSession, after: int, limit: int) -> list[dict[str, Any]]:
    """Entries behind a number, in their order."""
    query = select(LogRow).where(LogRow.number > after).order_by(col(LogRow.number)).limit(limit)
    return [row.model_dump() for row in await session.exec(query)]


async def of_decision(
    session: AsyncSession, round_id: str, criteria_set: dict[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    """The entries of one round and of the criteria it was frozen with, by type, in their order."""
    whose = or_(col(LogRow.data).contains({"round_id": round_id}), col(LogRow.data).contains(criteria_set))
    types = (f"selection.{name}" for name in TYPES)
    query = select(LogRow).where(whose, col(LogRow.type).in_(types)).order_by(col(LogRow.number))
    found: dict[str, list[dict[str, Any]]] = {}
    for row in await session.exec(query):
        found.setdefault(row.type, []).append(row.model_dump())
    return found
