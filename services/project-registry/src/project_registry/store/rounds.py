"""Rounds of selection, as far as the register must know them to follow."""

from collections.abc import Iterable

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from project_registry.store.base import RoundCandidateRow, RoundRow


async def save_round(session: AsyncSession, round_id: str, candidates: int) -> None:
    """Keep a frozen round and how many candidates it has."""
    row = {"round_id": round_id, "candidates": candidates, "stage": "frozen"}
    await session.exec(insert(RoundRow).values(row).on_conflict_do_nothing())


async def save_candidates(session: AsyncSession, round_id: str, candidates: Iterable[tuple[str, int]]) -> None:
    """Keep candidates of a round: project and version."""
    rows = [{"round_id": round_id, "project_id": project, "version": version} for project, version in candidates]
    await session.exec(insert(RoundCandidateRow).on_conflict_do_nothing(), params=rows)


async def round_stage(session: AsyncSession, round_id: str) -> str | None:
    """How far a round is known to be; None while it, or a candidate of it, was not heard of."""
    row = await session.get(RoundRow, round_id)
    count = select(func.count()).select_from(RoundCandidateRow).where(RoundCandidateRow.round_id == round_id)
    complete = row is not None and (await session.exec(count)).one() == row.candidates
    return row.stage if row is not None and complete else None


async def move_round(session: AsyncSession, round_id: str, stage: str) -> None:
    """Keep the stage of a round."""
    (await session.get_one(RoundRow, round_id)).stage = stage
    await session.flush()


async def round_candidates(session: AsyncSession, round_id: str) -> list[str]:
    """The ids of a round's candidates."""
    query = select(RoundCandidateRow.project_id).where(RoundCandidateRow.round_id == round_id)
    return list(await session.exec(query.order_by(RoundCandidateRow.project_id)))
