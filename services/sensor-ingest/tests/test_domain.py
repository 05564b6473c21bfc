"""The rules of readings: what is accepted, and how values of one moment are counted."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from builders_sensor_ingest import NOON, a_claimed_number, a_datastream, a_device, a_result, current, minutes
from hypothesis import given
from hypothesis import strategies as st

from sensor_ingest import domain
from sensor_ingest.domain import Device, EventRow, Observation, Reading

NOW = NOON + timedelta(hours=1)
moments = st.integers(0, 1_000_000_000).map(lambda seconds: NOON - timedelta(seconds=seconds))
zones = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """A value of one of two datastreams at one of two moments, in one of few events, told in any time zone."""
    stream = a_datastream(draw(st.sampled_from(["power_1", "power_2"])))
    value = draw(st.floats(-1e6, 1e6))
    reading = a_claimed_number(
        results=[a_result(value, stream.property)],
        event=draw(st.sampled_from(["1", "2", "3"])),
        source=draw(st.sampled_from(["/a", "/b"])),
        phenomenon_time=(NOON + minutes(draw(st.integers(0, 1)))).astimezone(draw(zones)),
        result_time=(NOON + minutes(draw(st.integers(0, 2)))).astimezone(draw(zones)),
    )
    return Observation(reading, stream, value)


class Table:
    """The rows and counts that a store keeps, said in the plainest way."""

    def __init__(self) -> None:
        self.rows: dict[EventRow, Observation] = {}
        self.counts: Counter[str] = Counter()

    def take(self, batch: list[Observation]) -> None:
        known = {observation.natural_key for observation in self.rows.values()}
        new = {o.row: o.natural_key in known for o in batch if o.row not in self.rows}
        self.counts.update(domain.outcomes(batch, new))
        for observation in batch:
            self.rows.setdefault(observation.row, observation)


def in_batches(arriving: list[Observation], size: int) -> Table:
    table = Table()
    for start in range(0, len(arriving), size):
        table.take(arriving[start : start + size])
    return table


@given(st.data(), st.lists(observations(), max_size=12, unique_by=lambda o: o.row))
def test_counts_and_values_do_not_depend_on_order_repetition_or_batches(
    data: st.DataObject, sent: list[Observation]
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(sent), max_size=6)) if sent else []
    arriving = data.draw(st.permutations(sent + repeated))

    plain = in_batches(sent, 1)
    table = in_batches(list(arriving), data.draw(st.integers(1, 20)))

    assert table.counts["stored"] == plain.counts["stored"] == len({o.natural_key for o in sent})
    assert table.counts["corrected"] == plain.counts["corrected"] == len(sent) - table.counts["stored"]
    assert table.counts["duplicate"] == len(repeated)
    assert current(table.rows.values()) == current(sent)


def judged(
    reading: Reading, device: Device | None, convert: domain.Convert = domain.same_unit_only
) -> list[tuple[str, str]]:
    """Reason and field of each number, or its value, in order."""
    accepted, rejected = domain.judge(reading, device, NOW, convert)
    values = iter(accepted)
    refused = dict(rejected)
    return [
        (refused[at].code, refused[at].field) if at in refused else ("accepted", str(next(values).value))
        for at in range(len(reading.results))
    ]


def test_each_reading_of_a_message_is_judged_on_its_own() -> None:
    device = a_device(a_datastream("power_1"), a_datastream("power_2"))
    results = [
        a_result(1.0, "power_1"),
        a_result(2.0, "power_2", "m"),
        a_result(3.0, "power_9"),
        a_result(4.0, "power_1"),
        a_result(5.0, "power_2"),
    ]

    assert judged(a_claimed_number(results=results), device) == [
        ("accepted", "1.0"),
        ("unit_mismatch", "unit"),
        ("property_unknown", "property"),
        ("field_value_invalid", "property"),
        ("field_value_invalid", "property"),
    ]


def test_a_reading_of_an_undeclared_device_is_not_accepted() -> None:
    assert judged(a_claimed_number(), None) == [("device_unknown", "device")]


AHEAD = NOW + domain.CLOCK_TOLERANCE
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("field", ["phenomenon_time", "result_time"])
@pytest.mark.parametrize(
    ("time", "code"),
    [
        (AHEAD, "accepted"),
        (AHEAD + SECOND, "time_in_future"),
        (domain.OLDEST, "accepted"),
        (domain.OLDEST - SECOND, "time_too_old"),
        (datetime(1970, 1, 1, tzinfo=UTC), "time_too_old"),
        (datetime(2, 1, 1, tzinfo=timezone(timedelta(hours=14))), "time_too_old"),
        (datetime(9998, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-12))), "time_in_future"),
    ],
)
def test_clocks_are_held_against_the_platform_s(field: str, time: datetime, code: str) -> None:
    said: dict[str, Any] = {field: time}

    (found,) = judged(a_claimed_number(**said), a_device())

    assert found[0] == code
    assert code == "accepted" or found[1] == field


def test_another_unit_of_the_same_kind_is_converted_and_the_original_kept() -> None:
    reading = a_claimed_number(results=[a_result(500.0, unit="W")])

    (observation,), _ = domain.judge(reading, a_device(), NOW, lambda value, *_: value / 1000)

    assert (observation.value, observation.reported) == (0.5, (500.0, "W"))


@pytest.mark.parametrize(("value", "code"), [(0.0, "accepted"), (100.0, "accepted"), (-0.1, "value_implausible")])
def test_a_value_outside_of_the_declared_range_is_not_accepted(value: float, code: str) -> None:
    device = a_device(replace(a_datastream(), minimum=0.0, maximum=100.0))

    assert judged(a_claimed_number(value), device)[0][0] == code


@given(st.lists(st.tuples(moments, zones), max_size=5))
def test_the_months_of_a_batch_are_those_of_its_readings_in_utc(said: list[tuple[datetime, timezone]]) -> None:
    times = [moment.astimezone(zone) for moment, zone in said]
    readings = [a_claimed_number(phenomenon_time=time) for time in times]

    assert domain.months(readings) == {(at.year, at.month) for at in (time.astimezone(UTC) for time in times)}
