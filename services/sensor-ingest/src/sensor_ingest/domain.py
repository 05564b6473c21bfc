"""What a reading is, and what becomes of it: pure rules, standard library only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID, uuid5

NAMESPACE = UUID("6f6b6572-5365-5e73-8f72-000000000001")
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a device's clock may be ahead."""
MAX_DATASTREAMS = 512
"""Of one device: its registration, which names them all, must fit into one event."""

Codec = Literal["none", "cayenne_lpp"]
Outcome = Literal["stored", "duplicate", "corrected"]
EventRow = tuple[UUID, datetime, UUID]
"""Datastream, phenomenon time and event: of these three there is one row."""


class NotAcceptable(Exception):
    """A rule of the domain is broken: the code of the reason, the field, and a sentence for the sender."""

    def __init__(self, code: str, field: str, detail: str) -> None:
        super().__init__(f"{code} at {field}: {detail}")
        self.code = code
        self.field = field
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Datastream:
    """One observed property of one device (SensorThings), in one unit and one dataset."""

    id: UUID
    property: str
    unit: str
    dataset: str
    observed_property: str


@dataclass(frozen=True, slots=True)
class Device:
    """A device of a company."""

    partner: str
    device: str
    name: str
    codec: Codec
    location: tuple[float, float] | None
    datastreams: Mapping[str, Datastream]

    @property
    def key(self) -> tuple[str, str]:
        """The company and its own id of the device."""
        return self.partner, self.device


class Reading(NamedTuple):
    """One number as claimed; ``event_key`` is the identity of the event it came in.

    A named tuple, since thousands a second are made: a frozen dataclass of ten fields takes four times as long.
    """

    partner: str
    device: str
    property: str
    value: float
    unit: str
    phenomenon_time: datetime
    result_time: datetime
    event_key: UUID
    event_source: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One number as accepted, on its datastream."""

    reading: Reading
    datastream: Datastream

    @property
    def natural_key(self) -> tuple[UUID, datetime]:
        """Of several values for one natural key the greatest :attr:`version` counts, whatever came first."""
        return self.datastream.id, self.reading.phenomenon_time

    @property
    def row(self) -> EventRow:
        """What is stored once, however often it arrives."""
        return self.datastream.id, self.reading.phenomenon_time, self.reading.event_key

    @property
    def version(self) -> tuple[datetime, str, str]:
        """What orders the values of one natural key."""
        return self.reading.result_time, self.reading.event_source, self.reading.event_id


def datastream_id(partner: str, device: str, property: str) -> UUID:
    """The id of a datastream follows from what it is: the same wherever it is computed."""
    return uuid5(NAMESPACE, f"{partner}/{device}/{property}")


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


def register(declared: Device, known: Device | None, datasets: Iterable[str]) -> Device:
    """Register a device, or add to it what is new; unit and dataset of a datastream never change.

    Raises:
        NotAcceptable: ``dataset_unknown``, ``unit_changed`` where a datastream would change, or
            ``field_value_invalid`` where the device would get too many.
    """
    allowed = set(datasets)
    kept = known.datastreams if known else {}
    for position, stream in enumerate(declared.datastreams.values()):
        _check_declared(stream, kept.get(stream.property), allowed, declared.partner, f"datastreams[{position}]")
    merged = {**kept, **declared.datastreams}
    if len(merged) > MAX_DATASTREAMS:
        detail = f"A device has {MAX_DATASTREAMS} datastreams at most."
        raise NotAcceptable("field_value_invalid", "datastreams", detail)
    return replace(declared, datastreams=merged)


def _check_declared(stream: Datastream, before: Datastream | None, allowed: set[str], partner: str, field: str) -> None:
    if stream.dataset not in allowed:
        raise NotAcceptable("dataset_unknown", f"{field}.dataset", f"{partner} has no dataset {stream.dataset!r}.")
    if before is None:
        return
    for name, old, new in (
        ("unit", before.unit, stream.unit),
        ("dataset", before.dataset, stream.dataset),
    ):
        if old != new:
            detail = f"The {name} of {stream.property} is {old!r}; declare a new property."
            raise NotAcceptable("unit_changed", f"{field}.{name}", detail)


def judge(readings: Sequence[Reading], device: Device | None, now: datetime) -> Iterator[Observation | NotAcceptable]:
    """Hold the readings of one message against what is known of its device, each on its own, in order.

    Args:
        device: ``None`` if the company has not declared it.
        now: the time of the platform, UTC.
    """
    named: set[str] = set()
    for reading in readings:
        try:
            _check_named_once(reading.property, named)
            yield accept(reading, device, now)
        except NotAcceptable as error:
            yield error


def _check_named_once(property: str, named: set[str]) -> None:
    if property in named:
        detail = f"{property} stands twice in one message; which value holds?"
        raise NotAcceptable("field_value_invalid", "property", detail)
    named.add(property)


def accept(reading: Reading, device: Device | None, now: datetime) -> Observation:
    """Hold one reading against what is known of its device.

    Raises:
        NotAcceptable: with the field that is wrong.
    """
    if device is None:
        raise NotAcceptable("device_unknown", "device", f"Declare device {reading.device!r} first.")
    stream = device.datastreams.get(reading.property)
    if stream is None:
        detail = f"{reading.device} has no datastream {reading.property!r}."
        raise NotAcceptable("property_unknown", "property", detail)
    if stream.unit != reading.unit:
        detail = f"{reading.property} is kept in {stream.unit!r}, the reading says {reading.unit!r}."
        raise NotAcceptable("unit_mismatch", "unit", detail)
    _check_clock("phenomenon_time", reading.phenomenon_time, now)
    _check_clock("result_time", reading.result_time, now)
    return Observation(reading, stream)


def _check_clock(field: str, time: datetime, now: datetime) -> None:
    """A result time from the future would win over every correction for ever."""
    if time > now + CLOCK_TOLERANCE:
        raise NotAcceptable("time_in_future", field, "The time lies in the future; the sender's clock is ahead.")
    if time < OLDEST:
        raise NotAcceptable("time_too_old", field, "The time lies before 2000; the sender's clock was never set.")


def outcomes(observations: Sequence[Observation], inserted: Mapping[EventRow, bool]) -> list[Outcome]:
    """What became of each observation of a batch, in order.

    Args:
        observations: in the order they came.
        inserted: the rows that were new; the value says whether the natural key was known before the batch.

    The first value of a natural key is stored, each further one is a correction, a repeated event is a duplicate.
    So the counts do not depend on the order of arrival.
    """
    found: list[Outcome] = []
    left = dict(inserted)
    seen: set[tuple[UUID, datetime]] = set()
    for observation in observations:
        known = left.pop(observation.row, None)
        if known is None:
            found.append("duplicate")
            continue
        natural = observation.natural_key
        found.append("corrected" if known or natural in seen else "stored")
        seen.add(natural)
    return found
