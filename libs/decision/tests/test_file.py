"""A decision file is verified by anybody; whatever was changed in it is found and named."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from builders_decision_file import (
    AFTER,
    BALLOTS,
    BEFORE,
    Facts,
    a_ballot,
    a_count,
    a_file,
    a_recusal,
    an_assessment,
    as_lines,
    counted,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from oker_decision.file import Verified, verify
from oker_decision.file.reading import JUDGEMENTS

WORDED = ("why_de", "why_en")
GOOD = a_file()
SAID = [number for number, fact in enumerate(GOOD) if fact.get("type") in JUDGEMENTS]
Leaf = tuple[int, str, Any, Any]


def verified(facts: Facts) -> Verified:
    return verify(as_lines(facts))


def faults(facts: Facts) -> list[tuple[int, str]]:
    return [(fault.line, fault.field) for fault in verified(facts).faults]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to each number, text and truth value."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[key], (*path, key))
    elif value is not None:
        yield path


PLACES = [(number, path) for number, fact in enumerate(GOOD) for path in leaves(fact)]


@st.composite
def changed_files(draw: st.DrawFn) -> tuple[int, str, Facts]:
    """The good file with one leaf changed: its line, its path, the file."""
    number, path = draw(st.sampled_from(PLACES))
    facts = copy.deepcopy(GOOD)
    holder: Any = facts[number]
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = draw(_other(holder[path[-1]], digits_only=path[-1] in WORDED))
    return number + 1, ".".join(map(str, path)), facts


def _other(value: Any, digits_only: bool) -> st.SearchStrategy[Any]:
    if isinstance(value, bool):
        return st.just(not value)
    if isinstance(value, int | float):
        return st.integers(-(2**40), 2**40).filter(lambda other: other != value)
    places = [at for at, sign in enumerate(value) if sign.isdigit() or not digits_only]
    if not places:
        return st.just(f"{value}1")
    digit = st.sampled_from("0123456789")
    pairs = st.tuples(st.sampled_from(places), digit).filter(lambda pair: value[pair[0]] != pair[1])
    return pairs.map(lambda pair: value[: pair[0]] + pair[1] + value[pair[0] + 1 :])


def test_a_good_file_is_verified_with_its_figures() -> None:
    found = verified(GOOD)

    assert found.faults == ()
    figures = found.figures
    assert figures is not None
    assert (figures.candidates, figures.recusals, figures.replaced, figures.complete_voters) == (3, 1, 1, 2)
    assert figures.given == {"board": 7, "assessments": 3}
    assert figures.counted == {"board": 6, "assessments": 3}
    assert (figures.selected, figures.deferred, figures.overrides) == (1, 1, 1)
    assert figures.result_sha256 == GOOD[0]["result_sha256"]
    assert figures.log_entries == 8


@given(changed_files())
@settings(max_examples=400, deadline=None)
def test_one_changed_leaf_is_found_in_its_line(case: tuple[int, str, Facts]) -> None:
    line, path, facts = case

    found = verified(facts)

    assert not found.holds, path
    assert line in [fault.line for fault in found.faults], (path, found.faults)


@given(st.integers(0, len(GOOD) - 1))
def test_a_line_that_was_taken_out_is_missed(number: int) -> None:
    assert not verified(GOOD[:number] + GOOD[number + 1 :]).holds


@given(st.integers(0, len(GOOD) - 1))
def test_a_line_that_was_doubled_is_found(number: int) -> None:
    assert not verified(GOOD[: number + 1] + GOOD[number:]).holds


@given(st.permutations(SAID))
def test_the_order_in_which_people_spoke_never_matters(order: list[int]) -> None:
    facts = list(GOOD)
    for place, number in zip(SAID, order, strict=True):
        facts[place] = GOOD[number]

    assert verified(facts).figures == verified(GOOD).figures


@given(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, len(GOOD) - 1)))
def test_other_lines_have_their_place(pair: tuple[int, int]) -> None:
    one, other = sorted(pair)
    if one == other or (one in SAID and other in SAID):
        return
    facts = list(GOOD)
    facts[one], facts[other] = facts[other], facts[one]

    assert not verified(facts).holds


@pytest.mark.parametrize(
    ("line", "path", "value", "named"),
    [
        (9, ("data", "scores", "buergernutzen"), 4, "$.data.scores.buergernutzen"),
        (3, ("data", "content", "quorum"), 3, "$.data.content.quorum"),
        (3, ("data", "content", "candidates"), 4, "$.data.content.candidates"),
        (5, ("data", "candidates", 0, "costs", "digital"), 10_001, "$.data.candidates[0].costs.digital"),
        (22, ("data", "lines", 0, "score"), "38/25", "$.data.lines[0].score"),
        (23, ("data", "staffing", 0, "full_time_equivalents"), 2.5, "$.data.staffing[0].full_time_equivalents"),
        (7, ("data", "log", "number"), 4, "$.data.log.number"),
        (24, ("data", "number"), 3, "$.data.number"),
        (1, ("round_id",), "runde-2027", "$.round_id"),
    ],
)
def test_the_digit_is_named_with_what_stood_there(line: int, path: tuple[Any, ...], value: Any, named: str) -> None:
    facts = copy.deepcopy(GOOD)
    holder: Any = facts[line - 1]
    for key in path[:-1]:
        holder = holder[key]
    before, holder[path[-1]] = holder[path[-1]], value
    assert before != value

    fault = verified(facts).faults[0]

    assert (fault.line, fault.field, fault.said, fault.computed) == (line, named, value, before)


def test_late_foreign_and_recused_ballots_are_listed_and_never_count() -> None:
    more = [
        lambda place: a_ballot(place, ("m-3", "stadtlexikon", 1, (5, 5, 5, 5)), at=AFTER),
        lambda place: a_ballot(place, ("m-9", "stadtlexikon", 1, (5, 5, 5, 5))),
        lambda place: a_ballot(place, ("m-2", "stadtlexikon", 1, (5, 5, 5, 5))),
        lambda place: a_ballot(place, ("m-1", "nirgendwo", 1, (5, 5, 5, 5))),
        lambda place: a_ballot(place, ("m-1", "stadtlexikon", 1, (5, 5, 5, 5)), voice="tuerhueter"),
        lambda place: an_assessment(place, ("a-2", "handyparken", 1, (5, 5, 5, 5)), at=AFTER),
        lambda place: an_assessment(place, ("m-1", "handyparken", 1, (5, 5, 5, 5))),
    ]

    found = verified(a_file(more=more, tallies=counted(BALLOTS)))

    assert found.faults == ()
    assert found.figures is not None
    names = {"late": 2, "foreign": 2, "recused": 1, "unknown candidate": 1, "unknown voice": 1}
    assert found.figures.not_counted == names
    assert [reason for _, reason in found.figures.examples] == [
        "late",
        "foreign",
        "recused",
        "unknown candidate",
        "unknown voice",
        "late",
        "foreign",
    ]


def test_a_late_change_leaves_the_ballot_that_was_on_time() -> None:
    late = [lambda place: a_ballot(place, ("m-1", "bahnstadt", 2, (1, 1, 1, 1)), at=AFTER)]

    assert verified(a_file(more=late, tallies=counted(BALLOTS))).holds


def test_a_removed_ballot_is_missed_at_the_closing() -> None:
    assert (19, "$.data.judgements") in faults([*GOOD[:8], *GOOD[9:]])


def test_a_ballot_that_is_replaced_by_a_sealed_one_is_missed_at_the_closing() -> None:
    place = {name: GOOD[0][name] for name in ("round_id", "frozen_sha256")}
    facts = [*GOOD[:8], a_ballot(place, ("m-1", "handyparken", 1, (5, 5, 5, 5))), *GOOD[9:]]

    assert faults(facts) == [(20, "$.data.judgements_sha256")]


def test_a_version_that_stands_twice_is_named() -> None:
    twice = [lambda place: a_ballot(place, ("m-1", "bahnstadt", 1, (5, 5, 5, 5)))]

    assert faults(a_file(more=twice)) == [(20, "$.data.version")]


def test_an_override_without_a_reason_is_named() -> None:
    assert faults(a_file(overrides={"handyparken": ("deferred", " ")})) == [(23, "$.data.lines[1].reason")]


def test_a_selected_project_cannot_be_left_out_of_the_decision() -> None:
    assert faults(a_file(overrides={"bahnstadt": ("rejected", "")})) == [(23, "$.data.lines[*].project_id")]


def test_a_quorum_that_was_not_reached_is_named() -> None:
    assert faults(a_file(quorum=3)) == [(20, "$.data.complete_voters")]


def test_a_round_of_another_procedure_is_left_to_a_newer_program() -> None:
    found = verified(a_file(procedure="oker/9"))

    assert [(fault.line, fault.field) for fault in found.faults] == [(3, "$.data.content.procedure")]


def test_a_recusal_of_somebody_who_never_spoke_is_kept() -> None:
    more = [lambda place: a_recusal(place, "m-3", "stadtlexikon")]

    figures = verified(a_file(more=more)).figures

    assert figures is not None
    assert figures.recusals == 2


def test_the_newest_count_of_votes_counts() -> None:
    more = [lambda place: a_count(place, version=2)]

    assert verified(a_file(more=more)).holds


def test_the_wording_of_a_sentence_may_be_mended_but_not_its_numbers() -> None:
    facts = json.loads(json.dumps(GOOD))
    row = facts[21]["data"]["lines"][0]
    row["why_de"] = row["why_de"].replace("Rang", "Platz").replace("Punkte", "Punkten")

    assert verified(facts).holds
    assert BEFORE < AFTER


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]\n", b'{"a": NaN}\n', b'{"format": 1, "format": 2}\n', b"\xff\xfe\n", b'{"a":' * 10_000]
)
def test_what_is_no_decision_file_is_refused_in_its_first_line(raw: bytes) -> None:
    assert [fault.line for fault in verify([raw]).faults] == [1]


def test_entries_of_the_log_ascend() -> None:
    assert faults([*GOOD[:-2], GOOD[-1], GOOD[-2]]) == [(25, "$.data")]
