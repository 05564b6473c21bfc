"""The uniform procedure of selection (strategy, 4.4): criteria, ballots, exact ranking.

The rules, in one place:

* A ballot is one voter's scores of one candidate, one whole number for each criterion.
* A candidate's mean for a criterion is taken over its ballots; its score is the weighted sum of the means.
  A candidate without a ballot scores 0. All numbers are fractions, nothing is rounded.
* A voter counts for the quorum who scored *every* candidate. So each mean rests on at least ``quorum``
  judgements, and no candidate wins because one friend scored it and everybody else left it out. Ballots of
  other voters count in the means as well.
* Equal scores share a rank, and the next rank is left out (1, 1, 3).
* Where a tie would share the last seat, the greater mean of the first criterion decides (Bürgernutzen comes
  first, S4.4-1), then of the second, and so on; at last a lot that was drawn when the round was frozen,
  before anybody cast a ballot.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from hashlib import sha256
from typing import Any, Literal

SCALE = (1, 5)
Canonical = Callable[[Any], bytes]
"""Turns JSON values into their one canonical text (RFC 8785)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A project in the pool."""

    project_id: str
    title: str
    fields_of_action: tuple[str, ...]
    listed_at: datetime


@dataclass(frozen=True, slots=True)
class Criterion:
    """A selection criterion with its share of the total."""

    criterion: str
    title: str
    weight: Fraction


FOUR_CRITERIA = (
    Criterion("buergernutzen", "Bürgernutzen", Fraction(2, 5)),
    Criterion("kosten-nutzen-verhaeltnis", "Kosten-Nutzen-Verhältnis", Fraction(1, 5)),
    Criterion("strategische-wirkung", "Strategische Wirkung", Fraction(1, 5)),
    Criterion("aussenwirkung", "Außenwirkung", Fraction(1, 5)),
)
"""The criteria of S4.4-1; Bürgernutzen first, in order and in weight."""


@dataclass(frozen=True, slots=True)
class Round:
    """Everything a ranking depends on besides the ballots; never changes after it was opened."""

    round_id: str
    title: str
    criteria: tuple[Criterion, ...]
    scale_min: int
    scale_max: int
    candidates: tuple[str, ...]
    electorate: tuple[str, ...]
    quorum: int
    seats: int


@dataclass(frozen=True, slots=True)
class OpenedRound:
    """A round with its fingerprint."""

    round: Round
    frozen_sha256: str
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Ballot:
    """One voter's scores of one candidate; a later version replaces the earlier one."""

    voter: str
    project_id: str
    version: int
    scores: Mapping[str, int]
    cast_at: datetime


@dataclass(frozen=True, slots=True)
class Ranked:
    """One line of the ranking."""

    rank: int
    project_id: str
    score: Fraction
    ballots: int
    selected: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of a closed round."""

    round_id: str
    ballots_sha256: str
    ranking: tuple[Ranked, ...]
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a request: the name of an ``oker_contracts.Reason``, a JSON path, a sentence."""

    reason: Literal["FIELD_MISSING", "FIELD_VALUE_INVALID", "NUMBER_OUT_OF_RANGE"]
    path: str
    sentence: str


def fault_in_round(round: Round, pool: Iterable[str]) -> Fault | None:
    """Why a round cannot be opened as asked for."""
    return (
        _first_repeated("$.criteria", [row.criterion for row in round.criteria])
        or _first_repeated("$.candidates", round.candidates)
        or _first_repeated("$.electorate", round.electorate)
        or _first_outside("$.candidates", round.candidates, frozenset(pool))
        or _fault_in_weights(round.criteria)
        or _fault_in_quorum(round)
    )


def _first_repeated(path: str, names: Sequence[str]) -> Fault | None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            return Fault("FIELD_VALUE_INVALID", f"{path}[{index}]", "This stands in the list twice.")
        seen.add(name)
    return None


def _first_outside(path: str, names: Sequence[str], pool: frozenset[str]) -> Fault | None:
    for index, name in enumerate(names):
        if name not in pool:
            return Fault("FIELD_VALUE_INVALID", f"{path}[{index}]", "The pool has no such candidate.")
    return None


