"""Two times: what was valid when, and what was known when."""

from datetime import UTC, datetime, timedelta

from builders_project_registry import NOON
from hypothesis import given
from hypothesis import strategies as st

from project_registry import domain

DAY = timedelta(days=1)
days = st.integers(0, 9)


def an_entry(version: int, valid_from: datetime, recorded_at: datetime) -> domain.Entry:
    """A version of a project."""
    return domain.Entry("project", "p-1", version, valid_from, recorded_at, None, "why", {})


def a_history(recorded: list[tuple[int, int]]) -> list[domain.Entry]:
    """Versions recorded one after the other; each: days until it is recorded, days back from when it holds."""
    entries, at = [], NOON
    for version, (later, back) in enumerate(recorded, 1):
        at += later * DAY
        entries.append(an_entry(version, at - back * DAY, at))
    return entries


histories = st.lists(st.tuples(days, days), min_size=1, max_size=8).map(a_history)
moments = st.integers(-20, 80).map(lambda number: NOON + number * DAY)


def test_a_late_version_corrects_the_past_until_the_next_change() -> None:
    first = an_entry(1, NOON, NOON)
    second = an_entry(2, NOON + 10 * DAY, NOON + 10 * DAY)
    late = an_entry(3, NOON + 5 * DAY, NOON + 20 * DAY)
    entries = [first, second, late]

    assert domain.valid(entries, NOON + 4 * DAY) is first
    assert domain.valid(entries, NOON + 7 * DAY) is late
    assert domain.valid(entries, NOON + 7 * DAY, known_at=NOON + 19 * DAY) is first
    assert domain.valid(entries, NOON + 30 * DAY) is second
    assert domain.valid(entries, NOON - DAY) is None


@given(histories, moments, moments, st.data())
def test_what_was_known_then_is_never_changed_by_what_is_learnt_later(
    entries: list[domain.Entry], as_of: datetime, known_at: datetime, data: st.DataObject
) -> None:
    kept = data.draw(st.integers(0, len(entries)))
    known = entries[:kept]
    later = [entry for entry in entries[kept:] if entry.recorded_at > known_at]

    assert domain.valid([*known, *later], as_of, known_at) == domain.valid(known, as_of, known_at)


@given(histories, moments, st.data())
def test_the_order_in_which_versions_are_looked_at_does_not_matter(
    entries: list[domain.Entry], as_of: datetime, data: st.DataObject
) -> None:
    assert domain.valid(data.draw(st.permutations(entries)), as_of) == domain.valid(entries, as_of)


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_a_version_is_never_recorded_before_the_one_it_follows(now: datetime, before: datetime) -> None:
    newest = an_entry(1, before, before)

    assert domain.moment(now, newest) >= before
    assert domain.moment(now, newest) >= now
    assert domain.moment(now, None) == now
