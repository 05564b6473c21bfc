"""Rounds as they were frozen, their candidates, and how far they are."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Column, DateTime, ForeignKey, Index, String, any_, collate, literal, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Field, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from selection_scoring.domain.pool import Candidate
from selection_scoring.domain.rounds import RUNNING, Round
from selection_scoring.store.base import Base

NAMES = tuple(name for name in Round.__slots__ if name != "discuss")


class RoundRow(Base, table=True):
    """A round; its row is the lock that every judgement, the closing and the decision take."""

    __tablename__ = "selection_round"

    round_id: str = Field(primary_key=True)
    title: str
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    frozen_sha256: str
    stage: str
    parts: int
    frozen_by: str
    frozen_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    discuss: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    assessed_from: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    voted_from: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    ended_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


class RoundCandidateRow(Base, table=True):
    """A version of a project in a round; ``place`` is its place in the list, which is sorted by id."""

    __tablename__ = "round_candidate"
    __table_args__ = (Index("round_candidate_project", "project_id"),)

    round_id: str = Field(sa_column=Column(String, ForeignKey("selection_round.round_id"), primary_key=True))
    project_id: str = Field(primary_key=True)
    place: int
    version: int
    title: str
    fields_of_action: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    costs: dict[str, int] = Field(sa_column=Column(JSONB, nullable=False))
    profile_sha256: str


async def find(session: AsyncSession, round_id: str) -> Round | None:
    """A round."""
    row = await session.get(RoundRow, round_id, populate_existing=True)
    return _round(row) if row else None


async def lock(session: AsyncSession, round_id: str) -> Round | None:
    """The same, and no other transaction changes anything in it until this one ends."""
    row = await session.get(RoundRow, round_id, with_for_update=True, populate_existing=True)
    return _round(row) if row else None


async def every(session: AsyncSession) -> list[Round]:
    """All rounds, the newest first."""
    query = select(RoundRow).order_by(col(RoundRow.frozen_at).desc(), RoundRow.round_id)
    return [_round(row) for row in await session.exec(query)]


async def put(session: AsyncSession, round: Round) -> None:
    """Keep a round; the same again changes nothing."""
    row = {name: getattr(round, name) for name in NAMES}
    row |= {"title": round.content["title"], "discuss": list(round.discuss)}
    await (await session.connection()).execute(insert(RoundRow).values(row).on_conflict_do_nothing())


async def move(session: AsyncSession, round_id: str, **changes: Any) -> None:
    """Change how far a round is."""
    statement = update(RoundRow).where(col(RoundRow.round_id) == round_id).values(**changes)
    await (await session.connection()).execute(statement)


async def put_candidates(session: AsyncSession, round_id: str, first: int, candidates: Iterable[Candidate]) -> None:
    """Keep some candidates of a round; ``first`` is the place of the first of them."""
    rows = [
        {**asdict(row), "fields_of_action": list(row.fields_of_action), "round_id": round_id, "place": place}
        for place, row in enumerate(candidates, start=first)
    ]
    await (await session.connection()).execute(insert(RoundCandidateRow).on_conflict_do_nothing(), rows)


async def candidates(
    session: AsyncSession, round_id: str, after: str = "", limit: int | None = None
) -> list[Candidate]:
    """The candidates of a round, by id; all of them, or a page behind ``after``."""
    names = tuple(Candidate.__slots__)
    query = select(*(getattr(RoundCandidateRow, name) for name in names)).where(RoundCandidateRow.round_id == round_id)
    behind = collate(col(RoundCandidateRow.project_id), "C") > after
    rows = await session.exec(query.where(behind).order_by(col(RoundCandidateRow.place)).limit(limit))
    return [Candidate(row[0], row[1], row[2], tuple(row[3]), row[4], row[5]) for row in rows]


async def candidate_ids(session: AsyncSession, round_id: str) -> list[str]:
    """The ids of the candidates of a round, sorted."""
    query = select(RoundCandidateRow.project_id).where(RoundCandidateRow.round_id == round_id)
    return list(await session.exec(query.order_by(col(RoundCandidateRow.place))))


async def has_candidate(session: AsyncSession, round_id: str, project_id: str) -> bool:
    """Whether a project is a candidate of a round."""
    query = select(RoundCandidateRow.place)
    where = (RoundCandidateRow.round_id == round_id, RoundCandidateRow.project_id == project_id)
    return (await session.exec(query.where(*where))).first() is not None


async def titles(session: AsyncSession, round_id: str, project_ids: Collection[str]) -> dict[str, str]:
    """The titles of some candidates of a round."""
    query = select(RoundCandidateRow.project_id, RoundCandidateRow.title).where(RoundCandidateRow.round_id == round_id)
    return dict((await session.exec(query.where(col(RoundCandidateRow.project_id).in_(project_ids)))).all())


async def content(session: AsyncSession, round_id: str) -> dict[str, Any]:
    """The content of a round; looked up once a session, since it never changes."""
    known: dict[str, dict[str, Any]] = session.info.setdefault("rounds", {})
    if round_id not in known:
        known[round_id] = dict(
            (await session.exec(select(RoundRow.content).where(RoundRow.round_id == round_id))).one()
        )
    return known[round_id]


async def lock_freezing(session: AsyncSession) -> None:
    """No other round is frozen until this transaction ends."""
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended('selection-scoring/freezing', 4))")
    await (await session.connection()).execute(lock)


async def held(session: AsyncSession, project_ids: Sequence[str]) -> dict[str, str]:
    """Which of these projects are in a running round, and in which."""
    query = (
        select(RoundCandidateRow.project_id, RoundCandidateRow.round_id)
        .join(RoundRow, col(RoundRow.round_id) == RoundCandidateRow.round_id)
        .where(col(RoundRow.stage).in_(RUNNING))
        .where(col(RoundCandidateRow.project_id) == any_(literal(list(project_ids), ARRAY(String))))
    )
    return dict((await session.exec(query)).all())


async def freed(session: AsyncSession, since: datetime) -> set[str]:
    """The projects of all rounds that were cancelled since then."""
    query = (
        select(RoundCandidateRow.project_id)
        .join(RoundRow, col(RoundRow.round_id) == RoundCandidateRow.round_id)
        .where(RoundRow.stage == "cancelled", col(RoundRow.ended_at) > since)
    )
    return set(await session.exec(query))


def _round(row: RoundRow) -> Round:
    return Round(**{name: getattr(row, name) for name in NAMES}, discuss=tuple(row.discuss))
