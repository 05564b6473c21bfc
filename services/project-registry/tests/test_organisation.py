"""Terms of office that exclude each other, and departments that nobody answers for."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from builders_project_registry import NOON
from hypothesis import given
from hypothesis import strategies as st

from project_registry import domain

YEAR = timedelta(days=365)
ROLES = ("cdo", "unit", "board", "dezernent", "officer", "stand_in", "forum", "advisory_board")


def a_term(**said: Any) -> domain.Term:
    """A term of office."""
    default: dict[str, Any] = {
        "term": "t-1",
        "holder": "o-1",
        "role": "officer",
        "organisations": ("fb-66",),
        "starts": NOON,
        "ends": NOON + YEAR,
    }
    return domain.Term(**{**default, **said})


def test_two_officers_of_one_department_exclude_each_other() -> None:
    other = a_term(term="t-2", holder="o-2", starts=NOON + YEAR - timedelta(days=1), ends=None)

    assert domain.overlap(other, [a_term()]) == a_term()


@pytest.mark.parametrize(
    "said",
    [
        {"starts": NOON + YEAR},
        {"organisations": ("fb-67",)},
        {"role": "stand_in"},
        {"term": "t-1"},
        {"starts": NOON - YEAR, "ends": NOON},
    ],
)
def test_a_successor_another_department_a_stand_in_and_the_term_itself_do_not(said: dict[str, Any]) -> None:
    assert domain.overlap(a_term(**{"term": "t-2", "holder": "o-2", "ends": None, **said}), [a_term()]) is None


def test_there_is_one_cdo_and_a_board_of_many() -> None:
    cdo, board = a_term(role="cdo", organisations=()), a_term(role="board", organisations=())

    assert domain.overlap(a_term(term="t-2", role="cdo", organisations=()), [cdo]) == cdo
    assert domain.overlap(a_term(term="t-2", role="board", organisations=()), [board]) is None


spans = st.tuples(st.integers(0, 30), st.none() | st.integers(1, 30))


@st.composite
def terms(draw: st.DrawFn) -> list[domain.Term]:
    """Terms taken in one after the other, each refused where it excludes one that is there."""
    taken: list[domain.Term] = []
    for number, (start, length) in enumerate(draw(st.lists(spans, max_size=12))):
        starts = NOON + timedelta(days=start)
        ends = None if length is None else starts + timedelta(days=length)
        organisations = tuple(draw(st.sets(st.sampled_from(["a", "b", "c"]), min_size=1)))
        role = draw(st.sampled_from(ROLES))
        term = domain.Term(f"t-{number}", f"h-{number}", role, organisations, starts, ends)
        if domain.overlap(term, taken) is None:
            taken.append(term)
    return taken


@given(terms(), st.integers(-1, 70))
def test_at_no_moment_a_department_has_two_officers_or_the_city_two_cdos(taken: list[domain.Term], day: int) -> None:
    running = [term for term in taken if term.runs(NOON + timedelta(days=day))]

    assert len([term for term in running if term.role == "cdo"]) <= 1
    for organisation in ("a", "b", "c"):
        for role in ("officer", "stand_in"):
            assert len([t for t in running if t.role == role and organisation in t.organisations]) <= 1


def test_a_term_names_known_organisations_and_ends_after_it_starts() -> None:
    def where(**said: Any) -> list[str]:
        return [fault.path for fault in domain.term_faults(a_term(**said), {"fb-66"})]

    assert where() == []
    assert where(ends=NOON) == ["$.ends"]
    assert where(organisations=()) == ["$.organisations"]
    assert where(role="board", organisations=()) == []
    assert where(organisations=("fb-66", "fb-0")) == ["$.organisations[1]"]


def test_an_organisation_is_never_part_of_itself() -> None:
    above = {"dezernat-2": None, "fb-66": "dezernat-2"}

    assert domain.misplaced("fb-67", "dezernat-2", above) is None
    for organisation, part_of in (("fb-67", "nowhere"), ("fb-67", "fb-67"), ("dezernat-2", "fb-66")):
        fault = domain.misplaced(organisation, part_of, above)
        assert fault is not None
        assert fault.path == "$.part_of"


def gaps(departments: dict[str, list[str]], known: list[domain.Gap], at: datetime) -> list[tuple[str, str]]:
    """Which gaps open and close, with one officer of fb-66 for a year."""
    return [(gap.organisation, gap.state) for gap in domain.gap_changes(departments, known, [a_term()], {"fb-66"}, at)]


def test_a_gap_opens_when_the_last_term_ends_is_told_once_and_closes_when_it_is_mended() -> None:
    projects = {"fb-66": ["p-1"]}
    opened = domain.Gap("fb-66", "open", NOON + YEAR, NOON + YEAR, ("p-1",))

    assert gaps(projects, [], NOON) == []
    assert gaps(projects, [], NOON + YEAR) == [("fb-66", "open")]
    assert gaps(projects, [opened], NOON + YEAR) == []
    assert gaps(projects, [opened], NOON) == [("fb-66", "closed")]
    assert gaps({"fb-66": []}, [opened], NOON + YEAR) == [("fb-66", "closed")]


def test_a_closed_gap_keeps_since_when_it_was_open_and_a_new_one_begins_anew() -> None:
    opened = domain.Gap("fb-66", "open", NOON, NOON, ("p-1",))
    (closed,) = domain.gap_changes({"fb-66": []}, [opened], [], {"fb-66"}, NOON + YEAR)

    assert (closed.since, closed.recorded_at) == (NOON, NOON + YEAR)
    (again,) = domain.gap_changes({"fb-66": ["p-2"]}, [closed], [], {"fb-66"}, NOON + 2 * YEAR)
    assert (again.state, again.since, again.projects) == ("open", NOON + 2 * YEAR, ("p-2",))


def test_an_officer_answers_for_the_departments_of_running_terms_only() -> None:
    past = a_term(term="t-0", starts=NOON - YEAR, ends=NOON, organisations=("fb-1",))
    board = a_term(term="t-2", role="board", organisations=("fb-2",))

    assert domain.answering([past, a_term(), board], "fb-66", NOON) == {"o-1"}
    assert domain.answering([past, a_term(), board], "fb-2", NOON) == frozenset()


def test_nobody_answers_for_a_department_that_is_dissolved() -> None:
    (gap,) = domain.gap_changes({"fb-66": ["p-1"]}, [], [a_term()], set(), NOON)

    assert (gap.organisation, gap.state, gap.projects) == ("fb-66", "open", ("p-1",))


def test_a_named_officer_answers_only_where_no_term_of_office_says_who_does() -> None:
    ended = a_term(holder="o-2", starts=NOON - YEAR, ends=NOON)
    terms = [a_term(), ended]

    assert domain.answers_for("o-1", "fb-66", None, terms, NOON)
    assert not domain.answers_for("o-2", "fb-66", "o-2", terms, NOON)
    assert not domain.answers_for("o-1", "fb-67", "o-1", terms, NOON)
    assert domain.answers_for("o-2", None, "o-2", terms, NOON)
    assert domain.answers_for("o-2", "fb-66", "o-2", [], NOON)
    assert not domain.answers_for("o-1", None, "o-2", terms, NOON)
