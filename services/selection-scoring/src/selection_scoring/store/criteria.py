"""Sets of selection criteria, every version."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Field, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from selection_scoring.store.base import Base


class CriteriaRow(Base, table=True):
    """One version of a set."""

    __tablename__ = "criteria_set"

    set: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    title: str
    criteria: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    scale_min: int
    scale_max: int
    reason: str
    recorded_by: str | None = None
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


async def find(session: AsyncSession, set: str, version: int | None = None) -> dict[str, Any] | None:
    """A version of a set; without one, the newest."""
    query = select(CriteriaRow).where(CriteriaRow.set == set).order_by(col(CriteriaRow.version).desc()).limit(1)
    if version is not None:
        query = query.where(CriteriaRow.version == version)
    row = (await session.exec(query)).first()
    return row.model_dump() if row else None


async def every(session: AsyncSession, set: str | None = None) -> list[dict[str, Any]]:
    """All versions of one set or of all, by name and version."""
    query = select(CriteriaRow).order_by(CriteriaRow.set, col(CriteriaRow.version))
    if set is not None:
        query = query.where(CriteriaRow.set == set)
    return [row.model_dump() for row in await session.exec(query)]


async def put(session: AsyncSession, row: dict[str, Any]) -> None:
    """Keep a version; the same again changes nothing."""
    await (await session.connection()).execute(insert(CriteriaRow).values(row).on_conflict_do_nothing())
