"""Decision files by people who mean harm: a clear error, no crash, no endless search."""

import copy
import json
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from builders_decision_file import (
    AFTER,
    BALLOTS,
    POOL,
    Facts,
    a_ballot,
    a_count,
    a_file,
    as_lines,
    counted,
    sealed,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from oker_decision.file import lines as reading_lines
from oker_decision.file import verify
from oker_decision.file.report import told
from oker_decision.model import Taken
from oker_decision.portfolio import Unsolved

GOOD = a_file()
STRANGE: tuple[Any, ...] = (
    None,
    True,
    1.0,
    1e300,
    -1,
    2**53,
    2**70,
    10**400,
    "",
    "1",
    "1e0",
    "\u202e",
    "\ud800",
    "9" * 500,
    "1/0",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    [],
    {},
    [[]],
    {"a": []},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    """The path to each member and element."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*path, key)
        yield from places(value[key], (*path, key))


ALL = [(number, path) for number, fact in enumerate(GOOD) for path in places(fact)]


def holder_of(facts: Facts, number: int, path: tuple[Any, ...]) -> Any:
    found: Any = facts[number]
    for key in path[:-1]:
        found = found[key]
    return found


def as_bytes(facts: Facts) -> list[bytes]:
    return [json.dumps(fact).encode() + b"\n" for fact in facts]


def faults(facts: Facts) -> list[tuple[int, str]]:
    return [(fault.line, fault.field) for fault in verify(as_lines(facts)).faults]


def resealed(facts: Facts) -> Facts:
    """With the own hashes of judgements made anew, as a forger would."""
    return [
        {**fact, "data": sealed({name: value for name, value in fact["data"].items() if name != "sha256"})}
        if isinstance(fact.get("data"), dict) and "sha256" in fact["data"] and "log_sha256" not in fact
        else fact
        for fact in facts
    ]


@given(st.sampled_from(ALL), st.sampled_from(STRANGE), st.booleans())
@settings(max_examples=300, deadline=None)
def test_strange_values_are_faults_and_never_a_crash(place: tuple[int, Any], value: Any, seal: bool) -> None:
    number, path = place
    facts = copy.deepcopy(GOOD)
    holder_of(facts, number, path)[path[-1]] = value
    if seal:
        try:
            facts = resealed(facts)
        except ValueError:
            return

    found = verify(as_bytes(facts))

    assert not found.holds or facts == GOOD
    assert list(told(found))


@given(st.sampled_from(ALL))
@settings(deadline=None)
def test_a_member_or_element_that_was_taken_out_is_a_fault(place: tuple[int, Any]) -> None:
    number, path = place
    facts = copy.deepcopy(GOOD)
    del holder_of(facts, number, path)[path[-1]]

    assert not verify(as_lines(facts)).holds


@given(st.sampled_from([(number, ()) for number in range(len(GOOD))] + ALL))
@settings(deadline=None)
def test_a_member_that_was_added_is_a_fault(place: tuple[int, Any]) -> None:
    number, path = place
    facts = copy.deepcopy(GOOD)
    within = holder_of(facts, number, (*path, ""))
    if isinstance(within, dict):
        within["zusatz"] = "VERIFIED"
        assert not verify(as_lines(facts)).holds


def test_a_line_without_end_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reading_lines, "MOST_BYTES", 5000)
    path = tmp_path / "file.jsonl"
    path.write_bytes(as_lines(GOOD)[0] + b'{"type": "' + b"x" * 1_000_000)

    with path.open("rb") as raw:
        found = verify(raw)
        assert raw.tell() < 20_000

    assert [(fault.line, fault.said) for fault in found.faults] == [(2, 5001)]
    assert verify(BytesIO(b"".join(as_lines(GOOD)[:1]))).faults[0].line == 1


@pytest.mark.parametrize("deep", [400, 900, 5000])
def test_deep_nesting_is_a_fault(deep: int) -> None:
    raw = b'{"type": "selection.criteria_recorded.v1", "data": {"set": "a", "version": 1, "log": {"number": 1,'
    raw += b'"previous_sha256": "0", "sha256": "0"}, "x": ' + b"[" * deep + b"]" * deep + b"}}\n"

    found = verify([as_lines(GOOD)[0], raw])

    assert {fault.line for fault in found.faults} == {2}


def test_many_voices_are_a_fault() -> None:
    more = [
        lambda place, number=number: a_ballot(place, ("m-1", "bahnstadt", 1, (1, 1, 1, 1)), voice=f"v-{number}")
        for number in range(300)
    ]

    assert [field for _, field in faults(a_file(more=more))] == ["$.data.voice"]


def test_an_assessment_cannot_be_given_as_a_ballot() -> None:
    more = [lambda place: a_ballot(place, ("a-2", "stadtlexikon", 1, (5, 5, 5, 5)), voice="assessments")]

    assert [field for _, field in faults(a_file(more=more, tallies=counted(BALLOTS)))] == ["$.data.voice"]


def test_a_count_that_was_recorded_late_never_counts() -> None:
    late = [lambda place: a_count(place, version=2, votes=((("stadtlexikon",), 900),), at=AFTER)]

    assert verify(as_lines(a_file(more=late, tallies=counted(BALLOTS)))).faults == ()


CITIZENS = {"voice": "citizens", "title": "Bürgerschaft", "kind": "votes", "weight": "0"}
BOARD = {"voice": "board", "title": "Smart-City-Board", "kind": "scores", "weight": "1"}


def test_millions_of_citizens_are_counted_as_fast_as_one() -> None:
    people = 2**53 - 1
    rules = {"method": "equal_shares", "budget_eur": 10_000, "line": "digital"}
    count = [lambda place: a_count(place, voice="citizens", votes=((("bahnstadt",), people),))]
    tallies = {**counted(BALLOTS), "citizens": {"bahnstadt": people}}
    said: dict[str, Any] = {"selection": rules, "voices": [BOARD, CITIZENS]}
    del tallies["forum"]

    facts = a_file(more=count, tallies=tallies, approvals={frozenset({"bahnstadt"}): people}, **said)

    assert verify(as_lines(facts)).faults == ()


def test_a_round_closed_before_its_deadline_is_named() -> None:
    assert faults(a_file(may_end_early=False)) == [(7, "$.data.moved_at")]
    assert faults(a_file(ballots_until="2026-03-02T12:00:00Z")) == [(20, "$.data.closed_at")]


def test_other_words_for_a_result_are_noted() -> None:
    facts = json.loads(json.dumps(GOOD))
    row = facts[21]["data"]["lines"][0]
    row["why_de"] = row["why_de"].replace("Ausgewählt", "Verworfen").replace("Platz", "Rang")

    found = verify(as_lines(facts))

    assert found.figures is not None
    assert [note.split(",")[0] for note in found.figures.notes] == [
        "1 results are worded otherwise than by this program"
    ]


# --- portfolios whose search was broken off

RULES: dict[str, Any] = {
    "method": "portfolio",
    "seats": None,
    "budgets": [{"line": "digital", "limit_eur": 20_000}],
    "exclusions": [],
    "dependencies": [],
    "minimum_per_field": {},
    "part_funding": [],
}
FULL = Fraction(1)
ENOUGH = Fraction(100)


def a_portfolio_file(*names: str, at_most: Fraction | None = ENOUGH) -> Facts:
    """A file over a portfolio that another solver found."""
    return a_file(taken=Taken(dict.fromkeys(names, FULL), at_most), overrides={}, selection=RULES)


def forged(*names: str, at_most: str | None = "100") -> Facts:
    """A file whose portfolio nobody could have found; its result is computed without looking at it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oker_decision.portfolio._good_enough", lambda *_: None)
        patch.setattr("oker_decision.portfolio._filled", lambda _, chosen: chosen)
        patch.setattr("oker_decision.portfolio.columns.Row.over", lambda *_: 0)
        return a_portfolio_file(*names, at_most=None if at_most is None else Fraction(at_most))


def best_two() -> list[str]:
    facts = a_file(overrides={}, selection=RULES)
    rows = [row for fact in facts if "result_recorded" in fact.get("type", "") for row in fact["data"]["lines"]]
    return [row["project_id"] for row in rows if row["share"] != "0"]


def test_a_portfolio_of_another_solver_holds_and_says_so() -> None:
    found = verify(as_lines(a_portfolio_file(*best_two())))

    assert found.faults == ()
    assert found.figures is not None
    assert "the portfolio is that of the file" in found.figures.notes[0]


@pytest.mark.parametrize(
    ("names", "at_most", "why"),
    [
        (POOL, "100", "breaks this"),
        (POOL[:1], "100", "still fits"),
        (("handyparken", "stadtlexikon"), "100", "better portfolio"),
        (("bahnstadt", "handyparken"), "1", "itself is worth"),
    ],
)
def test_a_portfolio_that_was_bent_is_named(names: tuple[str, ...], at_most: str, why: str) -> None:
    (fault,) = verify(as_lines(forged(*names, at_most=at_most))).faults

    assert (fault.line, fault.field) == (20, "$.data.summary.portfolio")
    assert why in fault.sentence


def test_a_portfolio_that_was_searched_to_the_end_is_the_only_one() -> None:
    assert not verify(as_lines(forged("handyparken", "stadtlexikon", at_most=None))).holds


def test_a_search_that_does_not_end_here_leaves_the_constraints(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = a_portfolio_file(*best_two())

    def unsolved(*_: Any, **__: Any) -> None:
        raise Unsolved("No portfolio was settled.")

    monkeypatch.setattr("oker_decision.portfolio._best", unsolved)

    assert verify(as_lines(facts)).faults == ()
    assert not verify(as_lines(forged(*POOL))).holds
