"""The pool of candidates."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import ARRAY, Column, DateTime, String, collate
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Field, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from selection_scoring.domain.pool import Candidate, Place
from selection_scoring.store.base import Base


class CandidateRow(Base, table=True):
    """A project that can be chosen, or that could be: its row stays, so that older news of it is known to be old."""

    __tablename__ = "candidate"

    project_id: str = Field(primary_key=True)
    version: int
    title: str = ""
    fields_of_action: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    costs: dict[str, int] = Field(sa_column=Column(JSONB, nullable=False))
    profile_sha256: str = ""
    listed_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    delisted_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


async def place(session: AsyncSession, project_id: str) -> Place | None:
    """What is known of a project: its version, and whether it is in the pool."""
    query = select(CandidateRow.version, CandidateRow.delisted_at).where(CandidateRow.project_id == project_id)
    row = (await session.exec(query)).first()
    return Place(row[0], row[1] is None) if row else None


async def candidates(session: AsyncSession, after: str = "", limit: int | None = None) -> list[Candidate]:
    """The pool, by id; all of it, or a page behind ``after``."""
    query = select(CandidateRow).where(col(CandidateRow.delisted_at).is_(None))
    by_id = collate(col(CandidateRow.project_id), "C")
    rows = await session.exec(query.where(by_id > after).order_by(by_id).limit(limit))
    return [_candidate(row) for row in rows]


async def put(session: AsyncSession, candidate: Candidate, listed_at: datetime) -> None:
    """Put a version of a project into the pool, unless a later one is known."""
    row = {**asdict(candidate), "fields_of_action": list(candidate.fields_of_action), "listed_at": listed_at}
    await _upsert(session, {**row, "delisted_at": None})


async def take_out(session: AsyncSession, project_id: str, version: int, delisted_at: datetime) -> None:
    """Take a project out of the pool, unless a later version is known."""
    row = {"project_id": project_id, "version": version, "title": "", "fields_of_action": [], "costs": {}}
    await _upsert(session, {**row, "profile_sha256": "", "listed_at": None, "delisted_at": delisted_at})


async def _upsert(session: AsyncSession, row: dict[str, object]) -> None:
    statement = insert(CandidateRow).values(row)
    newer = statement.on_conflict_do_update(
        index_elements=["project_id"],
        set_={name: statement.excluded[name] for name in row},
        where=col(CandidateRow.version) < statement.excluded.version,
    )
    await (await session.connection()).execute(newer)


def _candidate(row: CandidateRow) -> Candidate:
    fields = tuple(row.fields_of_action)
    return Candidate(row.project_id, row.version, row.title, fields, dict(row.costs), row.profile_sha256)
