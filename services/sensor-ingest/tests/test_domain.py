"""The rules of readings: what is accepted, and how values of one moment are counted."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from builders_sensor_ingest import NOON, a_claimed_number, a_datastream, a_device, current, minutes
from hypothesis import given
from hypothesis import strategies as st

from sensor_ingest import domain
from sensor_ingest.domain import Device, EventRow, NotAcceptable, Observation, Reading

DATASETS = ("environment", "grid")
NOW = NOON + timedelta(hours=1)
names = st.sampled_from(["power_1", "power_2", "power_3", "temperature_1"])
streams = st.lists(names, min_size=1, unique=True).map(lambda found: [a_datastream(name) for name in found])
zones = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """A value of one of two datastreams at one of two moments, in one of few events, told in any time zone."""
    stream = a_datastream(draw(st.sampled_from(["power_1", "power_2"])))
    reading = a_claimed_number(
        value=draw(st.floats(-1e6, 1e6)),
        event=draw(st.sampled_from(["1", "2", "3"])),
        source=draw(st.sampled_from(["/a", "/b"])),
        property=stream.property,
        phenomenon_time=(NOON + minutes(draw(st.integers(0, 1)))).astimezone(draw(zones)),
        result_time=(NOON + minutes(draw(st.integers(0, 2)))).astimezone(draw(zones)),
    )
    return Observation(reading, stream)


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


@given(streams, st.none() | streams)
def test_registering_twice_changes_nothing(declared: list[domain.Datastream], before: list[domain.Datastream]) -> None:
    known = a_device(*before) if before else None

    once = domain.register(a_device(*declared), known, DATASETS)

    assert domain.register(a_device(*declared), once, DATASETS) == once
    assert set(once.datastreams) == {s.property for s in [*declared, *(before or [])]}


def test_what_was_known_stays_when_something_is_added() -> None:
    known = a_device(a_datastream("power_1"), name="Old", location=None)

    device = domain.register(a_device(a_datastream("power_2"), name="New", location=(10.5, 52.2)), known, DATASETS)

    assert (device.name, device.location) == ("New", (10.5, 52.2))
    assert list(device.datastreams) == ["power_1", "power_2"]


@pytest.mark.parametrize(
    ("stream", "code", "field"),
    [
        (a_datastream("power_1", unit="W"), "unit_changed", "datastreams[1].unit"),
        (a_datastream("power_1", dataset="environment"), "unit_changed", "datastreams[1].dataset"),
        (a_datastream("power_1", dataset="visitors"), "dataset_unknown", "datastreams[1].dataset"),
    ],
)
def test_unit_and_dataset_of_a_datastream_never_change(stream: domain.Datastream, code: str, field: str) -> None:
    declared = a_device(a_datastream("power_2"), stream)

    with pytest.raises(NotAcceptable) as refused:
        domain.register(declared, a_device(a_datastream("power_1")), DATASETS)

    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_property_is_declared_once() -> None:
    with pytest.raises(NotAcceptable) as refused:
        domain.by_property([a_datastream("power_1"), a_datastream("power_1", unit="W")])

    assert (refused.value.code, refused.value.field) == ("field_value_invalid", "datastreams[1].property")


def test_a_device_cannot_grow_beyond_one_event() -> None:
    known = a_device(*[a_datastream(f"power_{n}") for n in range(domain.MAX_DATASTREAMS)])

    assert domain.register(a_device(a_datastream("power_1")), known, DATASETS) == known
    with pytest.raises(NotAcceptable) as refused:
        domain.register(a_device(a_datastream("another")), known, DATASETS)
    assert (refused.value.code, refused.value.field) == ("field_value_invalid", "datastreams")


def judged(*readings: Reading, device: Device | None) -> list[tuple[str, str]]:
    """Reason and field of each reading, or its value."""
    return [
        ("accepted", str(found.reading.value)) if isinstance(found, Observation) else (found.code, found.field)
        for found in domain.judge(readings, device, NOW)
    ]


def test_each_reading_of_a_message_is_judged_on_its_own() -> None:
    device = a_device(a_datastream("power_1"), a_datastream("power_2"))
    readings = [
        a_claimed_number(1.0, property="power_1"),
        a_claimed_number(2.0, property="power_2", unit="W"),
        a_claimed_number(3.0, property="power_9"),
        a_claimed_number(4.0, property="power_1"),
        a_claimed_number(5.0, property="power_2"),
    ]

    assert judged(*readings, device=device) == [
        ("accepted", "1.0"),
        ("unit_mismatch", "unit"),
        ("property_unknown", "property"),
        ("field_value_invalid", "property"),
        ("field_value_invalid", "property"),
    ]


def test_a_reading_of_an_undeclared_device_is_not_accepted() -> None:
    assert judged(a_claimed_number(), device=None) == [("device_unknown", "device")]


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

    (found,) = judged(a_claimed_number(**said), device=a_device())

    assert found[0] == code
    assert code == "accepted" or found[1] == field


def test_the_id_of_a_datastream_follows_from_what_it_is() -> None:
    assert domain.datastream_id("a", "b", "c") == domain.datastream_id("a", "b", "c")
    assert len({domain.datastream_id(p, d, q) for p in "ab" for d in "ab" for q in "ab"}) == 8