def _fault_in_weights(criteria: Sequence[Criterion]) -> Fault | None:
    for index, criterion in enumerate(criteria):
        if criterion.weight <= 0:
            return Fault("FIELD_VALUE_INVALID", f"$.criteria[{index}].weight", "A weight is greater than 0.")
    if sum(criterion.weight for criterion in criteria) != 1:
        return Fault("FIELD_VALUE_INVALID", "$.criteria", "The weights add up to exactly 1.")
    return None


def _fault_in_quorum(round: Round) -> Fault | None:
    if round.quorum > len(round.electorate):
        return Fault("FIELD_VALUE_INVALID", "$.quorum", "The quorum is larger than the electorate.")
    return None


def in_order(round: Round) -> Round:
    """The same round with candidates and electorate sorted: the order of a request makes no difference.

    The order of the criteria stays: it decides ties.
    """
    return replace(round, candidates=tuple(sorted(round.candidates)), electorate=tuple(sorted(round.electorate)))


def freeze(round: Round, canonical: Canonical, now: datetime) -> OpenedRound:
    """Fix the content of a round by its fingerprint, see ``RoundOpenedV1.frozen_sha256``."""
    return OpenedRound(round, sha256(canonical(content(round))).hexdigest(), now)


def content(round: Round) -> dict[str, object]:
    """The round as JSON values, as its event says them and its fingerprint covers them."""
    return {
        "round_id": round.round_id,
        "title": round.title,
        "criteria": [
            {"criterion": row.criterion, "title": row.title, "weight": str(row.weight)} for row in round.criteria
        ],
        "scale_min": round.scale_min,
        "scale_max": round.scale_max,
        "candidates": list(round.candidates),
        "electorate": list(round.electorate),
        "quorum": round.quorum,
        "seats": round.seats,
    }


def fault_in_scores(round: Round, scores: Mapping[str, int]) -> Fault | None:
    """Why these scores are no ballot: a missing criterion, an unknown one, a score off the scale."""
    for row in round.criteria:
        if row.criterion not in scores:
            return Fault("FIELD_MISSING", f"$.scores.{row.criterion}", "Score every criterion of the round.")
    known = {row.criterion for row in round.criteria}
    for criterion, score in scores.items():
        if criterion not in known:
            return Fault("FIELD_VALUE_INVALID", f"$.scores.{criterion}", "The round has no such criterion.")
        if not round.scale_min <= score <= round.scale_max:
            scale = f"The scale goes from {round.scale_min} to {round.scale_max}."
            return Fault("NUMBER_OUT_OF_RANGE", f"$.scores.{criterion}", scale)
    return None


def cast(voter: str, project_id: str, scores: Mapping[str, int], known: Ballot | None, now: datetime) -> Ballot:
    """The ballot that replaces ``known``; ``known`` itself if the scores are the same."""
    if known is not None and dict(known.scores) == dict(scores):
        return known
    version = known.version + 1 if known else 1
    return Ballot(voter, project_id, version, dict(scores), now)


def complete_voters(round: Round, ballots: Iterable[Ballot]) -> int:
    """How many voters scored every candidate; these count for the quorum."""
    scored: dict[str, set[str]] = {}
    for ballot in ballots:
        scored.setdefault(ballot.voter, set()).add(ballot.project_id)
    return sum(projects >= set(round.candidates) for projects in scored.values())


def close(
    opened: OpenedRound, ballots: Sequence[Ballot], canonical: Canonical, decided_by: str, now: datetime
) -> Decision:
    """Rank the candidates and fix the counted ballots by their fingerprint."""
    return Decision(
        round_id=opened.round.round_id,
        ballots_sha256=ballots_fingerprint(ballots, canonical),
        ranking=rank(opened, ballots),
        decided_by=decided_by,
        decided_at=now,
    )


