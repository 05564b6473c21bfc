"""Exact means and scores; nothing is rounded.

* The *mean* of a criterion is taken over the counted ballots of a voice, on the scale as it was cast.
* Where less is better the mean is *mirrored* when it is weighted: ``scale_min + scale_max - mean``.
* A voice of votes is put on the scale: ``scale_min + (scale_max - scale_min) * votes / most votes``; the same for
  each criterion.
* A candidate that a voice did not score has 0 there, which is below the scale.
* The *value* of a criterion is the sum over the voices of weight times (mirrored) mean. The *score* is the sum over the
  criteria of weight times value. It is linear in the weights, which stability and acceptability rest on.
* Assessments never enter the score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from oker_decision.model import Candidate, Round, Tallies, Tally, Voice
from oker_decision.reading import Invalid

ZERO = Fraction(0)
ASSESSMENTS = "assessments"
BOARD = "board"
NOTHING: Mapping[str, Tally | int] = {}


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with its numbers; tuples in the order of the criteria."""

    project_id: str
    score: Fraction
    values: tuple[Fraction, ...]
    """What is weighted: all voices together, mirrored where less is better. Greater is better."""
    board: tuple[Fraction, ...]
    """The board's means, mirrored where less is better; they break ties."""
    voices: Mapping[str, Fraction]
    """What each voice by itself would score."""


def score_all(round: Round, candidates: Sequence[Candidate], tallies: Tallies) -> list[Scored]:
    """The numbers of each candidate, in the order of the candidates.

    Raises:
        Invalid: if a tally is of an unknown voice or project, or cannot be: naming its place in the tallies.
    """
    check(round, candidates, tallies)
    most = {voice.voice: max(_votes(tallies, voice).values(), default=0) for voice in round.voices}
    return [_score(round, candidate.project_id, tallies, most) for candidate in candidates]


def _votes(tallies: Tallies, voice: Voice) -> dict[str, int]:
    return {name: said for name, said in tallies.get(voice.voice, NOTHING).items() if isinstance(said, int)}


def _score(round: Round, project: str, tallies: Tallies, most: Mapping[str, int]) -> Scored:
    weights = [row.weight for row in round.criteria]
    values = [ZERO] * len(weights)
    voices: dict[str, Fraction] = {}
    board = (ZERO,) * len(weights)
    for voice in round.voices:
        means = _weighable(round, tallies.get(voice.voice, NOTHING).get(project), most[voice.voice])
        voices[voice.voice] = total(weights, means)
        if voice.voice == BOARD:
            board = means
        if voice.weight:
            values = [value + voice.weight * mean for value, mean in zip(values, means, strict=True)]
    score = sum((voice.weight * voices[voice.voice] for voice in round.voices if voice.weight), ZERO)
    return Scored(project, score, tuple(values), board, voices)


def _weighable(round: Round, said: Tally | int | None, most: int) -> tuple[Fraction, ...]:
    """What a voice says of a candidate, one number for each criterion, greater is better."""
    if isinstance(said, int):
        share = Fraction(said, most) if most else ZERO
        return (round.scale_min + (round.scale_max - round.scale_min) * share,) * len(round.criteria)
    if said is None or said.count == 0:
        return (ZERO,) * len(round.criteria)
    ends = (round.scale_min + round.scale_max) * said.count
    sums = [
        ends - points if row.direction == "min" else points
        for row, points in zip(round.criteria, said.sums, strict=True)
    ]
    return tuple(Fraction(points, said.count) for points in sums)


def total(weights: Sequence[Fraction], values: Sequence[Fraction]) -> Fraction:
    """The weighted sum."""
    return sum((weight * value for weight, value in zip(weights, values, strict=True)), ZERO)


def means(tally: Tally) -> tuple[Fraction, ...]:
    """The mean of each criterion on the scale as it was cast; zeros without a ballot."""
    return tuple(Fraction(points, tally.count or 1) for points in tally.sums)


def variances(tally: Tally) -> tuple[Fraction, ...]:
    """The variance of each criterion over all who judged (divided by their number), in squared points."""
    count = tally.count or 1
    pairs = zip(tally.sums, tally.squares, strict=True)
    return tuple(Fraction(squares, count) - Fraction(points, count) ** 2 for points, squares in pairs)


def discussed(round: Round, assessed: Tally | None) -> bool:
    """Whether assessors lie so far apart in a criterion that the board talks about it first."""
    if assessed is None or assessed.count == 0:
        return False
    pairs = zip(assessed.least, assessed.greatest, strict=True)
    return any(greatest - least >= round.discussion_spread for least, greatest in pairs)


def check(round: Round, candidates: Sequence[Candidate], tallies: Tallies) -> None:
    """Refuse tallies that no ballots of this round could have."""
    kinds = {voice.voice: voice.kind for voice in round.voices} | {ASSESSMENTS: "scores"}
    projects = {candidate.project_id for candidate in candidates}
    for voice, row in tallies.items():
        if voice not in kinds:
            raise Invalid(f"$.{voice}", f"The round has no such voice; it has {', '.join(sorted(kinds))}.")
        for project, said in row.items():
            fault = "The round has no such candidate." if project not in projects else _fault(round, kinds[voice], said)
            if fault:
                raise Invalid(f"$.{voice}.{project}", fault)


def _fault(round: Round, kind: str, said: Tally | int) -> str | None:
    if isinstance(said, int):
        return "Votes are 0 or more, and for a voice of votes only." if kind != "votes" or said < 0 else None
    if kind != "scores":
        return "This voice counts votes; give their number."
    if said.count < 0 or any(len(part) != len(round.criteria) for part in _parts(said)):
        return "A tally has one number for each criterion."
    rows = zip(said.sums, said.least, said.greatest, strict=True)
    if said.count and any(not _possible(round, said.count, *row) for row in rows):
        return f"The points do not fit {said.count} ballots on a scale from {round.scale_min} to {round.scale_max}."
    return None


def _parts(said: Tally) -> tuple[tuple[int, ...], ...]:
    return said.sums, said.least, said.greatest, said.squares


def _possible(round: Round, count: int, points: int, least: int, greatest: int) -> bool:
    return round.scale_min <= least <= greatest <= round.scale_max and least * count <= points <= greatest * count
