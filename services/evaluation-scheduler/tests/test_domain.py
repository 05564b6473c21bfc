"""The calendar and the assessment, as pure functions."""

from datetime import date, timedelta

import pytest
from builders_evaluation_scheduler import a_kpi, a_measured
from holidays import country_holidays
from hypothesis import given
from hypothesis import strategies as st

from evaluation_scheduler import domain
from evaluation_scheduler.domain import Cycle, Standing

LOWER_SAXONY = country_holidays("DE", subdiv="NI")


def test_structures_come_after_one_year_and_the_strategy_every_two() -> None:
    calendar = domain.lay_out("2020", date(2020, 2, 4), 6, ())

    assert calendar.cycles == (
        Cycle("structures-year-1", "structures", date(2021, 2, 4)),
        Cycle("strategy-year-2", "strategy", date(2022, 2, 4)),
        Cycle("strategy-year-4", "strategy", date(2024, 2, 5)),  # the 4th is a Sunday
        Cycle("strategy-year-6", "strategy", date(2026, 2, 4)),
    )


def test_a_plan_of_one_year_holds_the_structures_only() -> None:
    assert [cycle.kind for cycle in domain.lay_out("2020", date(2020, 2, 4), 1, ()).cycles] == ["structures"]


@pytest.mark.parametrize(
    ("years", "expected"),
    [(1, date(2025, 2, 28)), (2, date(2026, 2, 28)), (4, date(2028, 2, 29))],
)
def test_a_resolution_on_29_february_ends_on_the_last_of_february(years: int, expected: date) -> None:
    assert domain.anniversary(date(2024, 2, 29), years) == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 3, 20), date(2026, 3, 20)),  # a Friday
        (date(2026, 3, 21), date(2026, 3, 23)),  # a Saturday
        (date(2026, 4, 3), date(2026, 4, 7)),  # Good Friday, then Easter Monday
        (date(2028, 10, 31), date(2028, 11, 1)),  # Reformation Day; All Saints is a working day here
        (date(2027, 12, 25), date(2027, 12, 27)),  # Christmas on a weekend
    ],
)
def test_a_day_off_moves_to_the_next_working_day(day: date, expected: date) -> None:
    assert domain.working_day(day, LOWER_SAXONY) == expected


@given(st.dates(date(2000, 1, 1), date(2049, 12, 31)), st.integers(1, 50))
def test_every_due_date_is_a_working_day_within_a_week_of_the_anniversary(resolved_on: date, years: int) -> None:
    for cycle in domain.lay_out("v", resolved_on, years, LOWER_SAXONY).cycles:
        after = int(cycle.cycle.rpartition("-")[2])
        exact = domain.anniversary(resolved_on, after)
        assert exact <= cycle.due_on < exact + timedelta(days=7)
        assert cycle.due_on.weekday() < 5
        assert cycle.due_on not in LOWER_SAXONY


def test_a_holiday_decreed_later_does_not_make_another_calendar() -> None:
    before = domain.lay_out("2020", date(2020, 2, 4), 2, ())
    after = domain.lay_out("2020", date(2020, 2, 4), 2, {date(2021, 2, 4)})

    assert before != after
    assert before.says_the_same(after)
    assert not before.says_the_same(domain.lay_out("2020", date(2020, 2, 5), 2, ()))
    assert not before.says_the_same(domain.lay_out("2020", date(2020, 2, 4), 4, ()))


@pytest.mark.parametrize(
    ("direction", "value", "status"),
    [
        ("at_least", 99.9, "off_track"),
        ("at_least", 100.0, "on_track"),
        ("at_most", 100.0, "on_track"),
        ("at_most", 100.1, "off_track"),
    ],
)
def test_the_target_itself_is_on_track(direction: str, value: float, status: str) -> None:
    assert domain.status_of(a_kpi(direction=direction), value) == status


def test_a_late_older_value_changes_nothing() -> None:
    standing = domain.assess(a_kpi(), Standing(), [a_measured(10, 120)])

    assert domain.assess(a_kpi(), standing, [a_measured(5, 20)]) == standing


def test_a_correction_of_the_newest_value_decides() -> None:
    first = a_measured(10, 120)
    corrected = a_measured(10, 20, result_time=first.result_time + timedelta(minutes=1), event_id="a")

    assert domain.assess(a_kpi(), Standing(), [corrected, first]).status == "off_track"


def test_a_value_in_another_unit_is_not_compared() -> None:
    standing = domain.assess(a_kpi(), Standing(), [a_measured(0, 20, unit="Cel")])

    assert standing == Standing(foreign_unit="Cel")


measured = st.builds(a_measured, st.integers(0, 5), st.floats(0, 200), event_id=st.sampled_from(["a", "b"]))


@given(st.lists(measured, unique_by=lambda m: m.rank), st.randoms(use_true_random=False), st.integers(0, 10))
def test_order_and_batches_of_arrival_never_matter(values: list[domain.Measured], random, cut: int) -> None:  # type: ignore[no-untyped-def]
    kpi = a_kpi()
    shuffled = random.sample(values, len(values))

    in_two = domain.assess(kpi, domain.assess(kpi, Standing(), shuffled[:cut]), shuffled[cut:])

    assert in_two == domain.assess(kpi, Standing(), values)
