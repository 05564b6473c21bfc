"""What was computed at the closing of a round, and what the board decided."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Field, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from selection_scoring.domain.deciding import Computed
from selection_scoring.store.base import Base

OUTCOMES = text("""
SELECT r.project_id, c.title, CAST(r.line->>'rank' AS integer), r.line->>'score', r.line->>'outcome', r.line->>'share'
FROM result_line AS r JOIN round_candidate AS c ON c.round_id = r.round_id AND c.project_id = r.project_id
WHERE r.round_id = :round_id ORDER BY r.place
""")


class ClosingRow(Base, table=True):
    """What was counted in a round, as hashes, and the result without its lines."""

    __tablename__ = "closing"

    round_id: str = Field(primary_key=True)
    judgements: int
    judgements_sha256: str
    complete_voters: int
    result_sha256: str
    parts: int
    summary: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    closed_by: str
    closed_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class ResultLineRow(Base, table=True):
    """One line of the result; ``place`` grows in the order of the result, with gaps."""

    __tablename__ = "result_line"

    round_id: str = Field(primary_key=True)
    place: int = Field(primary_key=True)
    project_id: str
    line: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


class DecisionRow(Base, table=True):
    """What the board decided."""

    __tablename__ = "decision"

    round_id: str = Field(primary_key=True)
    title: str
    frozen_sha256: str
    result_sha256: str
    lines: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    candidates: int
    staffing: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    session: str | None = None
    note: str
    decided_by: str
    decided_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    log: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))


async def close(session: AsyncSession, row: dict[str, Any]) -> None:
    """Keep what was counted."""
    await (await session.connection()).execute(insert(ClosingRow).values(row).on_conflict_do_nothing())


async def closing(session: AsyncSession, round_id: str) -> dict[str, Any] | None:
    """What was counted in a round."""
    row = await session.get(ClosingRow, round_id, populate_existing=True)
    return row.model_dump() if row else None


async def put_lines(session: AsyncSession, round_id: str, first: int, lines: Sequence[dict[str, Any]]) -> None:
    """Keep some lines of a result; ``first`` is the place of the first of them."""
    rows = [
        {"round_id": round_id, "place": place, "project_id": line["project_id"], "line": line}
        for place, line in enumerate(lines, start=first)
    ]
    await (await session.connection()).execute(insert(ResultLineRow).on_conflict_do_nothing(), rows)


async def lines(session: AsyncSession, round_id: str, after: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
    """Lines of a result behind a place, each with its place, in order."""
    query = select(ResultLineRow.place, ResultLineRow.line).where(ResultLineRow.round_id == round_id)
    query = query.where(col(ResultLineRow.place) > after).order_by(col(ResultLineRow.place))
    return [(row[0], dict(row[1])) for row in await session.exec(query.limit(limit))]


async def outcomes(session: AsyncSession, round_id: str) -> list[Computed]:
    """What a decision needs of each line of a result, in order."""
    rows = await (await session.connection()).execute(OUTCOMES, {"round_id": round_id})
    return [Computed(*row) for row in rows]


async def decide(session: AsyncSession, row: dict[str, Any]) -> None:
    """Keep a decision."""
    await (await session.connection()).execute(insert(DecisionRow).values(row).on_conflict_do_nothing())


async def decision(session: AsyncSession, round_id: str) -> dict[str, Any] | None:
    """What was decided on a round."""
    row = await session.get(DecisionRow, round_id, populate_existing=True)
    return row.model_dump() if row else None
