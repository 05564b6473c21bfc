"""Ideas of citizens and staff. Erasable, so no fact holds them and nothing folds them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Column, DateTime, Index, String, Text, delete, func
from sqlmodel import Field, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from project_registry.domain import Idea
from project_registry.store.base import Base


class IdeaRow(Base, table=True):
    """An idea, see :class:`project_registry.domain.Idea`."""

    __tablename__ = "idea"

    idea: str = Field(primary_key=True)
    receipt: str = Field(unique=True)
    state: str
    language: str
    received_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    title: str = Field(sa_column=Column(Text, nullable=False))
    text: str = Field(sa_column=Column(Text, nullable=False))
    fields_of_action: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    contact: str = Field(sa_column=Column(Text, nullable=False))
    moderated_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    moderated_by: str | None = None
    reason: str = Field(sa_column=Column(Text, nullable=False))
    project_id: str | None = None


Index("idea_waiting", IdeaRow.__table__.c.received_at, postgresql_where=IdeaRow.__table__.c.state == "waiting")  # type: ignore[attr-defined]


async def waiting_ideas(session: AsyncSession) -> int:
    """How many ideas wait."""
    query = select(func.count()).select_from(IdeaRow).where(IdeaRow.state == "waiting")
    return (await session.exec(query)).one()


async def ideas(session: AsyncSession, state: str, limit: int) -> list[Idea]:
    """Ideas of a state, the oldest first."""
    query = select(IdeaRow).where(IdeaRow.state == state).order_by(col(IdeaRow.received_at), IdeaRow.idea)
    return [_idea(row) for row in await session.exec(query.limit(limit))]


async def idea(session: AsyncSession, idea: str) -> Idea | None:
    """One idea by its id, locked until the transaction ends."""
    row = (await session.exec(select(IdeaRow).where(IdeaRow.idea == idea).with_for_update())).first()
    return _idea(row) if row else None


async def idea_of_receipt(session: AsyncSession, receipt: str) -> Idea | None:
    """One idea by the digest of its receipt."""
    row = (await session.exec(select(IdeaRow).where(IdeaRow.receipt == receipt))).first()
    return _idea(row) if row else None


async def add_idea(session: AsyncSession, idea: Idea) -> None:
    """Keep a new idea."""
    session.add(IdeaRow(**_columns(idea)))
    await session.flush()


async def change_idea(session: AsyncSession, idea: Idea) -> None:
    """Keep what became of an idea; what it said before is gone."""
    await session.merge(IdeaRow(**_columns(idea)))
    await session.flush()


async def withdraw_idea(session: AsyncSession, receipt: str) -> bool:
    """Erase a waiting idea for its author; whether there was one."""
    statement = delete(IdeaRow).where(col(IdeaRow.receipt) == receipt, col(IdeaRow.state) == "waiting")
    return (await session.exec(statement.returning(col(IdeaRow.idea)))).first() is not None


def _columns(idea: Idea) -> dict[str, Any]:
    said = {name: getattr(idea, name) for name in Idea.__dataclass_fields__}
    return {**said, "fields_of_action": list(idea.fields_of_action)}


def _idea(row: IdeaRow) -> Idea:
    said = {name: getattr(row, name) for name in Idea.__dataclass_fields__}
    return Idea(**{**said, "fields_of_action": tuple(row.fields_of_action)})
