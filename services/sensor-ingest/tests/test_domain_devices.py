"""What may change about a device, and that it does not matter in which order it is said."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from builders_sensor_ingest import NOON, a_datastream, a_device, minutes
from hypothesis import given
from hypothesis import strategies as st

from sensor_ingest import domain
from sensor_ingest.domain import Datastream, Device, Mounting, NotAcceptable, Placement, Point, ProfileRef, Terms

NOW = NOON + timedelta(hours=1)
NAMES = ("power_1", "power_2", "power_3", "temperature_1")


def only_kilowatts(unit: str, measured: str) -> None:
    if unit not in ("kW", "W"):
        raise ValueError(f"{unit!r} is no unit.")


TERMS = Terms(("environment", "grid"), only_kilowatts, lambda ref: ref.name == "dragino-lht65", NOW)


def said(minute: int = 0, source: str = "/scada", id: str = "1") -> domain.Version:
    return NOON + minutes(minute), source, id


def a_declaration(version: domain.Version, *streams: Datastream, **words: Any) -> Device:
    """Each datastream is declared with the declaration, in its words."""
    declared = [replace(stream, declared=version) for stream in streams or (a_datastream(),)]
    return a_device(*declared, declared=version, **words)


def refusal(doing: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(NotAcceptable) as refused:
        doing()
    return refused.value.code, refused.value.field


versions = st.tuples(
    st.integers(0, 3).map(lambda minute: NOON + minutes(minute)), st.sampled_from("ab"), st.text("123", min_size=1)
)
points = st.builds(Point, st.floats(-180, 180), st.floats(-90, 90), st.none() | st.floats(0, 500))
Step = Callable[[Device | None], Device]


@st.composite
def declarations(draw: st.DrawFn, version: domain.Version) -> Step:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    words = draw(st.sampled_from(["Wirkleistung", "Last"]))
    streams = [replace(a_datastream(name), observed_property=words, maximum=draw(st.just(1.0))) for name in names]
    declared = a_declaration(
        version,
        *streams,
        name=draw(st.sampled_from(["Trafo", "Station"])),
        profile=draw(st.sampled_from([None, ProfileRef("dragino-lht65")])),
        hardware=draw(st.sampled_from(["h-1", "h-2"])),
        location=draw(st.none() | points),
    )
    return lambda known: domain.register(declared, known, TERMS)


@st.composite
def replacements(draw: st.DrawFn, version: domain.Version) -> Step:
    since = NOON - timedelta(days=draw(st.integers(0, 3)))
    mounting = Mounting(draw(st.sampled_from(["h-1", "h-2", "h-3"])), since, version)
    return lambda known: domain.replace_hardware("trafo-12", known, mounting, NOW)


@st.composite
def moves(draw: st.DrawFn, version: domain.Version) -> Step:
    since = NOON - timedelta(days=draw(st.integers(0, 3)))
    placement = Placement(draw(points), since, version)
    return lambda known: domain.move("trafo-12", known, placement, NOW)


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """A declaration, and what is said after it, each under an identity of its own."""
    first, *rest = draw(st.lists(versions, min_size=1, max_size=8, unique=True))
    kinds = [draw(st.sampled_from([declarations, replacements, moves])) for _ in rest]
    return [draw(declarations(first)), *(draw(kind(version)) for kind, version in zip(kinds, rest, strict=True))]


def taken(steps: Sequence[Step]) -> Device:
    """The device after all of it; what comes before the first declaration is refused and comes again at the end."""
    known: Device | None = None
    waiting = list(steps)
    while waiting:
        refused = []
        for step in waiting:
            try:
                known = step(known)
            except NotAcceptable as error:
                if error.code != "device_unknown":
                    raise
                refused.append(step)
        waiting = refused
    assert known is not None
    return known


@given(st.data(), steps())
def test_any_order_and_repetition_ends_in_the_same_device(data: st.DataObject, sent: list[Step]) -> None:
    repeated = data.draw(st.lists(st.sampled_from(sent), max_size=4))
    arriving = data.draw(st.permutations(sent + repeated))

    assert taken(arriving) == taken(sent)


def test_the_declaration_that_was_said_last_counts_whatever_came_first() -> None:
    older = a_declaration(said(0), a_datastream("power_1"), name="Old", location=Point(10.5, 52.2))
    newer = a_declaration(said(1), a_datastream("power_2"), name="New", hardware="h-2")

    device = taken([partial(domain.register, newer, terms=TERMS), partial(domain.register, older, terms=TERMS)])

    assert (device.name, device.hardware, device.location) == ("New", "h-2", None)
    assert list(device.datastreams) == ["power_1", "power_2"]


def test_each_datastream_keeps_its_own_newest_words() -> None:
    before = a_declaration(said(0), a_datastream("power_1"), replace(a_datastream("power_2"), maximum=10.0))
    after = a_declaration(said(1), replace(a_datastream("power_1"), maximum=5.0, interval_seconds=60))

    streams = domain.register(after, domain.register(before, None, TERMS), TERMS).datastreams

    assert (streams["power_1"].maximum, streams["power_1"].interval_seconds) == (5.0, 60)
    assert streams["power_2"].maximum == 10.0


@pytest.mark.parametrize(
    ("stream", "code", "field"),
    [
        (a_datastream("power_1", unit="W"), "unit_changed", "datastreams[1].unit"),
        (a_datastream("power_1", dataset="environment"), "unit_changed", "datastreams[1].dataset"),
        (a_datastream("power_1", dataset="visitors"), "dataset_unknown", "datastreams[1].dataset"),
        (a_datastream("power_3", unit="kw"), "unit_unknown", "datastreams[1].unit"),
        (replace(a_datastream("power_3"), minimum=2, maximum=1), "field_value_invalid", "datastreams[1].minimum"),
    ],
)
def test_a_datastream_is_held_against_what_is_known(stream: Datastream, code: str, field: str) -> None:
    known = domain.register(a_declaration(said()), None, TERMS)
    declared = a_declaration(said(1), a_datastream("power_2"), stream)

    assert refusal(lambda: domain.register(declared, known, TERMS)) == (code, field)


def test_a_unit_that_was_taken_before_units_were_checked_stays() -> None:
    old = a_device(a_datastream("power_1", unit="kw"))

    assert domain.register(a_declaration(said(), a_datastream("power_1", unit="kw")), old, TERMS).name == old.name


def test_a_profile_must_be_known() -> None:
    right = a_declaration(said(), profile=ProfileRef("dragino-lht65", 1))
    wrong = a_declaration(said(), profile=ProfileRef("dragino-lht66", 3))

    assert domain.register(right, None, TERMS).profile == ("dragino-lht65", 1)
    assert refusal(lambda: domain.register(wrong, None, TERMS)) == ("profile_unknown", "profile")


def test_a_property_is_declared_once_in_a_message() -> None:
    twice = [a_datastream("power_1"), a_datastream("power_1", unit="W")]

    assert refusal(lambda: domain.by_property(twice)) == ("field_value_invalid", "datastreams[1].property")


def test_a_device_cannot_grow_beyond_one_event() -> None:
    many = [a_datastream(f"power_{n}") for n in range(domain.MAX_DATASTREAMS)]
    known = domain.register(a_declaration(said(), *many), None, TERMS)
    another = a_declaration(said(1), a_datastream("another"))
    wordy = a_declaration(said(1), *[replace(stream, observed_property="😀" * 300) for stream in many])

    assert domain.register(a_declaration(said(1), many[0]), known, TERMS).datastreams.keys() == known.datastreams.keys()
    assert refusal(lambda: domain.register(another, known, TERMS)) == ("field_value_invalid", "datastreams")
    assert refusal(lambda: domain.register(wordy, known, TERMS)) == ("field_value_invalid", "datastreams")


def test_the_history_of_a_device_has_an_end() -> None:
    changes = tuple(Mounting(f"h-{n}", NOON - timedelta(hours=n), said()) for n in reversed(range(domain.MAX_CHANGES)))
    known = a_device(mountings=changes)

    assert domain.replace_hardware("trafo-12", known, replace(changes[0], hardware="h"), NOW).mountings
    more = Mounting("h", NOON + minutes(1), said())
    refused = refusal(lambda: domain.replace_hardware("trafo-12", known, more, NOW))
    assert refused == ("field_value_invalid", "replaced_at")


AHEAD = NOW + domain.CLOCK_TOLERANCE
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("time", "code"), [(AHEAD + SECOND, "time_in_future"), (datetime(1999, 12, 31, tzinfo=UTC), "time_too_old")]
)
def test_what_is_said_from_the_future_would_win_for_ever_and_is_refused(time: datetime, code: str) -> None:
    late, place = (time, "/scada", "1"), Point(10.5, 52.2)

    assert refusal(lambda: domain.register(a_declaration(late), None, TERMS)) == (code, "time")
    for since, version, field in ((time, said(), "{}ed_at"), (NOON, late, "time")):
        replaced = partial(domain.replace_hardware, "trafo-12", a_device(), Mounting("h", since, version), NOW)
        moved = partial(domain.move, "trafo-12", a_device(), Placement(place, since, version), NOW)
        assert refusal(replaced) == (code, field.format("replac"))
        assert refusal(moved) == (code, field.format("mov"))


def test_replacing_and_moving_need_a_device() -> None:
    mounting, placement = Mounting("h", NOON, said()), Placement(Point(10.5, 52.2), NOON, said())

    assert refusal(lambda: domain.replace_hardware("t", None, mounting, NOW)) == ("device_unknown", "device")
    assert refusal(lambda: domain.move("t", None, placement, NOW)) == ("device_unknown", "device")


def test_of_two_changes_for_one_time_the_one_said_last_counts() -> None:
    first, last = Mounting("typo", NOON, said(0)), Mounting("h-2", NOON, said(1))

    device = domain.replace_hardware("t", domain.replace_hardware("t", a_device(), last, NOW), first, NOW)

    assert device.mountings == (last,)


def test_a_device_stands_where_it_was_moved_last_before_a_time() -> None:
    device = a_device(location=Point(10.5, 52.2))
    device = domain.move("t", device, Placement(Point(10.6, 52.3), NOON, said()), NOW)

    def place(time: datetime) -> Point | None:
        found = domain.current(device.all_placements, time)
        return found and found.location

    assert place(NOON - SECOND) == (10.5, 52.2, None)
    assert place(NOON) == place(NOW) == (10.6, 52.3, None)
    assert domain.current(a_device().all_placements, NOW) is None


def mounted(**devices: list[tuple[str, int | None]]) -> dict[str, list[Mounting]]:
    """Of each device its hardware since a minute, ``None`` since ever."""
    return {
        device: [Mounting(h, domain.EVER if m is None else NOON + minutes(m), said(id=device)) for h, m in history]
        for device, history in devices.items()
    }


@pytest.mark.parametrize(
    ("mountings", "expected"),
    [
        (mounted(a=[("h", None)]), ["a", "a", "a", "a"]),
        (mounted(a=[("h", None), ("x", 2)]), ["a", "a", None, None]),
        (mounted(a=[("h", None)], b=[("x", None), ("h", 1)]), ["a", "b", "b", "b"]),
        (mounted(a=[("h", None)], b=[("x", None), ("h", 1), ("y", 2)]), ["a", "b", None, None]),
        (mounted(a=[("h", None)], b=[("h", 1), ("y", 2)], c=[("h", 3)]), ["a", "b", None, "c"]),
        (mounted(a=[("h", None), ("h", 2)], b=[("h", 1)]), ["a", "b", "a", "a"]),
        (mounted(a=[("h", None)], b=[("h", None)]), ["b", "b", "b", "b"]),
        (mounted(b=[("h", None)], a=[("h", None)]), ["b", "b", "b", "b"]),
        (mounted(a=[("x", None), ("h", 1)]), [None, "a", "a", "a"]),
        ({}, [None, None, None, None]),
    ],
)
def test_an_apparatus_is_at_one_device_at_a_time(
    mountings: dict[str, list[Mounting]], expected: list[str | None]
) -> None:
    stays = domain.stays("h", mountings)

    assert [domain.device_at(stays, NOON + minutes(minute)) for minute in range(4)] == expected
    for stay, following in itertools.pairwise(stays):
        assert stay.until is not None
        assert stay.until <= following.since


def test_an_eui_is_one_in_any_case_and_other_names_keep_theirs() -> None:
    assert domain.hardware_id("70B3D57ED0001A2C") == "70b3d57ed0001a2c"
    assert domain.hardware_id("Zaehler-7") == "Zaehler-7"


def test_the_id_of_a_datastream_follows_from_what_it_is() -> None:
    assert domain.datastream_id("a", "b", "c") == domain.datastream_id("a", "b", "c")
    assert len({domain.datastream_id(p, d, q) for p in "ab" for d in "ab" for q in "ab"}) == 8


def held_by(device: str | None) -> Terms:
    return replace(TERMS, holder=lambda _: device)


def test_a_declaration_takes_no_other_device_s_hardware() -> None:
    declared = a_declaration(said(), hardware="h-1")

    with pytest.raises(NotAcceptable) as refused:
        domain.register(declared, None, held_by("pegel-1"))

    assert (refused.value.code, refused.value.field) == ("hardware_taken", "hardware")
    assert "pegel-1" in refused.value.detail
    assert "sensor.device_replaced.v1" in refused.value.detail


def test_a_device_keeps_its_own_hardware_however_often_it_is_declared() -> None:
    known = domain.register(a_declaration(said(), hardware="h-1"), None, held_by("trafo-12"))

    assert domain.register(a_declaration(said(1), hardware="h-1"), known, held_by("pegel-1")).hardware == "h-1"


def test_an_older_declaration_cannot_take_hardware_and_is_no_fault() -> None:
    known = domain.register(a_declaration(said(2), hardware="h-2"), None, TERMS)

    assert domain.register(a_declaration(said(1), hardware="h-1"), known, held_by("pegel-1")).hardware == "h-2"


def test_hardware_that_came_to_a_device_at_a_time_is_declared_nowhere() -> None:
    mountings = (Mounting("own", domain.EVER, said()), Mounting("h-1", NOON, said()))

    assert domain.first_holder(domain.stays("h-1", {"pegel-1": mountings})) is None
    assert domain.first_holder(domain.stays("own", {"pegel-1": mountings})) == "pegel-1"
