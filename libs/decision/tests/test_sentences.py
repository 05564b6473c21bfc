"""Every project that was not selected is told why, in one true sentence with numbers."""

from fractions import Fraction

import pytest
from builders_decision import a_candidate, a_criterion, a_tally, content
from hypothesis import given
from hypothesis import strategies as st

from oker_decision import sentences
from oker_decision.model import Candidate, Criterion, Round, Tally
from oker_decision.ranking import in_order
from oker_decision.reasons import (
    BelowCut,
    BetterWithout,
    ExcludedBy,
    LineTooSmall,
    NeedMissing,
    Reason,
    SeatsFull,
    TieByCriterion,
    TieByLot,
    TooFewVotes,
)
from oker_decision.scoring import score_all
from oker_decision.seats import reasons

THIRD = Fraction(1, 3)
NAMES = sentences.Names({"p1": "Stadtlexikon"}, {"nutzen": "Bürgernutzen", "risiko": "Risiko"}, frozenset({"risiko"}))
SAID: list[tuple[Reason, str, str]] = [
    (
        BelowCut(Fraction(18, 5), 3, 3 + 2 * THIRD),
        "Die 3 Plätze gingen an Projekte bis hinab zu rund 3,67 Punkten; dieses hat 3,60 Punkte.",
        "The 3 seats went to projects down to about 3.67 points; this one has 3.60 points.",
    ),
    (
        BelowCut(Fraction(36665, 10000), 1, 3 + 2 * THIRD),
        "Der eine Platz ging an ein Projekt mit rund 3,667 Punkten; dieses hat rund 3,666 Punkte.",
        "The one seat went to a project with about 3.667 points; this one has about 3.666 points.",
    ),
    (
        TieByCriterion(Fraction(4), "p1", "nutzen", Fraction(3), Fraction(7, 2)),
        "Es hat wie „Stadtlexikon“ 4,00 Punkte; den letzten Platz entschied das Kriterium „Bürgernutzen“ mit 3,00 "
        "gegen 3,50 Punkte.",
        "It has 4.00 points, as has “Stadtlexikon”; the last seat was decided by the criterion “Bürgernutzen” with "
        "3.00 against 3.50 points.",
    ),
    (
        TieByCriterion(Fraction(4), "p1", "risiko", Fraction(3), Fraction(7, 2)),
        "Es hat wie „Stadtlexikon“ 4,00 Punkte; den letzten Platz entschied das Kriterium „Risiko“ mit 3,00 "
        "gegen 3,50 Punkte (gespiegelt, weil weniger besser ist).",
        "It has 4.00 points, as has “Stadtlexikon”; the last seat was decided by the criterion “Risiko” with "
        "3.00 against 3.50 points (mirrored, as less is better).",
    ),
    (
        TieByLot(Fraction(4), "p1"),
        "Es hat wie „Stadtlexikon“ 4,00 Punkte, und vom Board in jedem Kriterium dasselbe Mittel; den letzten Platz "
        "entschied das Los, das mit dem Einfrieren der Runde feststand.",
        "It has 4.00 points, as has “Stadtlexikon”, and from the board the same mean in each criterion; the last seat "
        "was decided by the lot that was fixed when the round was frozen.",
    ),
    (
        LineTooSmall("digital", 1_250_000, 40_000),
        "Nach den ausgewählten Projekten sind in der Budgetlinie digital 40.000 EUR übrig; das Projekt kostet dort "
        "1.250.000 EUR.",
        "After the selected projects EUR 40,000 are left in the budget line digital; "
        "the project costs EUR 1,250,000 there.",
    ),
    (
        LineTooSmall("digital", 900, Fraction(1_000, 3)),
        "Nach den ausgewählten Projekten sind in der Budgetlinie digital rund 333,33 EUR übrig; "
        "das Projekt kostet dort 900 EUR.",
        "After the selected projects about EUR 333.33 are left in the budget line digital; "
        "the project costs EUR 900 there.",
    ),
    (
        ExcludedBy("p1"),
        "Es schließt sich mit dem ausgewählten Projekt „Stadtlexikon“ gegenseitig aus.",
        "It and the selected project “Stadtlexikon” exclude each other.",
    ),
    (
        NeedMissing("p1"),
        "Es setzt das Projekt „Stadtlexikon“ voraus, das nicht ausgewählt wurde.",
        "It needs the project “Stadtlexikon”, which was not selected.",
    ),
    (
        SeatsFull(2, Fraction(3), Fraction(4)),
        "Die 2 Plätze gingen an andere Projekte, das am niedrigsten bewertete hat 4,00 Punkte; dieses hat 3,00 Punkte.",
        "The 2 seats went to other projects, the lowest of which has 4.00 points; this one has 3.00 points.",
    ),
    (
        SeatsFull(1, Fraction(3), Fraction(4)),
        "Der eine Platz ging an ein anderes Projekt, es hat 4,00 Punkte; dieses hat 3,00 Punkte.",
        "The one seat went to another project, which has 4.00 points; this one has 3.00 points.",
    ),
    (
        BetterWithout(Fraction(12), Fraction(34, 3)),
        "Die beste Auswahl mit diesem Projekt erreicht zusammen rund 11,33 Punkte, die getroffene 12,00.",
        "The best selection with this project reaches about 11.33 points in all, the one that was made 12.00.",
    ),
    (
        BetterWithout(Fraction(12), Fraction(12)),
        "Das Projekt hat keine Punkte; mit ihm ergäbe sich dieselbe Summe von 12,00 Punkten.",
        "The project has no points; with it the sum would be the same, 12.00 points.",
    ),
    (
        TooFewVotes(1, 50_000, 20_000),
        "Mit einer Stimme kam es nicht zum Zug: es kostet 50.000 EUR, am Ende waren 20.000 EUR übrig.",
        "With one vote its turn did not come: it costs EUR 50,000, and EUR 20,000 were left at the end.",
    ),
    (TooFewVotes(0, 5, 9), "Niemand stimmte für das Projekt.", "Nobody voted for the project."),
]


