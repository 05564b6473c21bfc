"""What a service measures of its work, for Prometheus and OpenTelemetry: by company and durable, never by device."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from opentelemetry.metrics import CallbackOptions, Observation, get_meter

from oker_bus.room import Fill, Room
from oker_bus.store import Outcome
from oker_bus.watch import Watch, Watched

_METER = get_meter("oker_bus")
_MESSAGES = _METER.create_counter(
    "oker.messages", description="Messages by durable, company and outcome; again is one that comes once more."
)
_READINGS = _METER.create_counter("oker.readings", description="Readings by company and outcome.")
_INTAKE = _METER.create_counter(
    "oker.intake", description="Claims handed in over HTTP or forwarded from MQTT: taken, full, or not confirmed."
)
_BATCH = _METER.create_histogram(
    "oker.batch.messages",
    description="Messages of a batch.",
    explicit_bucket_boundaries_advisory=[1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 500],
)
_WRITING = _METER.create_histogram(
    "oker.batch.writing",
    "s",
    "From the first statement of a batch to its commit.",
    explicit_bucket_boundaries_advisory=[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
)


def count_batch(consumer: str, ended: Sequence[tuple[str | None, Outcome | None]], seconds: float) -> None:
    """A batch was written: the company and outcome of each of its messages, and how long it took."""
    _BATCH.record(len(ended), {"consumer": consumer})
    _WRITING.record(seconds, {"consumer": consumer})
    for (partner, outcome), count in Counter(ended).items():
        count_messages(consumer, partner, outcome, count)


def count_messages(consumer: str, partner: str | None, outcome: Outcome | None, count: int = 1) -> None:
    """Messages were taken to their end, or are to come again (``None``)."""
    _MESSAGES.add(count, {"consumer": consumer, "partner": partner or "", "outcome": outcome or "again"})


def count_readings(partner: str | None, counts: Mapping[str, int]) -> None:
    """What became of readings: ``stored``, ``duplicate``, ``corrected``, ``quarantined``. Called after the commit."""
    for outcome, count in counts.items():
        if count:
            _READINGS.add(count, {"partner": partner or "", "outcome": outcome})


def count_intake(partner: str, outcome: Literal["taken", "full", "unconfirmed"]) -> None:
    """A claim that this service handed in for a company."""
    _INTAKE.add(1, {"partner": partner, "outcome": outcome})


def observe(room: Room, watch: Watch) -> None:
    """Have streams and durables measured whenever somebody looks; called once a process."""
    gauges: list[tuple[str, str, str, Callable[[CallbackOptions], Iterable[Observation]]]] = [
        ("oker.stream.size", "By", "What a stream holds.", _of_streams(room, lambda fill: fill.bytes)),
        ("oker.stream.limit", "By", "What a stream may hold.", _of_streams(room, lambda fill: fill.limit)),
        ("oker.stream.full", "", "1 while a stream refuses.", _of_streams(room, lambda fill: int(fill.is_full))),
        ("oker.durable.pending", "", "Messages that wait.", _of_durables(watch, lambda seen: seen.waiting)),
    ]
    for name, unit, description, look in gauges:
        _METER.create_observable_gauge(name, [look], unit, description)


def _of_streams(room: Room, of: Callable[[Fill], int]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def look(_: CallbackOptions) -> Iterator[Observation]:
        for stream, fill in list(room.streams.items()):
            if fill is not None:
                yield Observation(of(fill), {"stream": stream})

    return look


def _of_durables(watch: Watch, of: Callable[[Watched], int]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def look(_: CallbackOptions) -> Iterator[Observation]:
        for seen in list(watch.durables.values()):
            yield Observation(of(seen), {"stream": seen.stream, "consumer": seen.consumer})

    return look
