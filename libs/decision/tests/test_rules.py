"""What holds for every round: found by search, not by example."""

from fractions import Fraction
from typing import Any

import pytest
from builders_decision import CRITERIA, Ballots, a_candidate, a_criterion, a_tally, content
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from oker_decision import stability
from oker_decision.acceptability import acceptability, draw
from oker_decision.canonical import canonical, digest
from oker_decision.model import Candidate, Round, Tally
from oker_decision.ranking import in_order
from oker_decision.reading import Invalid
from oker_decision.result import compute, fingerprint
from oker_decision.scoring import Scored, score_all, total

FROZEN = "ea90c40bd03a7b404f77005e50d9d88399c50c2bbf9366df330afb26bc03fef2"
COMPUTED = "0b440496cce9cc9e1898ce5a2c2676432db4bc2fee25c68ce57461add9b0ce54"
PROJECTS = ("p1", "p2", "p3", "p4")
Boxes = dict[str, dict[str, list[list[int]]]]
"""Of each voice and project: the ballots."""

a_ballot = st.lists(st.integers(1, 5), min_size=4, max_size=4)
ballots = st.lists(a_ballot, min_size=1, max_size=3)
boxes = st.fixed_dictionaries({}, optional=dict.fromkeys(PROJECTS, ballots))
weights = st.lists(st.integers(1, 30), min_size=4, max_size=4)
directions = st.lists(st.sampled_from(["max", "min"]), min_size=4, max_size=4)
VOICES = [
    {"voice": "board", "title": "Smart-City-Board", "kind": "scores", "weight": "3/5"},
    {"voice": "forum", "title": "Smart-City-Forum", "kind": "scores", "weight": "1/5"},
    {"voice": "citizens", "title": "Bürgerinnen und Bürger", "kind": "votes", "weight": "1/5"},
]
RAMP = {"functions": {name: {"shape": "v_shape_indifference", "q": "1/4", "p": "2"} for name in CRITERIA}}


@st.composite
def rounds(draw: st.DrawFn) -> dict[str, Any]:
    parts, ways = draw(weights), draw(directions)
    criteria = [
        a_criterion(name, str(Fraction(part, sum(parts))), way)
        for name, part, way in zip(CRITERIA, parts, ways, strict=True)
    ]
    return content(
        [a_candidate(name) for name in PROJECTS],
        criteria=criteria,
        voices=VOICES if draw(st.booleans()) else VOICES[:1] and [{**VOICES[0], "weight": "1"}],
        selection={"method": "seats", "seats": draw(st.integers(1, 4))},
        comparisons={"topsis": {"normalisation": "minmax"}, "promethee_ii": RAMP},
        robustness={"samples": 5, "seed": draw(st.integers(0, 2**53 - 1))},
    )


def tallied(said: dict[str, Any], boxes: dict[str, Any]) -> dict[str, dict[str, Tally | int]]:
    found: dict[str, dict[str, Tally | int]] = {}
    for voice in said["voices"]:
        box = boxes[voice["voice"]]
        found[voice["voice"]] = {
            name: len(cast) if voice["kind"] == "votes" else a_tally(cast) for name, cast in box.items()
        }
    return found


all_boxes = st.fixed_dictionaries({"board": boxes, "forum": boxes, "citizens": boxes})


def scored(said: dict[str, Any], tallies: dict[str, dict[str, Tally | int]]) -> list[Scored]:
    return score_all(Round.read(said), [Candidate.read(a_candidate(name)) for name in PROJECTS], tallies)


@given(rounds(), all_boxes, st.randoms(use_true_random=False))
def test_the_order_of_arrival_never_matters(said: dict[str, Any], cast: dict[str, Any], chance: Any) -> None:
    expected = canonical(compute(said, [a_candidate(name) for name in PROJECTS], tallied(said, cast)))
    shuffled: dict[str, Any] = {}
    for voice in chance.sample(sorted(cast), len(cast)):
        names = chance.sample(sorted(cast[voice]), len(cast[voice]))
        shuffled[voice] = {name: chance.sample(cast[voice][name], len(cast[voice][name])) for name in names}

    assert canonical(compute(said, [a_candidate(name) for name in PROJECTS], tallied(said, shuffled))) == expected


