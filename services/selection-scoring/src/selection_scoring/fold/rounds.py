"""Rounds, from the criteria to the decision."""

from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from oker_contracts import Contract
from oker_contracts.selection.assessment_given_v1 import AssessmentGivenV1
from oker_contracts.selection.ballot_cast_v1 import BallotCastV1
from oker_contracts.selection.ballot_cast_v2 import BallotCastV2
from oker_contracts.selection.candidates_frozen_v1 import CandidatesFrozenV1, FrozenCandidate
from oker_contracts.selection.criteria_recorded_v1 import CriteriaRecordedV1
from oker_contracts.selection.decision_taken_v2 import DecisionTakenV2
from oker_contracts.selection.recusal_declared_v1 import RecusalDeclaredV1
from oker_contracts.selection.result_recorded_v1 import ResultRecordedV1
from oker_contracts.selection.round_closed_v1 import RoundClosedV1
from oker_contracts.selection.round_frozen_v1 import RoundFrozenV1
from oker_contracts.selection.round_moved_v1 import RoundMovedV1
from oker_contracts.selection.round_opened_v1 import RoundOpenedV1
from oker_contracts.selection.votes_counted_v1 import VotesCountedV1
from selection_scoring.domain import judging
from selection_scoring.domain.judging import Judgement
from selection_scoring.domain.pool import Candidate
from selection_scoring.domain.rounds import ASSESSMENTS, Round
from selection_scoring.fold.log import Fold
from selection_scoring.store import criteria, judgements, results, rounds, votes

CANDIDATES_IN_A_PART, LINES_IN_A_PART = 1000, 250
"""As many as one event holds at most; places of candidates and lines follow from them."""


async def criteria_recorded(session: AsyncSession, fact: CriteriaRecordedV1) -> None:
    """A set has a further version."""
    said = {**fact.model_dump(exclude={"log"}), "criteria": [row.model_dump() for row in fact.criteria]}
    await criteria.put(session, said)


async def round_frozen(session: AsyncSession, fact: RoundFrozenV1) -> None:
    """A round is there."""
    said = {name: getattr(fact, name) for name in ("round_id", "content", "frozen_sha256", "parts")}
    await rounds.put(session, Round(**said, stage="frozen", frozen_by=fact.frozen_by, frozen_at=fact.frozen_at))


async def candidates_frozen(session: AsyncSession, fact: CandidatesFrozenV1) -> None:
    """Some of its candidates."""
    first = (fact.part - 1) * CANDIDATES_IN_A_PART
    await rounds.put_candidates(session, fact.round_id, first, [_candidate(row) for row in fact.candidates])


def _candidate(row: FrozenCandidate) -> Candidate:
    return Candidate(**{**row.model_dump(), "fields_of_action": tuple(row.fields_of_action)})


async def round_moved(session: AsyncSession, fact: RoundMovedV1) -> None:
    """It is in its next stage."""
    time = {"assessment": "assessed_from", "ballot": "voted_from", "cancelled": "ended_at"}[fact.stage]
    changes: dict[str, Any] = {"stage": fact.stage, time: fact.moved_at}
    if fact.stage == "ballot":
        changes["discuss"] = fact.discuss
    await rounds.move(session, fact.round_id, **changes)


async def assessment_given(session: AsyncSession, fact: AssessmentGivenV1) -> None:
    """An assessor has spoken."""
    await _judged(session, fact, ASSESSMENTS, fact.assessor, fact.comment, fact.given_at)


async def ballot_cast(session: AsyncSession, fact: BallotCastV2) -> None:
    """A voter has spoken."""
    await _judged(session, fact, fact.voice, fact.voter, "", fact.cast_at)


async def _judged(
    session: AsyncSession, fact: AssessmentGivenV1 | BallotCastV2, voice: str, voter: str, comment: str, at: Any
) -> None:
    content = await rounds.content(session, fact.round_id)
    scores = tuple(fact.scores[row["criterion"]] for row in content["criteria"])
    place = (fact.round_id, voice, voter, fact.project_id, fact.version)
    judgement = Judgement(*place, scores, comment, at, fact.sha256)
    await judgements.put(session, judgement, judging.counts(content, voice, voter, at))


async def recusal_declared(session: AsyncSession, fact: RecusalDeclaredV1) -> None:
    """A holder does not judge a candidate."""
    await judgements.recuse(session, fact.model_dump(exclude={"frozen_sha256"}))


async def votes_counted(session: AsyncSession, fact: VotesCountedV1) -> None:
    """The count of a voice."""
    await votes.put(session, fact.model_dump(exclude={"frozen_sha256"}))


async def round_closed(session: AsyncSession, fact: RoundClosedV1) -> None:
    """Everything is counted."""
    await results.close(session, fact.model_dump(exclude={"frozen_sha256", "log"}))
    await rounds.move(session, fact.round_id, stage="closed", ended_at=fact.closed_at)


async def result_recorded(session: AsyncSession, fact: ResultRecordedV1) -> None:
    """Some lines of the result."""
    await results.put_lines(session, fact.round_id, (fact.part - 1) * LINES_IN_A_PART + 1, fact.lines)


async def decision_taken(session: AsyncSession, fact: DecisionTakenV2) -> None:
    """The board has decided. Before there was a log, a round was closed and decided at once."""
    await results.decide(session, fact.model_dump())
    if fact.log is not None:
        await rounds.move(session, fact.round_id, stage="decided")


async def round_opened(session: AsyncSession, fact: RoundOpenedV1) -> None:
    """A round of the first edition: it can be read."""
    content = fact.model_dump(mode="json", exclude={"opened_at", "frozen_sha256"})
    await rounds.put(
        session,
        Round(
            round_id=fact.round_id,
            content=content,
            frozen_sha256=fact.frozen_sha256,
            stage="archived",
            parts=0,
            frozen_by="",
            frozen_at=fact.opened_at,
        ),
    )


async def nothing(session: AsyncSession, fact: Contract) -> None:
    """Ballots of the first edition: their round can be read, and its decision; nobody counts them again here."""


ROUNDS: dict[type[Contract], Fold] = {
    CriteriaRecordedV1: criteria_recorded,
    RoundFrozenV1: round_frozen,
    CandidatesFrozenV1: candidates_frozen,
    RoundMovedV1: round_moved,
    AssessmentGivenV1: assessment_given,
    BallotCastV2: ballot_cast,
    RecusalDeclaredV1: recusal_declared,
    VotesCountedV1: votes_counted,
    RoundClosedV1: round_closed,
    ResultRecordedV1: result_recorded,
    DecisionTakenV2: decision_taken,
    RoundOpenedV1: round_opened,
    BallotCastV1: nothing,
}
