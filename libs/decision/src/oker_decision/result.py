"""The result of a round, from its frozen content, its candidates and the tallies of its ballots.

Exact numbers are texts such as ``"56/15"``. The same input gives the same result, byte for byte. The parts of a line:

* ``means``: of the board's ballots, on the scale as they were cast. ``voices``: what each voice by itself would score.
* ``assessments``: they inform and never enter the score; ``discussed`` where they lie far apart.
* ``comparisons``: TOPSIS and PROMETHEE II over the values that are weighted (all voices together, mirrored where less
  is better); null where the round does not ask for them, and PROMETHEE II above 1,000 candidates (250 with a Gaussian
  shape). Ranks are of what is written.
* ``acceptability``: in how many of N drawn weights the project was first, and among the selected. Null without samples;
  ``selected`` is null where not the ranking alone selects.
* ``why``: the fact that stood against the project, with its numbers; null for the selected. ``why_de`` and ``why_en``
  say it; their wording may be mended, so the fingerprint covers the fact and not the sentences.

``stability`` tells for each criterion how far its weight may move before the winner, or the set of the selected,
changes; ``selection`` is null where not the ranking alone selects. ``portfolio`` is null for seats; its ``at_most`` is
what no portfolio exceeds where the search was broken off (the value itself where only that among equals was), else
null; ``costs`` are EUR, a fraction as text where a share makes one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from oker_decision import stability
from oker_decision.acceptability import Counts, acceptability
from oker_decision.canonical import digest
from oker_decision.comparison import comparable, promethee_ii, topsis, written
from oker_decision.model import Approvals, Candidate, Portfolio, Round, Taken, Tallies, Tally
from oker_decision.outcome import Outcome, decide
from oker_decision.ranking import in_order, ranks, tie_places
from oker_decision.reading import Invalid
from oker_decision.reasons import Reason
from oker_decision.scoring import ASSESSMENTS, BOARD, NOTHING, Scored, discussed, means, score_all, variances
from oker_decision.sentences import Names, Sentence, elected, rejected, selected

Said = dict[str, Any]
CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
SENTENCES = ("why_de", "why_en")


def compute(
    content: Mapping[str, Any],
    candidates: Sequence[Mapping[str, Any]],
    tallies: Tallies,
    approvals: Approvals | None = None,
    taken: Taken | None = None,
) -> Said:
    """Rank, select, and say why.

    Args:
        content: the frozen content of the round.
        candidates: all that were frozen with it, sorted by ``project_id``.
        tallies: what each voice, and ``assessments``, gave to each project.
        approvals: the citizens' ballots, for their methods only.
        taken: a portfolio to look at instead of searching one, see :func:`oker_decision.portfolio.accepted`.

    Returns:
        JSON values: ``lines`` (by rank, then by what broke the tie), ``stability``, ``portfolio``.

    Raises:
        Invalid: naming the place in the content, the candidates or the tallies.
    """
    round = Round.read(content)
    frozen = read_candidates(round, candidates)
    order = in_order(score_all(round, frozen, tallies), round.frozen_sha256)
    outcome = decide(round, frozen, order, approvals or {}, taken)
    return {
        "lines": _lines(round, frozen, order, outcome, tallies),
        "stability": _stability(round, order),
        "portfolio": _portfolio(round, outcome.portfolio),
    }


def fingerprint(result: Said) -> str:
    """SHA-256 of the result without its sentences, as hexadecimal digits: ``result_sha256`` of a decision."""
    lines = [{name: part for name, part in row.items() if name not in SENTENCES} for row in result["lines"]]
    return digest({**result, "lines": lines})


def read_candidates(round: Round, said: Sequence[Mapping[str, Any]]) -> list[Candidate]:
    """The candidates, if they are those that were frozen."""
    found = [Candidate.read(row, f"$[{index}]") for index, row in enumerate(said)]
    names = [row.project_id for row in found]
    for index, (before, name) in enumerate(pairwise(names), start=1):
        if before >= name:
            raise Invalid(f"$[{index}].project_id", f"Sort by project_id, each once; {name} is out of order.")
    if len(found) != round.candidates or digest(list(said)) != round.candidates_sha256:
        raise Invalid("$", "These are not the candidates the round was frozen with: candidates_sha256 is another.")
    _check_named(round, frozenset(names))
    return found


def _check_named(round: Round, projects: frozenset[str]) -> None:
    selection = round.selection
    named = {
        "exclusions": [name for pair in selection.exclusions for name in pair],
        "dependencies": [name for pair in selection.dependencies for name in pair],
        "part_funding": [name for name, _ in selection.part_funding],
    }
    for part, names in named.items():
        for name in names:
            if name not in projects:
                raise Invalid(f"$.selection.{part}", f"{name} is no candidate of the round.")


def _lines(
    round: Round, candidates: Sequence[Candidate], order: Sequence[Scored], outcome: Outcome, tallies: Tallies
) -> list[Said]:
    known = {row.project_id: row for row in candidates}
    names = Names(
        {row.project_id: row.title for row in candidates},
        {row.criterion: row.title for row in round.criteria},
        frozenset(row.criterion for row in round.criteria if row.direction == "min"),
    )
    placed = ranks([row.score for row in order])
    compared = _compared(round, order)
    accepted = _accepted(round, order)
    lines: list[Said] = []
    for place, row in enumerate(order):
        share = outcome.share(row.project_id)
        why = _why(round, known[row.project_id], row.score, placed[place], outcome, names)
        board = tallies.get(BOARD, NOTHING).get(row.project_id)
        assessed = tallies.get(ASSESSMENTS, NOTHING).get(row.project_id)
        lines.append(
            {
                "project_id": row.project_id,
                "version": known[row.project_id].version,
                "rank": placed[place],
                "score": str(row.score),
                "means": _by_criterion(round, means(board)) if isinstance(board, Tally) and board.count else {},
                "ballots": board.count if isinstance(board, Tally) else 0,
                "voices": {voice: str(score) for voice, score in row.voices.items()},
                "assessments": _assessments(round, assessed),
                "discussed": discussed(round, assessed if isinstance(assessed, Tally) else None),
                "outcome": "selected" if share else "rejected",
                "share": str(share),
                "why": _fact(outcome.reasons.get(row.project_id)),
                "why_de": why.de,
                "why_en": why.en,
                "comparisons": {method: rows[place] if rows else None for method, rows in compared.items()},
                "acceptability": accepted[place] if accepted else None,
            }
        )
    return lines


def _why(round: Round, row: Candidate, score: Fraction, rank: int, outcome: Outcome, names: Names) -> Sentence:
    share = outcome.share(row.project_id)
    if not share:
        return rejected(outcome.reasons[row.project_id], names)
    if outcome.votes is not None:
        return elected(outcome.votes.get(row.project_id, 0), row.costs.get(round.selection.line or "", 0))
    return selected(rank, score, share)


def _fact(reason: Reason | None) -> Said | None:
    """A reason as JSON values, named by its kind; None for the selected."""
    if reason is None:
        return None
    numbers = {field.name: getattr(reason, field.name) for field in fields(reason)}
    shown = {name: str(value) if isinstance(value, Fraction) else value for name, value in numbers.items()}
    return {"fact": CAPITAL.sub("_", type(reason).__name__).lower(), **shown}


def _by_criterion(round: Round, values: Sequence[Fraction | int]) -> Said:
    """Fractions as texts, whole points as numbers."""
    return {
        row.criterion: str(value) if isinstance(value, Fraction) else value
        for row, value in zip(round.criteria, values, strict=True)
    }


def _assessments(round: Round, said: Tally | int | None) -> Said:
    if not isinstance(said, Tally) or said.count == 0:
        return {"count": 0, "means": {}, "least": {}, "greatest": {}, "variance": {}}
    return {
        "count": said.count,
        "means": _by_criterion(round, means(said)),
        "least": _by_criterion(round, said.least),
        "greatest": _by_criterion(round, said.greatest),
        "variance": _by_criterion(round, variances(said)),
    }


def _compared(round: Round, order: Sequence[Scored]) -> dict[str, list[Said] | None]:
    matrix, weights = [row.values for row in order], [row.weight for row in round.criteria]
    more = ["max"] * len(weights)
    asked = round.comparisons
    found: dict[str, list[Said] | None] = {"topsis": None, "promethee_ii": None}
    if asked.topsis:
        found["topsis"] = _shown(topsis(matrix, weights, more, asked.topsis))
    functions = [asked.promethee_ii[row.criterion] for row in round.criteria] if asked.promethee_ii else []
    if functions and comparable(len(order), functions):
        found["promethee_ii"] = _shown(promethee_ii(matrix, weights, more, functions))
    return found


def _shown(values: Sequence[Decimal]) -> list[Said]:
    texts = [written(value) for value in values]
    placed = ranks([Fraction(text) for text in texts])
    return [{"value": text, "rank": rank} for text, rank in zip(texts, placed, strict=True)]


def _accepted(round: Round, order: Sequence[Scored]) -> list[Said] | None:
    samples = round.robustness.samples
    if not samples:
        return None
    taken = round.selection.seats if round.selection.method == "seats" else None
    ties = tie_places(order, round.frozen_sha256)
    counts = acceptability([row.values for row in order], ties, taken or 1, samples, round.robustness.seed)
    return [_counted(row, samples, taken is not None) for row in counts]


def _counted(row: Counts, samples: int, by_ranking: bool) -> Said:
    return {"first": f"{row.first}/{samples}", "selected": f"{row.selected}/{samples}" if by_ranking else None}


def _stability(round: Round, order: Sequence[Scored]) -> Said:
    values, weights = [row.values for row in order], [row.weight for row in round.criteria]
    winner = stability.split(values, 1)
    taken = round.selection.seats if round.selection.method == "seats" else None
    selection = None if taken is None else stability.split(values, taken)
    return {
        row.criterion: {
            "winner": _interval(stability.between(weights, column, winner)),
            "selection": None if selection is None else _interval(stability.between(weights, column, selection)),
        }
        for column, row in enumerate(round.criteria)
    }


def _interval(ends: stability.Interval) -> Said:
    return {"from": str(ends[0]), "to": str(ends[1])}


def _portfolio(round: Round, portfolio: Portfolio) -> Said | None:
    selection = round.selection
    if selection.method == "seats":
        return None
    limits = dict(selection.budgets)
    if selection.line is not None and selection.budget_eur is not None:
        limits = {selection.line: selection.budget_eur}
    return {
        "value": str(portfolio.value),
        "at_most": None if portfolio.at_most is None else str(portfolio.at_most),
        "costs": {line: _amount(cost) for line, cost in portfolio.costs.items()},
        "limits": limits,
    }


def _amount(euros: int | Fraction) -> int | str:
    return int(euros) if Fraction(euros).denominator == 1 else str(euros)
