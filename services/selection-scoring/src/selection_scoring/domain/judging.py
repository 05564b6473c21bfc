"""Who may say what in a round, and when: assessments, ballots, votes, recusals.

A judgement on time is one that was given at or before the deadline. Whatever a holder said on a candidate from which
they are recused does not count, said before or after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from selection_scoring.domain.rounds import ASSESSMENTS, AT, BOARD, Denial, Fault, Round

ROLE_OF_FORUM = "forum"
ROLE_OF_OTHERS = "advisory_board"
TAKEN = {
    "assessment": "Assessments are taken between the opening and the beginning of the ballots.",
    "ballot": "Ballots are taken from the moment when the board begins to vote until the closing.",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """One holder's scores of one candidate: an assessment, or the ballot of a voice."""

    round_id: str
    voice: str
    """``assessments``, ``board`` or another voice of the round."""
    voter: str
    project_id: str
    version: int
    scores: tuple[int, ...]
    """In the order of the round's criteria."""
    comment: str
    at: datetime
    sha256: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a holder wants to say about a candidate."""

    voice: str
    voter: str
    roles: frozenset[str]
    project_id: str
    recused: bool
    listed: bool
    """Whether the project is a candidate of the round."""


def counts(content: Mapping[str, Any], voice: str, voter: str, at: datetime) -> bool:
    """Whether a judgement is on time and its holder may speak with this voice, as the frozen content says.

    What is late or foreign is refused; if it stood among the facts all the same, it would be kept and not counted, and
    would replace nothing.
    """
    until = content["assessments_until" if voice == ASSESSMENTS else "ballots_until"]
    who = {ASSESSMENTS: "assessors", BOARD: "electorate"}.get(voice)
    known = voter in content[who] if who else any(row["voice"] == voice for row in content["voices"])
    return known and at <= datetime.fromisoformat(until)


def may_judge(round: Round, said: Said, now: datetime) -> Denial | None:
    """Late, foreign and recused judgements are refused, and those on unknown candidates."""
    return _no_candidate(said) or _foreign(round, said) or _late(round, said.voice, now) or _recused(said)


def _no_candidate(said: Said) -> Denial | None:
    return None if said.listed else Denial("unknown", "The round has no such candidate.")


def _foreign(round: Round, said: Said) -> Denial | None:
    if said.voice == ASSESSMENTS:
        known = said.voter in round.content["assessors"]
        return None if known else Denial("forbidden", "You are no assessor of this round.")
    voice = round.voice(said.voice)
    if voice is None:
        return Denial("unknown", "The round has no such voice.")
    if said.voice == BOARD:
        known = "board" in said.roles and said.voter in round.content["electorate"]
        return None if known else Denial("forbidden", "You are not in the electorate of this round.")
    if role_of(said.voice) not in said.roles:
        return Denial("forbidden", f"The voice {said.voice} needs the role {role_of(said.voice)}.")
    if voice["kind"] != "scores":
        return Denial("conflict", "The votes of this voice are counted; the unit records the count.")
    return None


def role_of(voice: str) -> str:
    """Who speaks with a voice beside the board's."""
    return ROLE_OF_FORUM if voice == "forum" else ROLE_OF_OTHERS


def _late(round: Round, voice: str, now: datetime) -> Denial | None:
    if voice == ASSESSMENTS:
        return late(round, "assessment", round.assessments_until, now)
    return late(round, "ballot", round.ballots_until, now)


def late(round: Round, stage: str, until: datetime, now: datetime) -> Denial | None:
    """Not in this stage, or after the deadline."""
    if round.stage != stage:
        return Denial("conflict", f"{AT[round.stage]} {TAKEN[stage]}")
    if now > until:
        return Denial("conflict", f"This was taken until {until.isoformat()}.")
    return None


def _recused(said: Said) -> Denial | None:
    return Denial("conflict", "You are recused from this candidate.") if said.recused else None


def fault_in_scores(round: Round, scores: Mapping[str, int]) -> Fault | None:
    """Why these scores are no judgement: a missing criterion, an unknown one, a score off the scale."""
    least, most = round.content["scale_min"], round.content["scale_max"]
    for criterion in round.criteria:
        if criterion not in scores:
            return Fault("FIELD_MISSING", f"$.scores.{criterion}", "Score every criterion of the round.")
    for criterion, score in scores.items():
        if criterion not in round.criteria:
            return Fault("FIELD_VALUE_INVALID", f"$.scores.{criterion}", "The round has no such criterion.")
        if not least <= score <= most:
            return Fault("FIELD_VALUE_INVALID", f"$.scores.{criterion}", f"The scale goes from {least} to {most}.")
    return None


def next_version(known: Judgement | None, scores: Sequence[int], comment: str) -> int | None:
    """The version of what is said now; ``None`` if it was said already."""
    if known is None:
        return 1
    if (tuple(known.scores), known.comment) == (tuple(scores), comment):
        return None
    return known.version + 1


def may_recuse(round: Round, holder: str, declared_by: str, chief: bool) -> Denial | None:
    """Holders declare their own bias, the CDO that of others, until the ballots are counted."""
    if holder != declared_by and not chief:
        return Denial("forbidden", "Only the CDO declares the recusal of somebody else.")
    if round.stage not in ("frozen", "assessment", "ballot"):
        return Denial("conflict", f"{AT[round.stage]} Recusals are taken until the ballots are counted.")
    return None
