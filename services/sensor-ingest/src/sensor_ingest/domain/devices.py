"""What a company's devices are, and what may change about them: pure rules, standard library only.

A *device* is a measuring point (SensorThings: Thing) and keeps its name for good; *hardware* is the apparatus that
is mounted there since a time. What is said of a device may come in any order, late and twice: of several
declarations the one with the greatest :data:`Version` counts, datastreams are only added, mountings and placements
are sets by time. So all orders end in the same state, except where a datastream's unit or dataset is contradicted,
or two devices are declared with one hardware: there the first that came stays, since values are kept under it.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar
from uuid import UUID, uuid5

from sensor_ingest.domain.clock import NotAcceptable, clock_fault

NAMESPACE = UUID("6f6b6572-5365-5e73-8f72-000000000001")
MAX_DATASTREAMS = 512
MAX_WORDS = 350_000
"""Bytes of what a device's datastreams are called; a word takes at most twice its bytes as JSON."""
MAX_CHANGES = 500
"""Of the hardware, and of the place, of one device: its registration, which names all, must fit into one event."""
EVER = datetime(1, 1, 1, tzinfo=UTC)
"""Stands for a mounting or placement whose beginning nobody said."""
_EUI = re.compile(r"[0-9A-Fa-f]{16}")

Version = tuple[datetime, str, str]
"""When it was said (the event's time), source and id: of several words about one thing the greatest counts."""
UNSAID: Version = (EVER, "", "")


class Point(NamedTuple):
    """A place: degrees (WGS 84), and metres of altitude."""

    longitude: float
    latitude: float
    altitude: float | None = None


class ProfileRef(NamedTuple):
    """How the device's messages are read; without a version, by the newest there is."""

    name: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Datastream:
    """One observed property of one device (SensorThings), in one unit (UCUM) and one dataset."""

    id: UUID
    property: str
    unit: str
    dataset: str
    observed_property: str
    definition: str | None = None
    interval_seconds: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    declared: Version = UNSAID


@dataclass(frozen=True, slots=True)
class Mounting:
    """This hardware measures at a device since a time."""

    hardware: str
    since: datetime
    said: Version


@dataclass(frozen=True, slots=True)
class Placement:
    """A device stands at this place since a time (SensorThings: HistoricalLocation)."""

    location: Point
    since: datetime
    said: Version


Change = TypeVar("Change", Mounting, Placement)


@dataclass(frozen=True, slots=True)
class Device:
    """A device of a company. Hardware and location are the first ones; mountings and placements are what followed."""

    partner: str
    device: str
    name: str
    datastreams: Mapping[str, Datastream]
    description: str = ""
    profile: ProfileRef | None = None
    hardware: str = ""
    location: Point | None = None
    declared: Version = UNSAID
    mountings: tuple[Mounting, ...] = field(default=())
    placements: tuple[Placement, ...] = field(default=())

    @property
    def key(self) -> tuple[str, str]:
        """The company and its own id of the device."""
        return self.partner, self.device

    @property
    def all_mountings(self) -> tuple[Mounting, ...]:
        """From the first hardware on, by time."""
        return (Mounting(self.hardware, EVER, self.declared), *self.mountings)

    @property
    def all_placements(self) -> tuple[Placement, ...]:
        """From the first place on, by time."""
        first = (Placement(self.location, EVER, self.declared),) if self.location else ()
        return (*first, *self.placements)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a declaration is held against, besides the device itself."""

    datasets: Container[str]
    """Those of the company."""
    check_unit: Callable[[str, str], None]
    """Raises a ValueError with a sentence where a unit is not of UCUM, or not one for what is measured."""
    has_profile: Callable[[ProfileRef], bool]
    now: datetime
    holder: Callable[[str], str | None] = lambda _: None
    """The device of the company that was declared with a hardware, and so has it from the beginning."""


class Stay(NamedTuple):
    """An apparatus measured at a device from ``since`` until ``until``; ``None``: until today."""

    since: datetime
    until: datetime | None
    device: str


def datastream_id(partner: str, device: str, property: str) -> UUID:
    """The id of a datastream follows from what it is: the same wherever it is computed."""
    return uuid5(NAMESPACE, f"{partner}/{device}/{property}")


def hardware_id(said: str) -> str:
    """A DevEUI in lower case, as network servers' messages are read; any other id as it is."""
    return said.lower() if _EUI.fullmatch(said) else said