def ballots_fingerprint(ballots: Iterable[Ballot], canonical: Canonical) -> str:
    """See ``DecisionTakenV1.ballots_sha256``; each ballot as voter, project_id, version and scores."""
    counted: list[object] = [
        {"voter": row.voter, "project_id": row.project_id, "version": row.version, "scores": dict(row.scores)}
        for row in sorted(ballots, key=lambda row: (row.voter, row.project_id))
    ]
    return sha256(canonical(counted)).hexdigest()


def rank(opened: OpenedRound, ballots: Iterable[Ballot]) -> tuple[Ranked, ...]:
    """All candidates, best first, see the rules above. Expects one ballot for a voter and candidate."""
    criteria = opened.round.criteria
    cast_for: dict[str, list[Ballot]] = {project_id: [] for project_id in opened.round.candidates}
    for ballot in ballots:
        cast_for[ballot.project_id].append(ballot)
    means = {project_id: _means(criteria, rows) for project_id, rows in cast_for.items()}
    scores = {project_id: _score(criteria, row) for project_id, row in means.items()}
    order = sorted(
        cast_for, key=lambda name: (scores[name], means[name], _lot(opened.frozen_sha256, name)), reverse=True
    )
    return tuple(
        Ranked(
            rank=1 + sum(score > scores[project_id] for score in scores.values()),
            project_id=project_id,
            score=scores[project_id],
            ballots=len(cast_for[project_id]),
            selected=place < opened.round.seats,
        )
        for place, project_id in enumerate(order)
    )


def _means(criteria: Sequence[Criterion], ballots: Sequence[Ballot]) -> tuple[Fraction, ...]:
    if not ballots:
        return tuple(Fraction(0) for _ in criteria)
    return tuple(Fraction(sum(ballot.scores[row.criterion] for ballot in ballots), len(ballots)) for row in criteria)


def _score(criteria: Sequence[Criterion], means: Sequence[Fraction]) -> Fraction:
    return sum((row.weight * mean for row, mean in zip(criteria, means, strict=True)), Fraction(0))


def _lot(frozen_sha256: str, project_id: str) -> str:
    return sha256(f"{frozen_sha256}\x00{project_id}".encode()).hexdigest()


def recompute(opened: Mapping[str, Any], ballots: Iterable[Mapping[str, Any]]) -> tuple[Ranked, ...]:
    """The ranking from the events alone, in whatever order and however often they come.

    Args:
        opened: the data of ``selection.round_opened.v1``, as JSON values.
        ballots: the data of ``selection.ballot_cast.v1``; those of other rounds, or cast on another content
            of this one, do not count.
    """
    return rank(opened_from(opened), counted(opened, ballots))


def opened_from(said: Mapping[str, Any]) -> OpenedRound:
    """The round that ``selection.round_opened.v1`` tells of, see :func:`content`."""
    round = Round(
        round_id=said["round_id"],
        title=said["title"],
        criteria=tuple(Criterion(row["criterion"], row["title"], Fraction(row["weight"])) for row in said["criteria"]),
        scale_min=said["scale_min"],
        scale_max=said["scale_max"],
        candidates=tuple(said["candidates"]),
        electorate=tuple(said["electorate"]),
        quorum=said["quorum"],
        seats=said["seats"],
    )
    return OpenedRound(round, said["frozen_sha256"], datetime.fromisoformat(said["opened_at"]))


def counted(opened: Mapping[str, Any], ballots: Iterable[Mapping[str, Any]]) -> list[Ballot]:
    """The newest version of each voter's ballot for each candidate of the round."""
    newest: dict[tuple[str, str], Ballot] = {}
    for said in ballots:
        if any(said[name] != opened[name] for name in ("round_id", "frozen_sha256")):
            continue
        ballot = _ballot_from(said)
        known = newest.get((ballot.voter, ballot.project_id))
        if known is None or known.version < ballot.version:
            newest[ballot.voter, ballot.project_id] = ballot
    return list(newest.values())


def _ballot_from(said: Mapping[str, Any]) -> Ballot:
    return Ballot(
        voter=said["voter"],
        project_id=said["project_id"],
        version=said["version"],
        scores=dict(said["scores"]),
        cast_at=datetime.fromisoformat(said["cast_at"]),
    )
