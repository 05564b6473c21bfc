"""What is counted at the closing, in the database: a round may have millions of judgements."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_decision.model import Tally

TALLIES = """
SELECT project_id, count(*), {columns}
FROM judgement AS j
WHERE round_id = :round_id AND voice = :voice AND current {only}
  AND NOT EXISTS (
    SELECT 1 FROM recusal AS r
    WHERE r.round_id = j.round_id AND r.project_id = j.project_id AND r.holder = j.voter
  )
GROUP BY project_id
"""
ONLY = "AND project_id = ANY(CAST(:projects AS text[]))"
EACH = ("sum(scores[{n}])", "min(scores[{n}])", "max(scores[{n}])", "sum(scores[{n}] * scores[{n}])")
FINGERPRINT = text("""
WITH said AS (
  SELECT sha256 FROM judgement WHERE round_id = :round_id
  UNION ALL SELECT sha256 FROM recusal WHERE round_id = :round_id
  UNION ALL SELECT sha256 FROM votes WHERE round_id = :round_id
)
SELECT count(*),
  encode(sha256(convert_to(coalesce(string_agg(encode(sha256, 'hex'), '' ORDER BY sha256), ''), 'UTF8')), 'hex')
FROM said
""")
COMPLETE = text("""
SELECT count(*) FROM unnest(CAST(:members AS text[])) AS member
WHERE :candidates <= COALESCE(
    (SELECT given FROM progress WHERE round_id = :round_id AND voice = 'board' AND voter = member), 0
  ) + (
    SELECT count(*) FROM recusal AS r
    WHERE r.round_id = :round_id AND r.holder = member AND NOT EXISTS (
      SELECT 1 FROM judgement AS j
      WHERE j.round_id = :round_id AND j.voice = 'board' AND j.project_id = r.project_id AND j.voter = member
        AND j.counts
    )
  )
""")
GIVEN = text("SELECT voice, sum(given) FROM progress WHERE round_id = :round_id GROUP BY voice")
ROOM = ("SET LOCAL work_mem = '128MB'", "SET LOCAL max_parallel_workers_per_gather = 4", "SET LOCAL jit = off")


async def make_room(session: AsyncSession) -> None:
    """Let the statements of this transaction sort and group in memory, and by several workers."""
    for setting in ROOM:
        await (await session.connection()).execute(text(setting))


async def tallies(
    session: AsyncSession, round_id: str, voice: str, criteria: int, projects: Sequence[str] | None = None
) -> dict[str, Tally]:
    """Count the newest judgements of one voice by candidate, without those of the recused.

    Args:
        criteria: how many the round has.
        projects: the candidates to look at; without them, all.
    """
    columns = ", ".join(f"ARRAY[{', '.join(each.format(n=n + 1) for n in range(criteria))}]" for each in EACH)
    said: dict[str, Any] = {"round_id": round_id, "voice": voice}
    if projects is not None:
        said["projects"] = list(projects)
    statement = text(TALLIES.format(columns=columns, only="" if projects is None else ONLY))
    rows = await (await session.connection()).execute(statement, said)
    return {row[0]: Tally(row[1], *(tuple(int(number) for number in part) for part in row[2:])) for row in rows}


async def fingerprint(session: AsyncSession, round_id: str) -> tuple[int, str]:
    """How many assessments, ballots, recusals and counts there are, all versions, and the hash of all their hashes."""
    row = (await (await session.connection()).execute(FINGERPRINT, {"round_id": round_id})).one()
    return int(row[0]), str(row[1])


async def complete_voters(session: AsyncSession, round_id: str, members: Sequence[str], candidates: int) -> int:
    """How many members have scored every candidate of the round, or recused themselves."""
    said = {"round_id": round_id, "members": list(members), "candidates": candidates}
    return int((await (await session.connection()).execute(COMPLETE, said)).scalar_one())


async def given(session: AsyncSession, round_id: str) -> dict[str, int]:
    """How many pairs of holder and candidate each voice has judged."""
    rows = await (await session.connection()).execute(GIVEN, {"round_id": round_id})
    return {row[0]: int(row[1]) for row in rows}
