"""The uniform procedure: what a round, a ballot and a ranking are."""

from fractions import Fraction
from hashlib import sha256
from typing import Any

import pytest
import rfc8785
from builders_selection_scoring import CRITERIA, NOON, POOL, a_ballot, a_round, an_opened_round, scores

from selection_scoring import domain

HALF = Fraction(1, 2)


def criteria(*weights: Fraction) -> tuple[domain.Criterion, ...]:
    return tuple(domain.Criterion(f"c{index}", "C", weight) for index, weight in enumerate(weights))


def test_the_four_criteria_are_those_of_the_strategy_with_buergernutzen_first() -> None:
    assert [(row.title, row.weight) for row in domain.FOUR_CRITERIA] == [
        ("Bürgernutzen", Fraction(2, 5)),
        ("Kosten-Nutzen-Verhältnis", Fraction(1, 5)),
        ("Strategische Wirkung", Fraction(1, 5)),
        ("Außenwirkung", Fraction(1, 5)),
    ]


def test_a_round_over_the_pool_has_no_fault() -> None:
    assert domain.fault_in_round(a_round(), POOL) is None


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"candidates": ("handyparken", "handyparken")}, "$.candidates[1]"),
        ({"candidates": ("handyparken", "mondlandung")}, "$.candidates[1]"),
        ({"electorate": ("board-1", "board-2", "board-1")}, "$.electorate[2]"),
        ({"criteria": (*criteria(HALF), *criteria(HALF))}, "$.criteria[1]"),
        ({"criteria": criteria(HALF, Fraction(1, 3))}, "$.criteria"),
        ({"criteria": criteria(Fraction(3, 2), -HALF)}, "$.criteria[1].weight"),
        ({"criteria": criteria(Fraction(1), Fraction(0))}, "$.criteria[1].weight"),
        ({"quorum": 4}, "$.quorum"),
    ],
)
def test_a_faulty_round_is_named_by_its_path(said: dict[str, object], path: str) -> None:
    fault = domain.fault_in_round(a_round(**said), POOL)

    assert fault is not None
    assert fault.path == path


def test_the_fingerprint_is_over_the_canonical_json_of_the_content() -> None:
    opened = an_opened_round()

    content: Any = domain.content(opened.round)
    assert opened.frozen_sha256 == sha256(rfc8785.dumps(content)).hexdigest()
    assert an_opened_round(quorum=3).frozen_sha256 != opened.frozen_sha256


def test_the_order_of_a_request_makes_no_difference_to_the_fingerprint() -> None:
    turned = a_round(candidates=POOL[::-1], electorate=("board-2", "board-3", "board-1"))
    plain = domain.freeze(domain.in_order(a_round()), rfc8785.dumps, NOON)

    assert domain.freeze(domain.in_order(turned), rfc8785.dumps, NOON) == plain


@pytest.mark.parametrize(
    ("said", "reason", "path"),
    [
        ({"buergernutzen": 3}, "FIELD_MISSING", "$.scores.kosten-nutzen-verhaeltnis"),
        ({**scores(1, 2, 3, 4), "glanz": 5}, "FIELD_VALUE_INVALID", "$.scores.glanz"),
        (scores(6, 2, 3, 4), "NUMBER_OUT_OF_RANGE", "$.scores.buergernutzen"),
        (scores(1, 2, 3, 0), "NUMBER_OUT_OF_RANGE", "$.scores.aussenwirkung"),
    ],
)
def test_faulty_scores_are_named_by_their_path(said: dict[str, int], reason: str, path: str) -> None:
    fault = domain.fault_in_scores(a_round(), said)

    assert fault is not None
    assert (fault.reason, fault.path) == (reason, path)


def test_scores_on_the_ends_of_the_scale_are_a_ballot() -> None:
    assert domain.fault_in_scores(a_round(), scores(1, 5, 1, 5)) is None


def test_changed_scores_are_the_next_version_and_the_same_scores_are_not() -> None:
    first = domain.cast("board-1", "handyparken", scores(1, 2, 3, 4), None, NOON)
    same = domain.cast("board-1", "handyparken", scores(1, 2, 3, 4), first, NOON)
    changed = domain.cast("board-1", "handyparken", scores(5, 2, 3, 4), first, NOON)

    assert first.version == 1
    assert same is first
    assert (changed.version, changed.scores["buergernutzen"]) == (2, 5)


