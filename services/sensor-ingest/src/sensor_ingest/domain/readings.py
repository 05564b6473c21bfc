"""What a reading is, and what becomes of it: pure rules, standard library only."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

from sensor_ingest.domain.clock import OLDEST, NotAcceptable, clock_fault
from sensor_ingest.domain.devices import Datastream, Device

Outcome = Literal["stored", "duplicate", "corrected"]
EventRow = tuple[UUID, datetime, UUID]
"""Datastream, phenomenon time and event: of these three there is one row."""
Month = tuple[int, int]
"""Year and month, UTC."""
Convert = Callable[[float, str, str], float]
"""A value from one unit to another (UCUM); raises a ValueError with a sentence where that cannot be."""


class Claimed(Protocol):
    """One number as claimed; ``unit`` is ``None`` where the datastream's own is meant."""

    @property
    def value(self) -> float:
        """The number."""

    @property
    def unit(self) -> str | None:
        """UCUM."""

    @property
    def property(self) -> str:
        """The short name of the observed property."""


class Reading(NamedTuple):
    """What one device measured at one time; ``event_key`` is the identity of the event it came in.

    A named tuple, since thousands a second are made: a frozen dataclass of as many fields takes four times as long.
    """

    partner: str
    device: str
    phenomenon_time: datetime
    result_time: datetime
    event_key: UUID
    event_source: str
    event_id: str
    results: Sequence[Claimed]


class Observation(NamedTuple):
    """One number as accepted, in the unit of its datastream; ``reported`` is what was said, where that was another."""

    reading: Reading
    datastream: Datastream
    value: float
    reported: tuple[float, str] | None = None

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


def same_unit_only(value: float, said: str, kept: str) -> float:
    """Convert nothing.

    Raises:
        ValueError: the units differ.
    """
    if said != kept:
        raise ValueError(f"{said!r} cannot be converted to it.")
    return value


def judge(
    reading: Reading,
    device: Device | None,
    now: datetime,
    convert: Convert = same_unit_only,
    named: set[str] | None = None,
) -> tuple[list[Observation], list[tuple[int, NotAcceptable]]]:
    """Hold the numbers of one reading against what is known of its device, each on its own.

    Args:
        device: ``None`` if the company has not declared it.
        now: the time of the platform, UTC.
        convert: between units.
        named: the properties that the message has named before for this device and time.

    Returns:
        What is accepted, and what is not, with its position in the reading.
    """
    clock = _clock_fault(reading, now)
    if device is not None and clock is None and named is None:
        accepted = _all_usual(reading, device)
        if accepted is not None:
            return accepted, []
    named = set() if named is None else named
    accepted = []
    rejected: list[tuple[int, NotAcceptable]] = []
    for position, result in enumerate(reading.results):
        try:
            observation = _accepted(reading, result, device, convert, named)
            if clock is not None:
                raise clock
            accepted.append(observation)
        except NotAcceptable as error:
            rejected.append((position, error))
    return accepted, rejected


def _all_usual(reading: Reading, device: Device) -> list[Observation] | None:
    """All numbers in their datastreams' units and ranges, each property once; ``None``: look closely."""
    found = []
    for result in reading.results:
        stream, value = device.datastreams.get(result.property), result.value
        if stream is None or result.unit != stream.unit:
            return None
        low, high = stream.minimum, stream.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            return None
        found.append(Observation(reading, stream, value))
    if len(found) > 1 and len({observation.datastream.property for observation in found}) < len(found):
        return None
    return found


def _clock_fault(reading: Reading, now: datetime) -> NotAcceptable | None:
    """A result time from the future would win over every correction for ever."""
    if OLDEST <= reading.phenomenon_time <= now and OLDEST <= reading.result_time <= now:
        return None
    fault = clock_fault("phenomenon_time", reading.phenomenon_time, now)
    return fault or clock_fault("result_time", reading.result_time, now)


def _accepted(
    reading: Reading, result: Claimed, device: Device | None, convert: Convert, named: set[str]
) -> Observation:
    name, value, unit = result.property, result.value, result.unit
    if name in named:
        raise NotAcceptable("field_value_invalid", "property", f"{name} stands twice in one message; which holds?")
    named.add(name)
    if device is None:
        raise NotAcceptable("device_unknown", "device", f"Declare device {reading.device!r} first.")
    stream = device.datastreams.get(name)
    if stream is None:
        raise NotAcceptable("property_unknown", "property", f"{reading.device} has no datastream {name!r}.")
    reported = None
    if unit is not None and unit != stream.unit:
        reported = (value, unit)
        value = _converted(result, stream, convert)
    low, high = stream.minimum, stream.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        detail = f"{name} is declared from {stream.minimum} to {stream.maximum} {stream.unit}."
        raise NotAcceptable("value_implausible", "value", detail)
    return Observation(reading, stream, value, reported)


def _converted(result: Claimed, stream: Datastream, convert: Convert) -> float:
    try:
        return convert(result.value, result.unit or stream.unit, stream.unit)
    except ValueError as error:
        detail = f"{result.property} is kept in {stream.unit!r}. {error}"
        raise NotAcceptable("unit_mismatch", "unit", detail) from None


def months(readings: Sequence[Reading]) -> set[Month]:
    """The months (UTC) in which they were measured."""
    if not readings:
        return set()
    times = [reading.phenomenon_time for reading in readings]
    first, last = (time.astimezone(UTC) for time in (min(times), max(times)))
    if (first.year, first.month) == (last.year, last.month):
        return {(first.year, first.month)}
    return {(time.year, time.month) for time in (time.astimezone(UTC) for time in times)}


def outcomes(observations: Sequence[Observation], inserted: Mapping[EventRow, bool] | None) -> list[Outcome]:
    """What became of each observation of a batch, in order.

    Args:
        observations: in the order they came.
        inserted: the rows that were new; the value says whether the natural key was known before the batch.
            ``None``: all were new, and no natural key was known before.

    The first value of a natural key is stored, each further one is a correction, a repeated event is a duplicate.
    So the counts do not depend on the order of arrival.
    """
    if inserted is None:
        return _all_new(observations)
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


def _all_new(observations: Sequence[Observation]) -> list[Outcome]:
    readings = {id(observation.reading): observation.reading for observation in observations}.values()
    if len({(r.partner, r.device, r.phenomenon_time) for r in readings}) == len(readings):
        return ["stored"] * len(observations)
    seen: set[tuple[UUID, datetime]] = set()
    found: list[Outcome] = []
    for reading, stream, _, _ in observations:
        natural = (stream.id, reading.phenomenon_time)
        found.append("corrected" if natural in seen else "stored")
        seen.add(natural)
    return found
