"""The facts that sensor-ingest announces."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from oker_bus import Transaction
from oker_contracts.sensor.lorawan_events_recorded_v1 import LorawanEventsRecordedV1
from oker_contracts.sensor.observations_recorded_v2 import ObservationsRecordedV2, Reported, Series
from oker_contracts.sensor.profile_registered_v1 import ProfileRegisteredV1
from sensor_ingest.domain import Observation, Outcome
from sensor_ingest.handlers.claims import Claim
from sensor_ingest.lorawan import NetworkEvent
from sensor_ingest.registry import registered

EVENTS = 200
"""Of network servers, in one fact; each has about two thousand bytes at most."""
FACT_BYTES = 800_000
"""A larger batch is announced in several events; an event has 900,000 bytes at most."""
Recorded = tuple[Observation, Outcome, Claim]
ROW_BYTES = 250
"""Of one value in a fact, besides source and id of its event, whose characters take six bytes each at most."""


def announce(claims: Sequence[Claim], tx: Transaction) -> None:
    """One fact for each change of a device; one fact a company and dataset for all observations of the batch."""
    for claim in claims:
        if claim.registered and claim.is_news:
            tx.announce(registered(claim.registered), cause=claim.cause)
        if claim.profile:
            tx.announce(ProfileRegisteredV1(partner=claim.partner, declared=claim.profile), cause=claim.cause)
    _announce_heard(claims, tx)
    for (partner, dataset), recorded in _by_dataset(claims).items():
        size = max(ROW_BYTES + 6 * (len(o.reading.event_source) + len(o.reading.event_id)) for o, _, _ in recorded)
        for part in _pieces(recorded, FACT_BYTES // size):
            fact = ObservationsRecordedV2.model_construct(
                partner=partner, dataset=dataset, recorded_at=tx.now, series=_series(part)
            )
            tx.announce(fact, cause=part[0][2].cause)


def _by_dataset(claims: Sequence[Claim]) -> dict[tuple[str, str], list[Recorded]]:
    """What was recorded; a repetition is nothing new."""
    datasets: dict[tuple[str, str], list[Recorded]] = {}
    for claim in claims:
        for observation, outcome in zip(claim.accepted, claim.outcomes, strict=True):
            if outcome != "duplicate":
                dataset = (observation.reading.partner, observation.datastream.dataset)
                datasets.setdefault(dataset, []).append((observation, outcome, claim))
    return datasets


def _pieces(recorded: list[Recorded], size: int) -> Iterator[list[Recorded]]:
    """Cut where an event would become too large for the broker."""
    return (recorded[start : start + size] for start in range(0, len(recorded), size))


def _series(recorded: Sequence[Recorded]) -> list[Series]:
    """The values by datastream, in columns; all of it was validated when it came, and is not again."""
    found: dict[Any, list[Recorded]] = {}
    for row in recorded:
        found.setdefault(row[0].datastream.id, []).append(row)
    return [_columns(rows) for rows in found.values()]


def _columns(rows: list[Recorded]) -> Series:
    first = rows[0][0]
    readings = [observation.reading for observation, _, _ in rows]
    return Series.model_construct(
        datastream=str(first.datastream.id),
        device=first.reading.device,
        property=first.datastream.property,
        unit=first.datastream.unit,
        phenomenon_times=[reading.phenomenon_time for reading in readings],
        result_times=[reading.result_time for reading in readings],
        values=[observation.value for observation, _, _ in rows],
        event_sources=[reading.event_source for reading in readings],
        event_ids=[reading.event_id for reading in readings],
        corrected=[at for at, (_, outcome, _) in enumerate(rows) if outcome == "corrected"],
        reported=[
            Reported.model_construct(at=at, value=observation.reported[0], unit=observation.reported[1])
            for at, (observation, _, _) in enumerate(rows)
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
