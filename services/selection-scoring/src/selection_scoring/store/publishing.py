"""What a decision file is written from: everything of a round, all versions."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from selection_scoring.domain.pool import Candidate
from selection_scoring.store.results import ResultLineRow
from selection_scoring.store.rounds import RoundCandidateRow
from selection_scoring.store.votes import VotesRow

JUDGEMENTS = text("""
SELECT voice, voter, project_id, version, scores, comment, at, encode(sha256, 'hex') AS sha256
FROM judgement WHERE round_id = :round_id
""")
AT_ONCE = 2000
"""Rows fetched together; the rest waits in the database."""


async def candidates(session: AsyncSession, round_id: str) -> list[tuple[int, Candidate]]:
    """The candidates of a round with their places, by id."""
    query = (
        select(RoundCandidateRow).where(RoundCandidateRow.round_id == round_id).order_by(col(RoundCandidateRow.place))
    )
    return [(row.place, _candidate(row)) for row in await session.exec(query)]


def _candidate(row: RoundCandidateRow) -> Candidate:
    fields = tuple(row.fields_of_action)
    return Candidate(row.project_id, row.version, row.title, fields, dict(row.costs), row.profile_sha256)


async def judgements(session: AsyncSession, round_id: str) -> AsyncIterator[Any]:
    """All versions of all assessments and ballots of a round, in any order, some at a time."""
    connection = await session.connection()
    async with connection.stream(JUDGEMENTS, {"round_id": round_id}, execution_options={"yield_per": AT_ONCE}) as rows:
        async for row in rows:
            yield row


async def votes(session: AsyncSession, round_id: str) -> list[dict[str, Any]]:
    """All versions of all counts of votes."""
    query = select(VotesRow).where(VotesRow.round_id == round_id)
    rows = await session.exec(query.order_by(VotesRow.voice, col(VotesRow.version)))
    return [{**row.model_dump(), "sha256": row.sha256.hex()} for row in rows]


async def result_lines(session: AsyncSession, round_id: str) -> list[tuple[int, dict[str, Any]]]:
    """The lines of a result with their places, in order."""
    query = select(ResultLineRow.place, ResultLineRow.line).where(ResultLineRow.round_id == round_id)
    return [(row[0], dict(row[1])) for row in await session.exec(query.order_by(col(ResultLineRow.place)))]
