"""The facts that sensor-ingest announces."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from oker_bus import Transaction
from oker_contracts.sensor.lorawan_events_recorded_v1 import LorawanEventsRecordedV1
from oker_contracts.sensor.observations_recorded_v2 import Column, ObservationsRecordedV2, Reported, Series
from oker_contracts.sensor.profile_registered_v1 import ProfileRegisteredV1
from sensor_ingest.domain import Observation, Outcome, Reading
from sensor_ingest.handlers.claims import Claim
from sensor_ingest.lorawan import NetworkEvent
from sensor_ingest.registry import registered

EVENTS = 200
"""Of network servers, in one fact; each has about two thousand bytes at most."""
FACT_BYTES = 800_000
"""A larger batch is announced in several events; an event has 900,000 bytes at most."""
ROW_BYTES = 150
"""Of one value in a fact, besides the ids of its event, whose characters take six bytes each at most."""


class Recorded(NamedTuple):
    """What of one reading was stored in one dataset."""

    claim: Claim
    reading: Reading
    observations: Sequence[Observation]
    outcomes: Sequence[Outcome]


def announce(claims: Sequence[Claim], tx: Transaction) -> None:
    """One fact for each change of a device; one fact a company and dataset for all observations of the batch."""
    for claim in claims:
        if claim.registered and claim.is_news:
            tx.announce(registered(claim.registered), cause=claim.cause)
        if claim.profile:
            tx.announce(ProfileRegisteredV1(partner=claim.partner, declared=claim.profile), cause=claim.cause)
    _announce_heard(claims, tx)
    for (partner, dataset), recorded in _by_dataset(claims).items():
        for part in _pieces(recorded):
            fact = ObservationsRecordedV2.model_construct(
                partner=partner, dataset=dataset, recorded_at=tx.now, series=_series(part)
            )
            tx.announce(fact, cause=part[0].claim.cause)


def _by_dataset(claims: Sequence[Claim]) -> dict[tuple[str, str], list[Recorded]]:
    """What was recorded; a repetition is nothing new."""
    found: dict[tuple[str, str], list[Recorded]] = {}
    for claim in claims:
        if not claim.accepted:
            continue
        dataset = claim.accepted[0].datastream.dataset
        alike = len(claim.readings) == 1 and "duplicate" not in claim.outcomes
        if alike and {observation.datastream.dataset for observation in claim.accepted} == {dataset}:
            row = Recorded(claim, claim.readings[0], claim.accepted, claim.outcomes)
            found.setdefault((claim.partner, dataset), []).append(row)
        else:
            for dataset, row in _apart(claim):
                found.setdefault((claim.partner, dataset), []).append(row)
    return found


def _apart(claim: Claim) -> Iterator[tuple[str, Recorded]]:
    """By reading and dataset."""
    parts: dict[tuple[int, str], list[tuple[Observation, Outcome]]] = {}
    for observation, outcome in zip(claim.accepted, claim.outcomes, strict=True):
        if outcome != "duplicate":
            key = (id(observation.reading), observation.datastream.dataset)
            parts.setdefault(key, []).append((observation, outcome))
    for (_, dataset), rows in parts.items():
        observations, outcomes = zip(*rows, strict=True)
        yield dataset, Recorded(claim, observations[0].reading, observations, outcomes)


def _pieces(recorded: list[Recorded]) -> Iterator[list[Recorded]]:
    """Cut where an event would become too large for the broker."""
    head = max(6 * (len(row.reading.event_source) + len(row.reading.event_id)) for row in recorded)
    size = max(FACT_BYTES // (head + ROW_BYTES * (1 + max(len(row.observations) for row in recorded))), 1)
    return (recorded[start : start + size] for start in range(0, len(recorded), size))


def _series(recorded: Sequence[Recorded]) -> list[Series]:
    """Readings that tell of the same, in columns; all of it was validated when it came, and is not again."""
    found: dict[tuple[str, ...], list[Recorded]] = {}
    for row in recorded:
        reading = row.reading
        key = (reading.device, reading.event_source, *[o.datastream.property for o in row.observations])
        found.setdefault(key, []).append(row)
    return [_one(rows) for rows in found.values()]


def _one(rows: list[Recorded]) -> Series:
    readings = [row.reading for row in rows]
    return Series.model_construct(
        device=readings[0].device,
        event_source=readings[0].event_source,
        event_ids=[reading.event_id for reading in readings],
        phenomenon_times=[reading.phenomenon_time for reading in readings],
        result_times=[reading.result_time for reading in readings],
        datastreams=[_column(rows, number) for number in range(len(rows[0].observations))],
    )


def _column(rows: list[Recorded], number: int) -> Column:
    observations = [row.observations[number] for row in rows]
    stream = observations[0].datastream
    return Column.model_construct(
        datastream=str(stream.id),
        property=stream.property,
        unit=stream.unit,
        values=[observation.value for observation in observations],
        corrected=[at for at, row in enumerate(rows) if row.outcomes[number] == "corrected"],
        reported=[
            Reported.model_construct(at=at, value=observation.reported[0], unit=observation.reported[1])
            for at, observation in enumerate(observations)
            if observation.reported
        ],
    )


def _announce_heard(claims: Sequence[Claim], tx: Transaction) -> None:
    """What network servers said, by company, with its raw bytes."""
    partners: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.is_news:
            partners.setdefault(claim.partner, []).append(claim)
    for partner, news in partners.items():
        for start in range(0, len(news), EVENTS):
            part = news[start : start + EVENTS]
            events = [_event(claim.heard) for claim in part if claim.heard]
            said = {"partner": partner, "recorded_at": tx.now, "events": events}
            tx.announce(LorawanEventsRecordedV1.model_validate(said), cause=part[0].cause)


def _event(heard: NetworkEvent) -> dict[str, Any]:
    return {
        "hardware": heard.hardware,
        "kind": heard.kind,
        "id": heard.id,
        "time": heard.time,
        "session": heard.session,
        "f_cnt": heard.f_cnt,
        "f_port": heard.f_port,
        "payload": None if heard.payload is None else b64encode(heard.payload),
        "state": heard.state,
    }
