"""A round and its stages: frozen → assessment → ballot → closed → decided; cancelled from each but the last.

A round of the first edition of the procedure (``selection.round_opened.v1``) is ``archived`` and can only be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Stage = Literal["frozen", "assessment", "ballot", "closed", "decided", "cancelled", "archived"]
RUNNING: tuple[Stage, ...] = ("frozen", "assessment", "ballot", "closed")
"""Stages in which a round holds its candidates."""
BOARD, ASSESSMENTS = "board", "assessments"


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

    reason: Literal["FIELD_MISSING", "FIELD_VALUE_INVALID", "NUMBER_OUT_OF_RANGE"]
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


def may_call_ballots(round: Round, short: int, reason: str, now: datetime) -> Denial | None:
    """The board begins after the deadline of the assessments, or earlier if all are there and the round allows it.

    Args:
        short: how many candidates have fewer assessments than the round asks for.
        reason: why the board begins although some are short.
    """
    if denial := _in_stage(round, "assessment", "The board votes after the assessments."):
        return denial
    over = now > round.assessments_until
    if not over and not round.content["may_end_early"]:
        return Denial("conflict", f"Assessments are taken until {round.content['assessments_until']}.")
    if not over and short:
        least, until = round.content["min_assessments"], round.content["assessments_until"]
        return Denial(
            "conflict", f"Candidates with fewer than {least} assessments: {short}. Wait for them, or until {until}."
        )
    if short and not reason:
        least = round.content["min_assessments"]
        return Denial("conflict", f"Candidates with fewer than {least} assessments: {short}. Give a reason to go on.")
    return None


def may_cancel(round: Round) -> Denial | None:
    """A round is given up before the board has decided."""
    if round.stage in RUNNING:
        return None
    return Denial("conflict", f"The round is {round.stage}; it cannot be cancelled.")


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
    return Denial("conflict", f"The round is {round.stage}. {sentence}")
