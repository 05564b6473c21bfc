"""What holds for every round: found by search, not by example."""

from fractions import Fraction
from typing import Any

import rfc8785
from builders_selection_scoring import CRITERIA, NOON, a_round
from hypothesis import assume, given
from hypothesis import strategies as st

from oker_contracts.selection.ballot_cast_v1 import BallotCastV1
from selection_scoring import domain

PROJECTS = ("p1", "p2", "p3", "p4")
VOTERS = ("v1", "v2", "v3")
Cell = tuple[str, str]

all_scores = st.fixed_dictionaries({criterion: st.integers(1, 5) for criterion in CRITERIA})
cells = st.sampled_from([(voter, project) for voter in VOTERS for project in PROJECTS])
ballot_boxes = st.dictionaries(cells, all_scores)
weights = st.lists(st.integers(1, 100), min_size=4, max_size=4)


def opened(parts: list[int]) -> domain.OpenedRound:
    criteria = tuple(
        domain.Criterion(criterion, criterion, Fraction(part, sum(parts)))
        for criterion, part in zip(CRITERIA, parts, strict=True)
    )
    round = a_round(criteria=criteria, candidates=PROJECTS, electorate=VOTERS, seats=2)
    return domain.freeze(round, rfc8785.dumps, NOON)


def ballots(box: dict[Cell, dict[str, int]]) -> list[domain.Ballot]:
    return [domain.Ballot(voter, project, 1, scores, NOON) for (voter, project), scores in box.items()]


def place(ranking: tuple[domain.Ranked, ...], project_id: str) -> int:
    return [row.project_id for row in ranking].index(project_id)


@given(weights, ballot_boxes, st.randoms(use_true_random=False))
def test_the_order_of_ballots_never_matters(parts: list[int], box: dict[Cell, dict[str, int]], chance: Any) -> None:
    cast = ballots(box)
    shuffled = list(cast)
    chance.shuffle(shuffled)

    assert domain.rank(opened(parts), shuffled) == domain.rank(opened(parts), cast)


@given(weights, ballot_boxes, st.lists(all_scores, min_size=3, max_size=3), st.data())
def test_a_dominated_project_never_outranks_its_dominator(
    parts: list[int], box: dict[Cell, dict[str, int]], better: list[dict[str, int]], data: st.DataObject
) -> None:
    """``p2`` gets from every voter at most what ``p1`` gets, and once less."""
    worse = [{name: data.draw(st.integers(1, score)) for name, score in row.items()} for row in better]
    assume(worse != better)
    for voter, high, low in zip(VOTERS, better, worse, strict=True):
        box = {**box, (voter, "p1"): high, (voter, "p2"): low}
    ranking = domain.rank(opened(parts), ballots(box))

    assert place(ranking, "p1") < place(ranking, "p2")
    assert ranking[place(ranking, "p1")].rank < ranking[place(ranking, "p2")].rank


@given(weights, ballot_boxes)
def test_ranks_follow_scores_and_seats_follow_ranks(parts: list[int], box: dict[Cell, dict[str, int]]) -> None:
    ranking = domain.rank(opened(parts), ballots(box))

    assert sorted(row.project_id for row in ranking) == list(PROJECTS)
    assert [row.score for row in ranking] == sorted((row.score for row in ranking), reverse=True)
    assert [row.selected for row in ranking] == [True, True, False, False]
    for row in ranking:
        assert row.rank == 1 + sum(other.score > row.score for other in ranking)
        assert row.score == 0 or 1 <= row.score <= 5


def said(opened_round: domain.OpenedRound, ballot: domain.Ballot) -> dict[str, Any]:
    event = BallotCastV1(
        round_id=opened_round.round.round_id,
        frozen_sha256=opened_round.frozen_sha256,
        voter=ballot.voter,
        project_id=ballot.project_id,
        version=ballot.version,
        scores=dict(ballot.scores),
        cast_at=ballot.cast_at,
    )
    return event.model_dump(mode="json")


@given(weights, ballot_boxes, ballot_boxes, st.randoms(use_true_random=False))
def test_the_ranking_is_recomputed_from_events_in_any_order_and_number(
    parts: list[int], earlier: dict[Cell, dict[str, int]], later: dict[Cell, dict[str, int]], chance: Any
) -> None:
    """Earlier versions, repeated events and ballots of another round make no difference."""
    opened_round = opened(parts)
    final = [
        domain.Ballot(voter, project, 2 if (voter, project) in later else 1, scores, NOON)
        for (voter, project), scores in {**earlier, **later}.items()
    ]
    events = [said(opened_round, ballot) for ballot in [*ballots(earlier), *final]]
    foreign = [{**event, "round_id": "another-round", "version": 9} for event in events]
    everything = [*events, *events, *foreign]
    chance.shuffle(everything)
    opening = {
        **domain.content(opened_round.round),
        "frozen_sha256": opened_round.frozen_sha256,
        "opened_at": NOON.isoformat(),
    }

    assert domain.recompute(opening, everything) == domain.rank(opened_round, final)
