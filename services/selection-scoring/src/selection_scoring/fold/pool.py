"""The pool of candidates."""

from sqlmodel.ext.asyncio.session import AsyncSession

from oker_contracts import Contract
from oker_contracts.selection.candidate_delisted_v1 import CandidateDelistedV1
from oker_contracts.selection.candidate_listed_v2 import NO_PROFILE, CandidateListedV2
from selection_scoring.domain.pool import Candidate
from selection_scoring.fold.log import Fold
from selection_scoring.store import pool


async def listed(session: AsyncSession, fact: CandidateListedV2) -> None:
    """A version enters the pool. Before there were profiles every registered project was listed; those do not count."""
    if fact.profile_sha256 == NO_PROFILE:
        return
    candidate = Candidate(
        project_id=fact.project_id,
        version=fact.version,
        title=fact.title,
        fields_of_action=tuple(fact.fields_of_action),
        costs=fact.costs,
        profile_sha256=fact.profile_sha256,
    )
    await pool.put(session, candidate, fact.listed_at)


async def delisted(session: AsyncSession, fact: CandidateDelistedV1) -> None:
    """A project leaves the pool."""
    await pool.take_out(session, fact.project_id, fact.version, fact.delisted_at)


POOL: dict[type[Contract], Fold] = {CandidateListedV2: listed, CandidateDelistedV1: delisted}
