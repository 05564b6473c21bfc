"""The tables of selection-scoring."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import ARRAY, Column, DateTime, ForeignKey, String
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from selection_scoring.domain import Ballot, Candidate, Criterion, Decision, OpenedRound, Ranked, Round


class Base(SQLModel, registry=registry()):
    """The tables of this service and of no other."""


class CandidateRow(Base, table=True):
    """A project in the pool."""

    __tablename__ = "candidate"

    project_id: str = Field(primary_key=True)
    title: str
    fields_of_action: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    listed_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class RoundRow(Base, table=True):
    """A round as it was frozen; its row is the lock that ballots and the closing take."""

    __tablename__ = "selection_round"

    round_id: str = Field(primary_key=True)
    title: str
    criteria: list[dict[str, str]] = Field(sa_column=Column(JSONB, nullable=False))
    scale_min: int
    scale_max: int
    candidates: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    electorate: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))
    quorum: int
    seats: int
    frozen_sha256: str
    opened_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class BallotRow(Base, table=True):
    """The newest version of one voter's scores of one candidate."""

    __tablename__ = "ballot"

    round_id: str = Field(sa_column=Column(String, ForeignKey("selection_round.round_id"), primary_key=True))
    voter: str = Field(primary_key=True)
    project_id: str = Field(primary_key=True)
    version: int
    scores: dict[str, int] = Field(sa_column=Column(JSONB, nullable=False))
    cast_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class DecisionRow(Base, table=True):
    """The outcome of a closed round; a round without this row is open."""

    __tablename__ = "decision"

    round_id: str = Field(sa_column=Column(String, ForeignKey("selection_round.round_id"), primary_key=True))
    ballots_sha256: str
    ranking: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    decided_by: str
    decided_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


metadata = Base.metadata


async def candidate(session: AsyncSession, project_id: str) -> Candidate | None:
    """One candidate of the pool."""
    row = await session.get(CandidateRow, project_id)
    return _candidate(row) if row else None


async def candidates(session: AsyncSession) -> list[Candidate]:
    """The whole pool, by id."""
    rows = await session.exec(select(CandidateRow).order_by(CandidateRow.project_id))
    return [_candidate(row) for row in rows]


async def titles(session: AsyncSession, project_ids: Collection[str]) -> dict[str, str]:
    """The titles of these candidates."""
    query = select(CandidateRow.project_id, CandidateRow.title)
    return dict((await session.exec(query.where(col(CandidateRow.project_id).in_(project_ids)))).all())


async def save_candidate(session: AsyncSession, candidate: Candidate) -> None:
    """Put a candidate into the pool."""
    fields = list(candidate.fields_of_action)
    session.add(CandidateRow(**{**asdict(candidate), "fields_of_action": fields}))


async def opened_round(session: AsyncSession, round_id: str) -> OpenedRound | None:
    """A round as it was frozen."""
    row = await session.get(RoundRow, round_id)
    return _opened(row) if row else None


async def lock_round(session: AsyncSession, round_id: str) -> OpenedRound | None:
    """The same, and no other transaction casts a ballot in it or closes it until this one ends."""
    row = await session.get(RoundRow, round_id, with_for_update=True)
    return _opened(row) if row else None


async def open_round(session: AsyncSession, opened: OpenedRound) -> bool:
    """Keep a new round; ``False`` if one of this id exists, and nothing was written."""
    round = opened.round
    row = {
        **asdict(round),
        "criteria": [{**asdict(criterion), "weight": str(criterion.weight)} for criterion in round.criteria],
        "frozen_sha256": opened.frozen_sha256,
        "opened_at": opened.opened_at,
    }
    statement = insert(RoundRow).values(row).on_conflict_do_nothing().returning(col(RoundRow.round_id))
    return (await session.exec(statement)).first() is not None


async def ballots(session: AsyncSession, round_id: str) -> list[Ballot]:
    """All ballots of a round, by voter and candidate."""
    query = select(BallotRow).where(BallotRow.round_id == round_id)
    rows = await session.exec(query.order_by(BallotRow.voter, BallotRow.project_id))
    return [_ballot(row) for row in rows]


async def ballot(session: AsyncSession, round_id: str, voter: str, project_id: str) -> Ballot | None:
    """One voter's ballot for one candidate."""
    row = await session.get(BallotRow, (round_id, voter, project_id))
    return _ballot(row) if row else None


async def save_ballot(session: AsyncSession, round_id: str, ballot: Ballot) -> None:
    """Keep a ballot in the place of its earlier version."""
    columns = {name: getattr(ballot, name) for name in ballot.__slots__}
    await session.merge(BallotRow(round_id=round_id, **{**columns, "scores": dict(ballot.scores)}))


async def decision(session: AsyncSession, round_id: str) -> Decision | None:
    """The outcome of a round; ``None`` while it is open."""
    row = await session.get(DecisionRow, round_id)
    return _decision(row) if row else None


async def save_decision(session: AsyncSession, decision: Decision) -> None:
    """Close a round with its outcome."""
    ranking = [{**asdict(line), "score": str(line.score)} for line in decision.ranking]
    columns = {name: getattr(decision, name) for name in decision.__slots__}
    session.add(DecisionRow(**{**columns, "ranking": ranking}))


def _candidate(row: CandidateRow) -> Candidate:
    return Candidate(row.project_id, row.title, tuple(row.fields_of_action), row.listed_at)


def _opened(row: RoundRow) -> OpenedRound:
    round = Round(
        round_id=row.round_id,
        title=row.title,
        criteria=tuple(Criterion(said["criterion"], said["title"], Fraction(said["weight"])) for said in row.criteria),
        scale_min=row.scale_min,
        scale_max=row.scale_max,
        candidates=tuple(row.candidates),
        electorate=tuple(row.electorate),
        quorum=row.quorum,
        seats=row.seats,
    )
    return OpenedRound(round, row.frozen_sha256, row.opened_at)


def _ballot(row: BallotRow) -> Ballot:
    return Ballot(row.voter, row.project_id, row.version, dict(row.scores), row.cast_at)


def _decision(row: DecisionRow) -> Decision:
    ranking = tuple(Ranked(**{**line, "score": Fraction(line["score"])}) for line in row.ranking)
    return Decision(row.round_id, row.ballots_sha256, ranking, row.decided_by, row.decided_at)
