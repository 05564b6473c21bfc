"""What a reading is, and what becomes of it: pure rules, standard library only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

NAMESPACE = UUID("6f6b6572-5365-5e73-8f72-000000000001")
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a device's clock may be ahead."""

Outcome = Literal["stored", "duplicate", "corrected"]


class NotAcceptable(Exception):
    """A rule of the domain is broken: the code of the reason, where, and a sentence for the sender."""

    def __init__(self, code: str, path: str, detail: str) -> None:
        super().__init__(f"{code} at {path}: {detail}")
        self.code = code
        self.path = path
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
    codec: str
    location: tuple[float, float] | None
    datastreams: Mapping[str, Datastream]


@dataclass(frozen=True, slots=True)
class Reading:
    """One number as claimed.

    ``path`` leads to it in the message; ``event_key`` is the identity of the event it came in.
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
    path: str


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
    def version(self) -> tuple[datetime, str, str]:
        """What orders the values of one natural key."""
        return self.reading.result_time, self.reading.event_source, self.reading.event_id


def datastream_id(partner: str, device: str, property: str) -> UUID:
    """The id of a datastream follows from what it is: the same wherever it is computed."""
    return uuid5(NAMESPACE, f"{partner}/{device}/{property}")


def register(declared: Device, known: Device | None, datasets: Iterable[str]) -> Device:
    """Register a device, or add to it what is new; what is known of a datastream does not change.

    Raises:
        NotAcceptable: ``dataset_unknown``, or ``unit_changed`` where a datastream would change.
    """
    allowed = set(datasets)
    for position, stream in enumerate(declared.datastreams.values()):
        path = f"$.datastreams[{position}]"
        if stream.dataset not in allowed:
            detail = f"{declared.partner} has no dataset {stream.dataset!r}."
            raise NotAcceptable("dataset_unknown", f"{path}.dataset", detail)
        before = known.datastreams.get(stream.property) if known else None
        if before and (before.unit, before.dataset) != (stream.unit, stream.dataset):
            detail = f"{stream.property} is kept in {before.unit} in dataset {before.dataset!r}; declare a new property."
            raise NotAcceptable("unit_changed", f"{path}.unit", detail)
    kept = known.datastreams if known else {}
    return replace(declared, datastreams={**kept, **declared.datastreams})


def accept(reading: Reading, device: Device | None, now: datetime) -> Observation:
    """Hold one reading against what is known of its device.

    Args:
        device: ``None`` if the company has not declared it.
        now: the time of the platform, UTC.

    Raises:
        NotAcceptable: with the path of what is wrong.
    """
    if device is None:
        raise NotAcceptable("device_unknown", "$.device", f"Declare device {reading.device!r} first.")
    stream = device.datastreams.get(reading.property)
    if stream is None:
        detail = f"{reading.device} has no datastream {reading.property!r}."
        raise NotAcceptable("property_unknown", f"{reading.path}.property", detail)
    if stream.unit != reading.unit:
        detail = f"{reading.property} is kept in {stream.unit!r}, the reading says {reading.unit!r}."
        raise NotAcceptable("unit_mismatch", f"{reading.path}.unit", detail)
    _check_clock(reading.phenomenon_time, now)
    return Observation(reading, stream)


def _check_clock(phenomenon_time: datetime, now: datetime) -> None:
    if phenomenon_time > now + CLOCK_TOLERANCE:
        raise NotAcceptable("time_in_future", "$.phenomenon_time", "The device's clock is ahead.")
    if phenomenon_time < OLDEST:
        raise NotAcceptable("time_too_old", "$.phenomenon_time", "The device's clock was never set.")


def outcomes(
    observations: list[Observation], inserted: Mapping[tuple[UUID, datetime, UUID], bool]
) -> list[Outcome]:
    """What became of each observation of a batch, in order.

    Args:
        observations: in the order they came.
        inserted: the rows that were new, by natural key and event; the value says whether the natural key was known
            before the batch.

    The first value of a natural key is stored, each further one is a correction, a repeated event is a duplicate.
    So the counts do not depend on the order of arrival.
    """
    found: list[Outcome] = []
    seen_events: set[tuple[UUID, datetime, UUID]] = set()
    seen_keys: set[tuple[UUID, datetime]] = set()
    for observation in observations:
        natural = observation.natural_key
        event = (*natural, observation.reading.event_key)
        if event not in inserted or event in seen_events:
            found.append("duplicate")
            continue
        found.append("corrected" if inserted[event] or natural in seen_keys else "stored")
        seen_events.add(event)
        seen_keys.add(natural)
    return found
