"""What people said of candidates: assessments, the ballots of all voices, recusals. Every version is kept."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Column, DateTime, Integer, LargeBinary, SmallInteger, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from selection_scoring.domain.judging import Judgement
from selection_scoring.store.base import Base

COLUMNS = (*Judgement.__slots__, "counts", "current")
PUT = text("""
WITH known AS (
  SELECT max(version) AS version FROM judgement
  WHERE round_id = :round_id AND voice = :voice AND project_id = :project_id AND voter = :voter AND counts
), outdated AS (
  UPDATE judgement SET current = false
  WHERE round_id = :round_id AND voice = :voice AND project_id = :project_id AND voter = :voter
    AND current AND version < :version AND :counts
), first AS (
  INSERT INTO progress (round_id, voice, voter, given)
  SELECT CAST(:round_id AS text), CAST(:voice AS text), CAST(:voter AS text), 1
  FROM known WHERE known.version IS NULL AND :counts
  ON CONFLICT (round_id, voice, voter) DO UPDATE SET given = progress.given + 1
)
INSERT INTO judgement (round_id, voice, project_id, voter, version, scores, comment, at, sha256, counts, current)
SELECT CAST(:round_id AS text), CAST(:voice AS text), CAST(:project_id AS text), CAST(:voter AS text),
  CAST(:version AS integer), CAST(:scores AS smallint[]), CAST(:comment AS text), CAST(:at AS timestamptz),
  CAST(:sha256 AS bytea), :counts, :counts AND COALESCE(known.version < :version, true)
FROM known
ON CONFLICT DO NOTHING
""")
COUNT_LOADED = """
INSERT INTO progress (round_id, voice, voter, given)
SELECT round_id, voice, voter, count(*) FROM judgement WHERE round_id = $1 AND version = 1 GROUP BY 1, 2, 3
"""


class JudgementRow(Base, table=True):
    """One version of one holder's scores of one candidate; ``scores`` in the order of the round's criteria.

    ``counts`` is false of what is late or foreign; ``current`` is true of the newest version that counts.
    """

    __tablename__ = "judgement"

    round_id: str = Field(primary_key=True)
    voice: str = Field(primary_key=True)
    project_id: str = Field(primary_key=True)
    voter: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    scores: list[int] = Field(sa_column=Column(ARRAY(SmallInteger), nullable=False))
    comment: str
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    sha256: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    counts: bool
    current: bool


class ProgressRow(Base, table=True):
    """How many candidates a holder has judged with one voice."""

    __tablename__ = "progress"

    round_id: str = Field(primary_key=True)
    voice: str = Field(primary_key=True)
    voter: str = Field(primary_key=True)
    given: int = Field(sa_column=Column(Integer, nullable=False))


class RecusalRow(Base, table=True):
    """A holder who takes no part in judging a candidate."""

    __tablename__ = "recusal"

    round_id: str = Field(primary_key=True)
    project_id: str = Field(primary_key=True)
    holder: str = Field(primary_key=True)
    reason: str
    declared_by: str
    declared_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    sha256: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


async def put(session: AsyncSession, judgement: Judgement, counts: bool) -> None:
    """Keep a version; the newest that counts is current, whatever came first; the same again changes nothing."""
    row = {name: getattr(judgement, name) for name in Judgement.__slots__}
    row |= {"counts": counts, "scores": list(judgement.scores), "sha256": bytes.fromhex(judgement.sha256)}
    await (await session.connection()).execute(PUT, row)


async def current(session: AsyncSession, round_id: str, voice: str, project_id: str, voter: str) -> Judgement | None:
    """What a holder said last of a candidate."""
    rows = [row async for row in _current(session, round_id, voice, project_id, voter)]
    return rows[0] if rows else None


async def said_of(session: AsyncSession, round_id: str, voice: str, project_id: str) -> list[Judgement]:
    """What everybody said last of a candidate, by holder."""
    return [row async for row in _current(session, round_id, voice, project_id)]


async def _current(
    session: AsyncSession, round_id: str, voice: str, project_id: str, voter: str | None = None
) -> AsyncIterator[Judgement]:
    query = select(JudgementRow).where(JudgementRow.round_id == round_id, JudgementRow.voice == voice)
    query = query.where(JudgementRow.project_id == project_id, col(JudgementRow.current))
    if voter is not None:
        query = query.where(JudgementRow.voter == voter)
    rows = await session.exec(query.order_by(JudgementRow.voter).execution_options(populate_existing=True))
    for row in rows:
        columns = {name: getattr(row, name) for name in Judgement.__slots__}
        yield Judgement(**{**columns, "scores": tuple(row.scores), "sha256": row.sha256.hex()})


async def has_spoken(session: AsyncSession, round_id: str, holder: str) -> bool:
    """Whether a holder has judged anything in a round."""
    query = select(ProgressRow.given).where(ProgressRow.round_id == round_id, ProgressRow.voter == holder)
    return (await session.exec(query)).first() is not None


async def recuse(session: AsyncSession, row: dict[str, Any]) -> None:
    """Keep a recusal; the first one stands."""
    values = {**row, "sha256": bytes.fromhex(row["sha256"])}
    await (await session.connection()).execute(insert(RecusalRow).values(values).on_conflict_do_nothing())


async def recusal(session: AsyncSession, round_id: str, project_id: str, holder: str) -> dict[str, Any] | None:
    """A holder's recusal from a candidate."""
    row = await session.get(RecusalRow, (round_id, project_id, holder), populate_existing=True)
    return _said(row) if row else None


async def recusals(session: AsyncSession, round_id: str) -> list[dict[str, Any]]:
    """All recusals of a round, by candidate and holder."""
    query = select(RecusalRow).where(RecusalRow.round_id == round_id)
    return [_said(row) for row in await session.exec(query.order_by(RecusalRow.project_id, RecusalRow.holder))]


def _said(row: RecusalRow) -> dict[str, Any]:
    return {**row.model_dump(), "sha256": row.sha256.hex()}


async def load(raw: Any, round_id: str, judgements: Iterable[Judgement]) -> None:
    """Fill a round that nobody has judged yet with many first versions that count, as :func:`put` would.

    Args:
        raw: the asyncpg connection of the transaction.
    """
    records = (
        (*(getattr(row, name) for name in Judgement.__slots__[:-1]), bytes.fromhex(row.sha256), True, True)
        for row in judgements
    )
    await raw.copy_records_to_table("judgement", records=records, columns=COLUMNS)
    await raw.execute(COUNT_LOADED, round_id)