def by_property(datastreams: Iterable[Datastream]) -> dict[str, Datastream]:
    """The datastreams that a device is declared with, in the order they were named.

    Raises:
        NotAcceptable: ``field_value_invalid``, a property is named twice.
    """
    found: dict[str, Datastream] = {}
    for position, stream in enumerate(datastreams):
        if stream.property in found:
            detail = f"{stream.property} is declared twice in one message."
            raise NotAcceptable("field_value_invalid", f"datastreams[{position}].property", detail)
        found[stream.property] = stream
    return found


def register(declared: Device, known: Device | None, terms: Terms) -> Device:
    """Register a device, or bring together what is known of it and one more declaration.

    Raises:
        NotAcceptable: ``dataset_unknown``, ``unit_unknown``, ``unit_changed`` where the unit or dataset of a
            datastream would change, ``profile_unknown``, ``hardware_taken`` where it would take another device's
            hardware with all its past, ``time_in_future`` and ``time_too_old`` for the event's time, or
            ``field_value_invalid`` where a range is empty or the device would get too many datastreams.
    """
    _check_time("time", declared.declared[0], terms.now)
    kept = known.datastreams if known else {}
    for position, stream in enumerate(declared.datastreams.values()):
        _check_declared(stream, kept.get(stream.property), terms, declared.partner, f"datastreams[{position}]")
    if declared.profile and not terms.has_profile(declared.profile):
        detail = f"{declared.partner} has no profile {_profile_name(declared.profile)!r}, and none is built in."
        raise NotAcceptable("profile_unknown", "profile", detail)
    merged = _joined(kept, declared.datastreams)
    _check_size(merged.values())
    newest = max(known or declared, declared, key=lambda device: device.declared)
    if known is None or newest.hardware != known.hardware:
        _check_hardware(newest, terms)
    if known is None:
        return replace(declared, datastreams=merged)
    return replace(newest, datastreams=merged, mountings=known.mountings, placements=known.placements)


def _check_hardware(device: Device, terms: Terms) -> None:
    """A declaration speaks of all time, so it would take what the hardware said at the other device, too."""
    other = terms.holder(device.hardware)
    if other not in (None, device.device):
        detail = (
            f"Hardware {device.hardware!r} is that of device {other!r}, with all that it ever said. Name another one; "
            f"or if it is at {device.device!r} now, leave it out here and say sensor.device_replaced.v1 with the time."
        )
        raise NotAcceptable("hardware_taken", "hardware", detail)


def _profile_name(profile: ProfileRef) -> str:
    return profile.name if profile.version is None else f"{profile.name}@{profile.version}"


def _joined(kept: Mapping[str, Datastream], said: Mapping[str, Datastream]) -> dict[str, Datastream]:
    """Of each property what was said last."""
    both = {**kept, **said}
    newest = (max(kept.get(p, stream), stream, key=lambda s: s.declared) for p, stream in both.items())
    return {stream.property: stream for stream in sorted(newest, key=lambda s: s.property)}


def _check_declared(stream: Datastream, before: Datastream | None, terms: Terms, partner: str, where: str) -> None:
    if stream.dataset not in terms.datasets:
        raise NotAcceptable("dataset_unknown", f"{where}.dataset", f"{partner} has no dataset {stream.dataset!r}.")
    if stream.minimum is not None and stream.maximum is not None and stream.minimum > stream.maximum:
        detail = f"The minimum of {stream.property} lies above its maximum: no value would be plausible."
        raise NotAcceptable("field_value_invalid", f"{where}.minimum", detail)
    if before is None:
        _check_unit(stream, terms, where)
        return
    for name, old, new in (
        ("unit", before.unit, stream.unit),
        ("dataset", before.dataset, stream.dataset),
    ):
        if old != new:
            detail = f"The {name} of {stream.property} is {old!r}; declare a new property."
            raise NotAcceptable("unit_changed", f"{where}.{name}", detail)


def _check_unit(stream: Datastream, terms: Terms, where: str) -> None:
    try:
        terms.check_unit(stream.unit, f"{stream.property} {stream.observed_property}")
    except ValueError as error:
        raise NotAcceptable("unit_unknown", f"{where}.unit", str(error)) from None


