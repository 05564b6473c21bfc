"""Counts of the votes of a voice, every version."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Field, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from selection_scoring.store.base import Base


class VotesRow(Base, table=True):
    """One version of a count, with the advice of the voice in words."""

    __tablename__ = "votes"

    round_id: str = Field(primary_key=True)
    voice: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    ballots: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    advice: str
    recorded_by: str
    recorded_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    sha256: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


async def put(session: AsyncSession, row: dict[str, Any]) -> None:
    """Keep a version; the same again changes nothing."""
    values = {**row, "sha256": bytes.fromhex(row["sha256"])}
    await (await session.connection()).execute(insert(VotesRow).values(values).on_conflict_do_nothing())


async def newest(session: AsyncSession, round_id: str, until: datetime | None = None) -> dict[str, dict[str, Any]]:
    """The newest count of each voice of a round; of those that were recorded in time."""
    query = select(VotesRow).where(VotesRow.round_id == round_id).order_by(VotesRow.voice, col(VotesRow.version))
    if until is not None:
        query = query.where(VotesRow.recorded_at <= until)
    return {row.voice: {**row.model_dump(), "sha256": row.sha256.hex()} for row in await session.exec(query)}