def test_only_who_scored_every_candidate_counts_for_the_quorum() -> None:
    complete = [a_ballot("board-1", project, 1, 1, 1, 1) for project in POOL]
    partial = [a_ballot("board-2", project, 1, 1, 1, 1) for project in POOL[:2]]

    assert domain.complete_voters(a_round(), [*complete, *partial]) == 1


def test_a_score_is_the_exact_weighted_sum_of_the_means() -> None:
    ballots = [
        a_ballot("board-1", "handyparken", 5, 4, 3, 2),
        a_ballot("board-2", "handyparken", 4, 4, 4, 4),
        a_ballot("board-3", "handyparken", 4, 1, 1, 1),
    ]
    best = domain.rank(an_opened_round(), ballots)[0]

    assert (best.project_id, best.ballots) == ("handyparken", 3)
    assert best.score == Fraction(2, 5) * Fraction(13, 3) + Fraction(1, 5) * (
        Fraction(9, 3) + Fraction(8, 3) + Fraction(7, 3)
    )


def test_a_candidate_without_a_ballot_scores_nothing_and_comes_last() -> None:
    ballots = [a_ballot("board-1", project, 1, 1, 1, 1) for project in POOL[:2]]
    last = domain.rank(an_opened_round(), ballots)[-1]

    assert (last.project_id, last.ballots, last.rank) == ("stadtlexikon", 0, 3)
    assert last.score == Fraction(0)


def test_equal_scores_share_a_rank_and_the_next_is_left_out() -> None:
    ballots = [
        a_ballot("board-1", "bahnstadt", 3, 3, 3, 3),
        a_ballot("board-1", "handyparken", 3, 3, 3, 3),
        a_ballot("board-1", "stadtlexikon", 1, 1, 1, 1),
    ]

    assert [row.rank for row in domain.rank(an_opened_round(), ballots)] == [1, 1, 3]


def test_a_tie_for_the_last_seat_goes_to_the_greater_buergernutzen() -> None:
    ballots = [
        a_ballot("board-1", "bahnstadt", 3, 4, 4, 4),
        a_ballot("board-1", "handyparken", 4, 4, 3, 3),
        a_ballot("board-1", "stadtlexikon", 1, 1, 1, 1),
    ]
    rankings = [domain.rank(an_opened_round(title=f"Runde {number}"), ballots) for number in range(20)]

    assert {ranking[0].score for ranking in rankings} == {ranking[1].score for ranking in rankings}
    assert {row.project_id for ranking in rankings for row in ranking if row.selected} == {"handyparken"}


def test_a_full_tie_goes_by_a_lot_that_another_frozen_round_draws_anew() -> None:
    ballots = [a_ballot("board-1", project, 3, 3, 3, 3) for project in POOL]
    winners = {domain.rank(an_opened_round(title=f"Runde {number}"), ballots)[0].project_id for number in range(30)}

    assert winners == set(POOL)


def test_a_full_tie_is_decided_the_same_way_every_time() -> None:
    ballots = [a_ballot("board-1", project, 3, 3, 3, 3) for project in POOL]

    assert domain.rank(an_opened_round(), ballots) == domain.rank(an_opened_round(), ballots[::-1])


def test_as_many_are_selected_as_there_are_seats() -> None:
    ballots = [a_ballot("board-1", project, 3, 3, 3, 3) for project in POOL]

    assert sum(row.selected for row in domain.rank(an_opened_round(seats=2), ballots)) == 2
    assert sum(row.selected for row in domain.rank(an_opened_round(seats=9), ballots)) == 3


def test_the_fingerprint_of_the_ballots_depends_on_scores_and_not_on_order() -> None:
    ballots = [a_ballot("board-1", project, 3, 3, 3, 3) for project in POOL]
    other = [*ballots[:2], a_ballot("board-1", POOL[2], 3, 3, 3, 4)]
    fingerprint = domain.ballots_fingerprint(ballots, rfc8785.dumps)

    assert domain.ballots_fingerprint(ballots[::-1], rfc8785.dumps) == fingerprint
    assert domain.ballots_fingerprint(other, rfc8785.dumps) != fingerprint


def test_the_criteria_have_ids_that_may_stand_in_an_event() -> None:
    assert CRITERIA == ("buergernutzen", "kosten-nutzen-verhaeltnis", "strategische-wirkung", "aussenwirkung")