def _check_size(streams: Iterable[Datastream]) -> None:
    found = list(streams)
    if len(found) > MAX_DATASTREAMS:
        detail = f"A device has {MAX_DATASTREAMS} datastreams at most."
        raise NotAcceptable("field_value_invalid", "datastreams", detail)
    words = sum(2 * len(s.observed_property.encode()) + len(s.definition or "") for s in found)
    if words > MAX_WORDS:
        detail = "What the datastreams of the device are called is too long altogether; use shorter words."
        raise NotAcceptable("field_value_invalid", "datastreams", detail)


def replace_hardware(device: str, known: Device | None, mounting: Mounting, now: datetime) -> Device:
    """Another apparatus measures at a device from a time on; its datastreams and their history stay.

    Raises:
        NotAcceptable: ``device_unknown``, ``time_in_future``, ``time_too_old``, or ``field_value_invalid`` where
            the device was changed too often.
    """
    known = _declared(device, known)
    return replace(known, mountings=_with(known.mountings, mounting, "replaced_at", now))


def move(device: str, known: Device | None, placement: Placement, now: datetime) -> Device:
    """A device stands at another place from a time on; earlier places stay in the history.

    Raises:
        NotAcceptable: as of :func:`replace_hardware`.
    """
    known = _declared(device, known)
    return replace(known, placements=_with(known.placements, placement, "moved_at", now))


def _declared(device: str, known: Device | None) -> Device:
    if known is None:
        raise NotAcceptable("device_unknown", "device", f"Declare device {device!r} first.")
    return known


def _with(history: Sequence[Change], change: Change, where: str, now: datetime) -> tuple[Change, ...]:
    """One more change; of two for one time the one that was said last."""
    _check_time(where, change.since, now)
    _check_time("time", change.said[0], now)
    at = {one.since: one for one in history}
    before = at.get(change.since)
    at[change.since] = change if before is None else max(before, change, key=lambda one: one.said)
    if len(at) > MAX_CHANGES:
        detail = f"The history of a device has {MAX_CHANGES} changes at most; declare a new one."
        raise NotAcceptable("field_value_invalid", where, detail)
    return tuple(at[since] for since in sorted(at))


def _check_time(where: str, time: datetime, now: datetime) -> None:
    """A declaration from the future would win over every later one for ever."""
    if fault := clock_fault(where, time, now):
        raise fault


def is_news(device: Device, known: Device | None) -> bool:
    """Whether more has changed than when and by whom it was said."""
    return known is None or _words(device) != _words(known)


def _words(device: Device) -> Device:
    streams = {p: replace(stream, declared=UNSAID) for p, stream in device.datastreams.items()}
    return replace(device, declared=UNSAID, datastreams=streams)


def current(history: Sequence[Change], at: datetime) -> Change | None:
    """What of a history by time holds at a time."""
    position = bisect_right(history, at, key=lambda one: one.since)
    return history[position - 1] if position else None


def stays(hardware: str, mountings: Mapping[str, Sequence[Mounting]]) -> tuple[Stay, ...]:
    """Where an apparatus was, by time. It is at one device at a time: mounted elsewhere, it has left the other.

    Args:
        mountings: of each device of the company where it ever was, all of them, by time.
    """
    began: dict[datetime, tuple[Version, str, datetime | None]] = {}
    for device, history in mountings.items():
        ends: list[datetime | None] = [one.since for one in history[1:]]
        for one, until in zip(history, [*ends, None], strict=True):
            if one.hardware == hardware:
                found = (one.said, device, until)
                began[one.since] = max(began.get(one.since, found), found, key=lambda stay: stay[:2])
    times = sorted(began)
    return tuple(
        Stay(since, _earlier(began[since][2], left), began[since][1])
        for since, left in zip(times, [*times[1:], None], strict=False)
    )


def first_holder(places: Sequence[Stay]) -> str | None:
    """The device that an apparatus was declared with; ``None`` if it came to wherever it was at a time."""
    return next((stay.device for stay in places if stay.since == EVER), None)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((time for time in (one, other) if time is not None), default=None)


def device_at(places: Sequence[Stay], at: datetime) -> str | None:
    """The device at which an apparatus measured at a time; ``None`` if it was mounted nowhere."""
    position = bisect_right(places, at, key=lambda stay: stay.since)
    stay = places[position - 1] if position else None
    return stay.device if stay and (stay.until is None or at < stay.until) else None