@given(rounds(), all_boxes, st.lists(a_ballot, min_size=3, max_size=3), st.data())
def test_a_dominated_project_never_outranks_its_dominator(
    said: dict[str, Any], cast: dict[str, Any], better: list[list[int]], data: st.DataObject
) -> None:
    """``p2`` gets from every voter of the board at most the merit ``p1`` gets, and once less; else they are alike."""
    up = [row["direction"] == "max" for row in said["criteria"]]
    worse = [
        [data.draw(st.integers(1, mark) if more else st.integers(mark, 5)) for mark, more in zip(row, up, strict=True)]
        for row in better
    ]
    assume(worse != better)
    cast = {voice: {**box, "p2": box["p1"]} if "p1" in box else _without(box, "p2") for voice, box in cast.items()}
    cast["board"] = {**cast["board"], "p1": better, "p2": worse}
    ranks = {
        row["project_id"]: row["rank"]
        for row in compute(said, [a_candidate(name) for name in PROJECTS], tallied(said, cast))["lines"]
    }

    assert ranks["p1"] < ranks["p2"]


def _without(box: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in box.items() if key != name}


@given(rounds(), all_boxes)
def test_a_score_of_who_was_judged_by_all_lies_on_the_scale(said: dict[str, Any], cast: dict[str, Any]) -> None:
    tallies = tallied(said, cast)
    for row in scored(said, tallies):
        judged = [voice for voice in tallies if row.project_id in tallies[voice]]
        assert (1 if len(judged) == len(tallies) else 0) <= row.score <= 5


@given(rounds(), all_boxes)
def test_ranks_follow_scores_and_seats_follow_ranks(said: dict[str, Any], cast: dict[str, Any]) -> None:
    lines = compute(said, [a_candidate(name) for name in PROJECTS], tallied(said, cast))["lines"]
    scores = [Fraction(row["score"]) for row in lines]
    seats = said["selection"]["seats"]

    assert sorted(row["project_id"] for row in lines) == list(PROJECTS)
    assert scores == sorted(scores, reverse=True)
    assert [row["rank"] for row in lines] == [1 + sum(other > score for other in scores) for score in scores]
    assert [row["outcome"] for row in lines] == ["selected"] * seats + ["rejected"] * (4 - seats)


@given(rounds(), all_boxes)
def test_the_score_is_the_weighted_sum_of_what_is_shown(said: dict[str, Any], cast: dict[str, Any]) -> None:
    """By the voices, and by the values that stability and acceptability weigh: both are the score."""
    shares = {voice["voice"]: Fraction(voice["weight"]) for voice in said["voices"]}
    for row in scored(said, tallied(said, cast)):
        assert row.score == sum(shares[voice] * score for voice, score in row.voices.items())
        assert row.score == total([Fraction(criterion["weight"]) for criterion in said["criteria"]], row.values)


@given(rounds(), all_boxes, all_boxes)
def test_a_voice_without_weight_and_assessments_change_no_score(
    said: dict[str, Any], cast: dict[str, Any], other: dict[str, Any]
) -> None:
    said["voices"] = [{**VOICES[0], "weight": "1"}, {**VOICES[1], "weight": "0"}]
    first, second = tallied(said, cast), tallied(said, {**other, "board": cast["board"]})
    first["assessments"], second["assessments"] = first["forum"], second["board"]

    assert [row.score for row in scored(said, first)] == [row.score for row in scored(said, second)]


values = st.lists(st.tuples(*[st.fractions(0, 5, max_denominator=6)] * 3), min_size=2, max_size=6)
three = st.lists(st.integers(1, 9), min_size=3, max_size=3).map(lambda parts: [Fraction(p, sum(parts)) for p in parts])


def moved(weights: list[Fraction], column: int, t: Fraction) -> list[Fraction]:
    rest = sum(weights) - weights[column]
    return [t if index == column else weight * (1 - t) / rest for index, weight in enumerate(weights)]


@given(values, three, st.integers(0, 2), st.integers(1, 5), st.fractions(0, 1, max_denominator=50))
def test_within_the_interval_the_selected_stay_before_and_outside_they_do_not(
    table: list[tuple[Fraction, ...]], weights: list[Fraction], column: int, seats: int, t: Fraction
) -> None:
    table = [*table, *(tuple(value + Fraction(1, 10**30) for value in row) for row in table)]
    order = sorted(table, key=lambda row: total(weights, row), reverse=True)
    assume(seats < len(order))

    start, end = stability.interval(weights, column, order, seats)

    assert 0 <= start <= weights[column] <= end <= 1
    for weight in {t, start, end, (start + end) / 2}:
        now = moved(weights, column, weight)
        stays = min(total(now, row) for row in order[:seats]) >= max(total(now, row) for row in order[seats:])
        assert stays == (start <= weight <= end)


def test_a_single_criterion_cannot_move() -> None:
    assert stability.interval([Fraction(1)], 0, [(Fraction(2),), (Fraction(1),)], 1) == (1, 1)