@pytest.mark.parametrize(("reason", "german", "english"), SAID, ids=lambda value: type(value).__name__)
def test_a_reason_is_said_in_both_languages(reason: Reason, german: str, english: str) -> None:
    assert sentences.rejected(reason, NAMES) == sentences.Sentence(german, english)


def test_part_funding_is_said() -> None:
    said = sentences.selected(2, Fraction(7, 2), Fraction(1, 2))

    assert said.de == "Ausgewählt mit einer Teilförderung von 1/2 der Kosten: Rang 2 mit 3,50 Punkten."
    assert said.en == "Selected and funded in part, at 1/2 of its costs: rank 2 with 3.50 points."


@given(st.fractions(-9, 99_999), st.fractions(-9, 99_999))
def test_a_number_says_when_it_was_rounded_and_by_less_than_half_a_digit(one: Fraction, other: Fraction) -> None:
    for value, said in zip((one, other), sentences.numbers(one, other), strict=True):
        digits = said.en.removeprefix("about ").replace(",", "")
        assert said.en.startswith("about") == said.de.startswith("rund") == (Fraction(digits) != value)
        assert abs(Fraction(digits) - value) <= Fraction(1, 200)
        assert said.de.removeprefix("rund ").replace(".", "").replace(",", ".") == digits


marks = st.lists(st.integers(1, 3), min_size=2, max_size=2)
boxes = st.lists(st.lists(marks, max_size=2), min_size=4, max_size=4)
CRITERIA = [a_criterion("nutzen", "1/2"), a_criterion("risiko", "1/2", "min")]
PROJECTS = [a_candidate(f"p{number}") for number in range(4)]


@given(boxes, st.integers(1, 4))
def test_what_is_said_about_seats_is_true(box: list[list[list[int]]], seats: int) -> None:
    round = Round.read(content(PROJECTS, criteria=CRITERIA))
    cast: dict[str, Tally | int] = {f"p{number}": a_tally(rows) for number, rows in enumerate(box) if rows}
    order = in_order(score_all(round, [Candidate.read(row) for row in PROJECTS], {"board": cast}), round.frozen_sha256)
    known = {row.project_id: row for row in order}
    taken = [row.project_id for row in order[:seats]]

    found = reasons(order, seats, [Criterion.read(row) for row in CRITERIA])

    assert list(found) == [row.project_id for row in order[seats:]]
    for project, reason in found.items():
        own = known[project]
        match reason:
            case BelowCut(score, given_seats, last_score):
                assert (score, given_seats) == (own.score, len(taken))
                assert own.score < last_score == min(known[name].score for name in taken)
            case TieByCriterion(score, winner, criterion, mark, winners):
                place = ["nutzen", "risiko"].index(criterion)
                assert winner in taken
                assert own.score == known[winner].score == score
                assert own.board[:place] == known[winner].board[:place]
                assert own.board[place] == mark < winners == known[winner].board[place]
            case TieByLot(score, winner):
                assert winner in taken
                assert (own.score, own.board) == (known[winner].score, known[winner].board)
            case _:
                pytest.fail(f"{reason} is no reason where seats decide")
