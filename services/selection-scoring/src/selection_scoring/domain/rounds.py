"""A round and its stages: frozen → assessment → ballot → closed → decided; cancelled from each but the last.

A round of the first edition of the procedure (``selection.round_opened.v1``) is ``archived`` and can only be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Stage = Literal["frozen", "assessment", "ballot", "closed", "decided", "cancelled", "archived"]
RUNNING: tuple[Stage, ...] = ("frozen", "assessment", "ballot", "closed")
"""Stages in which a round holds its candidates."""
BOARD, ASSESSMENTS = "board", "assessments"
AT: Mapping[Stage, str] = {
    "frozen": "The round is frozen and not open yet.",
    "assessment": "The round is taking assessments.",
    "ballot": "The board is voting in this round.",
    "closed": "The round is closed; its result is computed.",
    "decided": "The board has decided on this round.",
    "cancelled": "The round was cancelled.",
    "archived": "The round is of the first edition of the procedure and can only be read.",
}
"""Each stage as a sentence."""
NAMED = 10
"""Projects that one sentence names."""


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request cannot be met as things stand.

    ``unknown``: there is no such thing; ``forbidden``: not by this holder; ``conflict``: not in this state.
    """

    kind: Literal["unknown", "forbidden", "conflict"]
    sentence: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a request: the name of an ``oker_contracts.Reason``, a JSON path, a sentence."""

    reason: Literal["FIELD_MISSING", "FIELD_VALUE_INVALID"]
    path: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Round:
    """A round as it was frozen, and how far it is."""

    round_id: str
    content: Mapping[str, Any]
    """Everything a result depends on, see ``RoundContent``; its hash is ``frozen_sha256``."""
    frozen_sha256: str
    stage: Stage
    parts: int
    frozen_by: str
    frozen_at: datetime
    discuss: tuple[str, ...] = ()
    assessed_from: datetime | None = None
    voted_from: datetime | None = None
    ended_at: datetime | None = None

    @property
    def criteria(self) -> list[str]:
        return [row["criterion"] for row in self.content["criteria"]]

    @property
    def assessments_until(self) -> datetime:
        return datetime.fromisoformat(self.content["assessments_until"])

    @property
    def ballots_until(self) -> datetime:
        return datetime.fromisoformat(self.content["ballots_until"])

    def voice(self, name: str) -> Mapping[str, Any] | None:
        """The voice of this name."""
        return next((row for row in self.content["voices"] if row["voice"] == name), None)


def may_open(round: Round, frozen_sha256: str) -> Denial | None:
    """Assessments begin once, on the very content that was frozen."""
    if round.frozen_sha256 != frozen_sha256:
        return Denial(
            "conflict", "The round was frozen with another hash; look at the round, and send its frozen_sha256."
        )
    return _in_stage(round, "frozen", "Only a frozen round is opened.")


def needed(round: Round, recused: int) -> int:
    """How many assessments a candidate needs: not more than there are assessors who are not recused from it."""
    least, assessors = int(round.content["min_assessments"]), len(round.content["assessors"])
    return min(least, assessors - recused)


def named(project_ids: Sequence[str]) -> str:
    """The first of these projects, and how many more there are."""
    more = len(project_ids) - NAMED
    return ", ".join(project_ids[:NAMED]) + (f" and {more} more" if more > 0 else "")


def may_call_ballots(round: Round, short: Sequence[str], reason: str, now: datetime) -> Denial | None:
    """The board begins after the deadline of the assessments, or earlier if all are there and the round allows it.

    Args:
        short: the candidates that have fewer assessments than they need.
        reason: why the board begins although some are short.
    """
    if denial := _in_stage(round, "assessment", "The board votes after the assessments."):
        return denial
    over = now > round.assessments_until
    if not over and not round.content["may_end_early"]:
        return Denial("conflict", f"Assessments are taken until {round.content['assessments_until']}.")
    if not over and short:
        until = round.content["assessments_until"]
        return Denial("conflict", f"{_too_few(short)} Wait for them, or until {until}.")
    if short and not reason:
        return Denial("conflict", f"{_too_few(short)} Give a reason to go on.")
    return None


def _too_few(short: Sequence[str]) -> str:
    return f"Candidates with too few assessments: {len(short)} ({named(short)})."


def may_cancel(round: Round) -> Denial | None:
    """A round is given up before the board has decided."""
    if round.stage in RUNNING:
        return None
    return Denial("conflict", f"{AT[round.stage]} It cannot be cancelled.")


def may_be_decided(round: Round) -> Denial | None:
    """The board decides on a computed result; what was decided may be said again."""
    if round.stage in ("closed", "decided"):
        return None
    return Denial("conflict", f"{AT[round.stage]} The board decides after the closing.")


def may_close(round: Round, complete: int, now: datetime) -> Denial | None:
    """Ballots are counted after their deadline, or when every member is done and the round allows it.

    Args:
        complete: how many members of the electorate have scored every candidate, or recused themselves.
    """
    if denial := _in_stage(round, "ballot", "Only a round in which the board votes is closed."):
        return denial
    if now <= round.ballots_until and not (
        round.content["may_end_early"] and complete == len(round.content["electorate"])
    ):
        done = f"Members who are done: {complete} of {len(round.content['electorate'])}"
        return Denial("conflict", f"Ballots are taken until {round.content['ballots_until']}. {done}.")
    if complete < round.content["quorum"]:
        quorum = round.content["quorum"]
        return Denial("conflict", f"Members who have scored every candidate: {complete}; the quorum is {quorum}.")
    return None


def _in_stage(round: Round, stage: Stage, sentence: str) -> Denial | None:
    if round.stage == stage:
        return None
    return Denial("conflict", f"{AT[round.stage]} {sentence}")