@settings(max_examples=60)
@given(values, st.integers(1, 5), st.integers(0, 2**53 - 1), st.randoms(use_true_random=False))
def test_acceptability_counts_what_ranking_each_sample_exactly_would_count(
    table: list[tuple[Fraction, ...]], seats: int, seed: int, chance: Any
) -> None:
    """Rows that are equal, or differ by less than a float can tell, are ranked as exactly as others."""
    table = [*table, table[0], tuple(value + Fraction(1, 10**30) for value in table[0])]
    ties = chance.sample(range(len(table)), len(table))
    first, taken = [0] * len(table), [0] * len(table)
    for sample in draw(seed, 20, 3):
        order = sorted(range(len(table)), key=lambda row: (-total(list(map(Fraction, sample)), table[row]), ties[row]))
        first[order[0]] += 1
        for row in order[:seats]:
            taken[row] += 1

    counts = acceptability(table, ties, seats, 20, seed)

    assert [row.first for row in counts] == first
    assert [row.selected for row in counts] == taken


def test_what_floats_cannot_tell_apart_is_told_apart() -> None:
    """Forty rows within the rounding of a float, in an order of floats that is not theirs."""
    third, little = Fraction(1, 3), Fraction(1, 10**17)
    table = [(third + 7 * number * little, third - 5 * number * little, third) for number in range(-20, 20)]
    samples = draw(3, 50, 3)
    first = [0] * len(table)
    for sample in samples:
        first[max(range(len(table)), key=lambda row: total(list(map(Fraction, sample)), table[row]))] += 1

    counts = acceptability(table, list(range(len(table))), 7, len(samples), 3)

    assert [row.first for row in counts] == first
    assert sum(row.selected for row in counts) == 7 * len(samples)


def test_the_drawn_weights_are_the_same_for_ever() -> None:
    assert draw(1, 2, 4) == draw(1, 3, 4)[:2]
    assert all(sum(row) == 2**32 and min(row) >= 0 for row in draw(7, 100, 5))
    assert draw(1, 1, 1) == [[2**32]]
    assert digest(draw(2026, 1000, 4)) == "fab484ee94a0831bb753b607fe1d71850c74e754dc32a9e92b33949a6936f574"


@given(st.permutations(list(range(4))))
def test_candidates_out_of_order_are_refused_not_ranked_otherwise(order: list[int]) -> None:
    candidates = [a_candidate(PROJECTS[index]) for index in order]
    assume(order != sorted(order))
    with pytest.raises(Invalid, match="Sort by project_id"):
        compute(content(candidates), candidates, {})


def test_weights_in_other_terms_give_the_same_scores() -> None:
    candidates = [a_candidate(name) for name in PROJECTS]
    tallies = {"board": {"p1": a_tally([[5, 1, 3, 2]]), "p2": a_tally([[2, 4, 4, 4]])}}
    tenths = ("4/10", "2/10", "2/10", "2/10")
    criteria = [a_criterion(name, weight) for name, weight in zip(CRITERIA, tenths, strict=True)]

    one = compute(content(candidates), candidates, tallies)
    other = compute(content(candidates, criteria=criteria), candidates, tallies)

    assert [row["score"] for row in one["lines"]] == [row["score"] for row in other["lines"]]
    assert one["stability"] == other["stability"]


def test_a_result_has_the_fingerprint_it_always_had() -> None:
    """Old decisions recompute for ever: a change of this number breaks every decision that was published."""
    candidates = [a_candidate(name) for name in PROJECTS]
    box: Ballots = [[5, 3, 4, 2], [4, 4, 4, 4], [5, 5, 1, 1]]
    tallies = {
        "board": {"p1": a_tally(box), "p2": a_tally([[4, 4, 2, 5], [5, 5, 5, 3]]), "p3": a_tally([[2, 3, 3, 3]])},
        "forum": {"p1": a_tally([[1, 2, 3, 4]])},
        "citizens": {"p2": 7, "p4": 3},
        "assessments": {"p1": a_tally([[1, 5, 3, 3], [3, 4, 3, 3]])},
    }
    said = content(candidates, voices=VOICES, comparisons={"topsis": {"normalisation": "vector"}, "promethee_ii": RAMP})

    assert digest(said) == FROZEN
    assert fingerprint(compute(said, candidates, tallies)) == COMPUTED


def test_in_order_breaks_ties_by_the_first_criterion_then_by_lot() -> None:
    def row(name: str, *board: int) -> Scored:
        marks = tuple(map(Fraction, board))
        return Scored(name, Fraction(3), marks, marks, {"board": Fraction(3)})

    first = in_order([row("a", 3, 3), row("b", 4, 2), row("c", 3, 3)], "0" * 64)
    second = in_order([row("a", 3, 3), row("b", 4, 2), row("c", 3, 3)], "1" * 64)

    assert [entry.project_id for entry in first] == ["b", "a", "c"]
    assert [entry.project_id for entry in second] == ["b", "c", "a"]
