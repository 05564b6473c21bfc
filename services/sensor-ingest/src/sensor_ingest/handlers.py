"""The way of companies' claims, by the batch: prepare (pure), then load, decide, save, announce in one transaction."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from oker_bus import Cause, Delivery, Event, Reason, Refused, Transaction
from oker_bus.batch import Ended, already_settled, save_ends
from oker_bus.edge import BURY_FAILED_AFTER, Edge, span_links
from oker_bus.partners import PartnersFile
from oker_bus.store import Counts, Outcome, Quarantined
from oker_contracts import event_key, reader
from oker_contracts.sensor.device_declared_v1 import DeviceDeclaredV1
from oker_contracts.sensor.device_registered_v1 import DeviceRegisteredV1, RegisteredDatastream
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1
from oker_contracts.sensor.observations_recorded_v1 import Observation as ObservationSaid
from oker_contracts.sensor.observations_recorded_v1 import ObservationsRecordedV1
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1
from opentelemetry import trace

from sensor_ingest import domain, lorawan, store
from sensor_ingest.domain import Datastream, Device, NotAcceptable, Observation, Reading

log = structlog.get_logger()
tracer = trace.get_tracer("sensor_ingest")
Devices = dict[tuple[str, str], Device]
OBSERVATIONS_AN_EVENT = 2_000
"""Larger batches are announced in several events; the broker takes 1 MiB."""


@dataclass(slots=True)
class Claim:
    """One message on its way: what was read from it, and what became of that."""

    delivery: Delivery
    declared: Device | None = None
    frame: lorawan.Frame | None = None
    readings: list[Reading] = field(default_factory=list)
    refused: Refused | None = None
    cause: Cause | None = None
    accepted: list[Observation] = field(default_factory=list)
    rejected: list[tuple[int, Refused]] = field(default_factory=list)
    outcomes: list[domain.Outcome] = field(default_factory=list)


def prepare(deliveries: list[Delivery]) -> list[Claim]:
    """Validate each message on its own, without any I/O: one bad message harms no neighbour."""
    return [_prepared(delivery) for delivery in deliveries]


def _prepared(delivery: Delivery) -> Claim:
    claim = Claim(delivery)
    try:
        event = reader().event(delivery.envelope(), delivery.stored_at, delivery.partner)
        claim.cause = Cause.of(event)
        _read(claim, event)
    except Refused as refused:
        claim.refused = refused
    return claim


def _read(claim: Claim, event: Event[Any]) -> None:
    match event.data:
        case ReadingReportedV1():
            claim.readings = _readings(event, event.data)
        case DeviceDeclaredV1():
            claim.declared = _device(str(event.partner), event.data)
        case MqttMessageReceivedV1():
            claim.frame = lorawan.read_message(event.data.topic, event.data.payload)
        case _:
            raise Refused(Reason.TYPE_UNKNOWN, "ce-type", f"sensor-ingest does not hear {event.type}.")


def _readings(event: Event[Any], said: ReadingReportedV1) -> list[Reading]:
    key, partner = event.key, str(event.partner)
    result_time = said.result_time or event.time
    return [
        Reading(
            partner=partner,
            device=said.device,
            property=result.property,
            value=result.value,
            unit=result.unit,
            phenomenon_time=said.phenomenon_time,
            result_time=result_time,
            event_key=key,
            event_source=event.source,
            event_id=event.id,
            path=f"$.results[{position}]",
        )
        for position, result in enumerate(said.results)
    ]


def _device(partner: str, said: DeviceDeclaredV1) -> Device:
    streams = {
        s.property: Datastream(
            domain.datastream_id(partner, said.device, s.property), s.property, s.unit, s.dataset, s.observed_property
        )
        for s in said.datastreams
    }
    return Device(partner, said.device, said.name, said.codec, said.location, streams)


@dataclass(frozen=True, slots=True)
class Ingest:
    """The writing half, which needs the database and the list of companies."""

    edge: Edge
    partners: PartnersFile

    async def write(self, claims: list[Claim]) -> list[Outcome | None]:
        """One transaction for a batch: observations, devices, quarantine, settlements and announcements together."""
        links = span_links([claim.delivery for claim in claims])
        first = claims[0].delivery
        with tracer.start_as_current_span("ingest batch", links=links, attributes={"oker.messages": len(claims)}):
            async with self.edge.transaction(Cause(first.stream, str(first.sequence))) as tx:
                ended = await self._ingest(claims, tx)
        return [ended[claim.delivery.stream, claim.delivery.sequence] for claim in claims]

    async def _ingest(self, claims: list[Claim], tx: Transaction) -> dict[tuple[str, int], Outcome]:
        """Load, decide, save, announce."""
        ended = await already_settled(tx, [claim.delivery for claim in claims])
        fresh = [claim for claim in claims if claim.delivery.position not in ended]
        devices = await store.devices(tx.session, _needed(fresh))
        registered: Devices = {}
        for claim in fresh:
            self._decide(claim, devices, registered, tx.now)
        await store.save_devices(tx.session, list(registered.values()))
        await _save_observations(fresh, tx)
        ends = [_end(claim, tx.now) for claim in fresh]
        await save_ends(tx, ends)
        _announce(fresh, registered, tx)
        return ended | {end.delivery.position: end.outcome for end in ends}

    def _decide(self, claim: Claim, devices: Devices, registered: Devices, now: datetime) -> None:
        """Register what is declared, hold each reading against its device. Earlier claims count for later ones."""
        try:
            if claim.declared:
                self._register(claim.declared, devices, registered)
            if claim.frame and claim.cause:
                claim.readings = _decode(claim.frame, claim.cause, devices)
        except NotAcceptable as error:
            claim.refused = Refused(Reason(error.code), error.path, error.detail)
        except Refused as refused:
            claim.refused = refused
        for part, reading in enumerate(claim.readings, start=1):
            try:
                claim.accepted.append(domain.accept(reading, devices.get((reading.partner, reading.device)), now))
            except NotAcceptable as error:
                claim.rejected.append((part, Refused(Reason(error.code), error.path, error.detail)))

    def _register(self, declared: Device, devices: Devices, registered: Devices) -> None:
        key = (declared.partner, declared.device)
        company = self.partners.current().partners.get(declared.partner)
        device = domain.register(declared, devices.get(key), company.datasets if company else ())
        if device != devices.get(key):
            devices[key] = registered[key] = device

    async def give_up(self, delivery: Delivery) -> Outcome | None:
        """A message that failed alone as well: again after a pause, then buried."""
        if delivery.deliveries < BURY_FAILED_AFTER:
            return None
        return await self.edge.bury(delivery, Refused(Reason.HANDLER_FAILED))


def _needed(claims: list[Claim]) -> set[tuple[str, str]]:
    needed = {(r.partner, r.device) for claim in claims for r in claim.readings[:1]}
    needed |= {(str(c.delivery.partner), c.frame.device) for c in claims if c.frame}
    return needed | {(c.declared.partner, c.declared.device) for c in claims if c.declared}


def _decode(frame: lorawan.Frame, cause: Cause, devices: Devices) -> list[Reading]:
    """The readings of an uplink, by the codec its device was declared with."""
    device = devices.get((str(cause.partner), frame.device))
    if device is None:
        raise Refused(Reason.DEVICE_UNKNOWN, "$.deviceInfo.devEui", f"Declare device {frame.device!r} first.")
    codec = lorawan.CODECS.get(device.codec)
    if codec is None:
        raise Refused(Reason.CODEC_MISSING, "$.data", f"Declare {frame.device!r} with a codec.")
    source = f"/lorawan/{frame.device}"
    key = event_key(cause.partner, source, frame.id)
    return [
        Reading(
            partner=device.partner,
            device=device.device,
            property=decoded.property,
            value=decoded.value,
            unit=decoded.unit,
            phenomenon_time=frame.time,
            result_time=frame.time,
            event_key=key,
            event_source=source,
            event_id=frame.id,
            path=f"$.data/{decoded.property}",
        )
        for decoded in codec(frame.payload)
    ]


async def _save_observations(claims: list[Claim], tx: Transaction) -> None:
    observations = [observation for claim in claims for observation in claim.accepted]
    if not observations:
        return
    inserted = await store.insert_observations(await tx.raw(), observations, tx.now)
    outcomes = iter(domain.outcomes(observations, inserted))
    for claim in claims:
        claim.outcomes = [next(outcomes) for _ in claim.accepted]


def _end(claim: Claim, now: datetime) -> Ended:
    """The settlement of one message, and what of it goes to quarantine."""
    counts = Counts(
        read=len(claim.readings),
        stored=claim.outcomes.count("stored"),
        duplicate=claim.outcomes.count("duplicate"),
        corrected=claim.outcomes.count("corrected"),
        quarantined=len(claim.rejected),
    )
    refusals: list[Quarantined] = [claim.delivery.quarantined(refused, now, part) for part, refused in claim.rejected]
    if claim.refused:
        refusals.append(claim.delivery.quarantined(claim.refused, now))
    outcome: Outcome = "quarantined" if refusals and not claim.accepted else "settled"
    return Ended(claim.delivery, outcome, counts, refusals)


def _announce(claims: list[Claim], registered: Devices, tx: Transaction) -> None:
    """One fact a device, and one fact a company and dataset for all observations of the batch."""
    for claim in claims:
        key = (claim.declared.partner, claim.declared.device) if claim.declared else None
        if key in registered and claim.cause and not claim.refused:
            tx.announce(_registered(registered.pop(key)), cause=claim.cause)
    datasets: dict[tuple[str, str], list[tuple[ObservationSaid, Cause]]] = {}
    for claim in claims:
        for observation, outcome in zip(claim.accepted, claim.outcomes, strict=True):
            if outcome != "duplicate" and claim.cause:
                said = (_said(observation, outcome), claim.cause)
                datasets.setdefault((observation.reading.partner, observation.datastream.dataset), []).append(said)
    for (partner, dataset), recorded in datasets.items():
        for start in range(0, len(recorded), OBSERVATIONS_AN_EVENT):
            part = recorded[start : start + OBSERVATIONS_AN_EVENT]
            observations = [observation for observation, _ in part]
            fact = ObservationsRecordedV1(
                partner=partner, dataset=dataset, recorded_at=tx.now, observations=observations
            )
            tx.announce(fact, cause=part[0][1])


def _registered(device: Device) -> DeviceRegisteredV1:
    return DeviceRegisteredV1(
        partner=device.partner,
        device=device.device,
        name=device.name,
        codec=device.codec,
        location=device.location,
        datastreams=[
            RegisteredDatastream(
                datastream=str(s.id),
                property=s.property,
                unit=s.unit,
                dataset=s.dataset,
                observed_property=s.observed_property,
            )
            for s in device.datastreams.values()
        ],
    )


def _said(observation: Observation, outcome: domain.Outcome) -> ObservationSaid:
    reading = observation.reading
    return ObservationSaid(
        datastream=str(observation.datastream.id),
        device=reading.device,
        property=reading.property,
        phenomenon_time=reading.phenomenon_time,
        result_time=reading.result_time,
        value=reading.value,
        unit=reading.unit,
        outcome=outcome,
        event_source=reading.event_source,
        event_id=reading.event_id,
    )
