"""The way of companies' claims, by the batch: prepare (pure), then load, decide, save, announce in one transaction."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from opentelemetry import trace

from oker_bus import Cause, Delivery, Event, Reason, Refused, Transaction
from oker_bus.batch import Ended, already_settled, already_taken, save_ends, save_taken
from oker_bus.edge import BURY_FAILED_AFTER, Edge, span_links
from oker_bus.partners import PartnersFile
from oker_bus.store import Counts, Outcome
from oker_contracts import event_key, reader
from oker_contracts.sensor.device_declared_v1 import DeviceDeclaredV1
from oker_contracts.sensor.device_registered_v1 import DeviceRegisteredV1, RegisteredDatastream
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1
from oker_contracts.sensor.observations_recorded_v1 import ObservationsRecordedV1
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1
from sensor_ingest import domain, lorawan, store
from sensor_ingest.domain import Datastream, Device, NotAcceptable, Observation, Reading

log = structlog.get_logger()
tracer = trace.get_tracer("sensor_ingest")
Devices = dict[tuple[str, str], Device]
Recorded = tuple[Observation, domain.Outcome, Cause]
REASONS = {str(reason): reason for reason in Reason}
FACT_BYTES = 800_000
"""A larger batch is announced in several events; an event has 900,000 bytes at most."""


@dataclass(slots=True)
class Claim:
    """One message on its way: what was read from it, and what became of that."""

    delivery: Delivery
    cause: Cause | None = None
    event_key: UUID | None = None
    declared: Device | None = None
    frame: lorawan.Frame | None = None
    readings: list[Reading] = field(default_factory=list)
    refused: Refused | None = None
    repeated: bool = False
    registered: Device | None = None
    accepted: list[Observation] = field(default_factory=list)
    rejected: list[tuple[int, Refused]] = field(default_factory=list)
    outcomes: list[domain.Outcome] = field(default_factory=list)

    @property
    def device(self) -> tuple[str, str] | None:
        """The company and device that the message speaks of."""
        if self.declared:
            return self.declared.key
        if self.frame:
            return str(self.delivery.partner), self.frame.device
        return (self.readings[0].partner, self.readings[0].device) if self.readings else None


def prepare(deliveries: list[Delivery]) -> list[Claim]:
    """Validate each message on its own, without any I/O: one bad message harms no neighbour."""
    return [_prepared(delivery) for delivery in deliveries]


def _prepared(delivery: Delivery) -> Claim:
    claim = Claim(delivery)
    try:
        event = reader().event(delivery.envelope(), delivery.stored_at, delivery.partner)
        claim.cause, claim.event_key = _cause(event, delivery), event.key
        _read(claim, event, claim.event_key)
    except Refused as refused:
        claim.refused = refused
    except NotAcceptable as error:
        claim.refused = _refused(error, f"$.{error.field}")
    return claim


def _cause(event: Event[Any], delivery: Delivery) -> Cause:
    """The event, at its place in the stream: sent again after its device was declared, it causes another fact."""
    place = f"{delivery.stream}/{delivery.sequence}"
    return Cause(place, event.id, event.partner, event.correlationid, event.traceparent)


def _read(claim: Claim, event: Event[Any], key: UUID) -> None:
    match event.data:
        case ReadingReportedV1():
            claim.readings = _readings(event, event.data, key)
        case DeviceDeclaredV1():
            claim.declared = _device(str(event.partner), event.data)
        case MqttMessageReceivedV1():
            claim.frame = lorawan.read_message(event.data.topic, event.data.payload)
        case _:
            raise Refused(Reason.TYPE_UNKNOWN, "ce-type", f"sensor-ingest does not hear {event.type}.")


def _readings(event: Event[Any], said: ReadingReportedV1, key: UUID) -> list[Reading]:
    partner, result_time = str(event.partner), said.result_time or event.time
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
        )
        for result in said.results
    ]


def _device(partner: str, said: DeviceDeclaredV1) -> Device:
    streams = domain.by_property(
        Datastream(
            domain.datastream_id(partner, said.device, s.property), s.property, s.unit, s.dataset, s.observed_property
        )
        for s in said.datastreams
    )
    return Device(partner, said.device, said.name, said.codec, said.location, streams)


def _refused(error: NotAcceptable, path: str) -> Refused:
    return Refused(REASONS[error.code], path, error.detail)


@dataclass(frozen=True, slots=True)
class Ingest:
    """The writing half, which needs the database and the list of companies."""

    consumer: str
    edge: Edge
    partners: PartnersFile

    async def write(self, claims: list[Claim]) -> list[Outcome | None]:
        """One transaction for a batch: observations, devices, quarantine, settlements and announcements together."""
        links = span_links([claim.delivery for claim in claims])
        first = claims[0].delivery
        with tracer.start_as_current_span("ingest batch", links=links, attributes={"oker.messages": len(claims)}):
            async with self.edge.transaction(Cause(first.stream, str(first.sequence))) as tx:
                ended = await self._ingest(claims, tx)
        _report(claims)
        return [ended[claim.delivery.position] for claim in claims]

    async def _ingest(self, claims: list[Claim], tx: Transaction) -> dict[tuple[str, int], Outcome]:
        """Load, decide, save, announce."""
        ended = await already_settled(tx, [claim.delivery for claim in claims])
        fresh = list({c.delivery.position: c for c in claims if c.delivery.position not in ended}.values())
        await store.lock_devices(tx.session, {claim.declared.partner for claim in fresh if claim.declared})
        taken = await already_taken(tx, self.consumer, [c.event_key for c in fresh if c.declared and c.event_key])
        devices = await store.devices(tx.session, {claim.device for claim in fresh if claim.device})

        now_taken: set[UUID] = set()
        for claim in fresh:
            self._decide(claim, devices, taken | now_taken, tx.now)
            if claim.declared and claim.event_key and not claim.refused and not claim.repeated:
                now_taken.add(claim.event_key)

        await save_taken(tx, self.consumer, now_taken)
        await store.save_devices(tx.session, {c.registered.key: c.registered for c in fresh if c.registered})
        await _save_observations(fresh, tx)
        ends = [_end(claim, tx.now) for claim in fresh]
        await save_ends(tx, ends)
        _announce(fresh, tx)
        return ended | {end.delivery.position: end.outcome for end in ends}

    def _decide(self, claim: Claim, devices: Devices, taken: set[UUID], now: datetime) -> None:
        """Register what is declared, hold each reading against its device. Earlier claims count for later ones."""
        try:
            if claim.declared:
                self._register(claim, claim.declared, devices, taken)
            if claim.frame:
                claim.readings = _decode(claim.frame, claim.delivery.partner, devices)
        except Refused as refused:
            claim.refused = refused
            return
        device = devices.get(claim.device) if claim.device else None
        for part, judged in enumerate(domain.judge(claim.readings, device, now), start=1):
            if isinstance(judged, Observation):
                claim.accepted.append(judged)
            else:
                claim.rejected.append((part, _refused(judged, _path(claim, judged.field, part))))

    def _register(self, claim: Claim, declared: Device, devices: Devices, taken: set[UUID]) -> None:
        """A declaration that was taken before must not undo a later one; readings carry their event in their rows."""
        if claim.event_key in taken:
            claim.repeated = True
            return
        company = self.partners.current().partners.get(declared.partner)
        known = devices.get(declared.key)
        try:
            device = domain.register(declared, known, company.datasets if company else ())
        except NotAcceptable as error:
            raise _refused(error, f"$.{error.field}") from None
        if device != known:
            claim.registered = devices[declared.key] = device

    async def give_up(self, delivery: Delivery) -> Outcome | None:
        """A message that failed alone as well: again after a pause, then buried."""
        if delivery.deliveries < BURY_FAILED_AFTER:
            return None
        return await self.edge.bury(delivery, Refused(Reason.HANDLER_FAILED))


def _path(claim: Claim, name: str, part: int) -> str:
    """Where in its message a field of a reading stands."""
    if claim.frame:
        return lorawan.PATHS[name]
    return f"$.results[{part - 1}].{name}" if name in ("property", "unit") else f"$.{name}"


def _decode(frame: lorawan.Frame, partner: str | None, devices: Devices) -> list[Reading]:
    """The readings of an uplink, by the codec its device was declared with."""
    device = devices.get((str(partner), frame.device))
    if device is None:
        raise Refused(Reason.DEVICE_UNKNOWN, lorawan.PATHS["device"], f"Declare device {frame.device!r} first.")
    if not frame.payload:
        return []
    codec = lorawan.CODECS.get(device.codec)
    if codec is None:
        raise Refused(Reason.CODEC_MISSING, lorawan.PATHS["value"], f"Declare {frame.device!r} with a codec.")
    source = f"/lorawan/{frame.device}"
    key = event_key(partner, source, frame.id)
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
    refusals = [claim.delivery.quarantined(refused, now, part) for part, refused in claim.rejected]
    if claim.refused:
        refusals.append(claim.delivery.quarantined(claim.refused, now))
    return Ended(claim.delivery, _outcome(claim), counts, refusals)


def _outcome(claim: Claim) -> Outcome:
    """Quarantined: nothing of the message was accepted. Duplicate: all of it was there before."""
    if claim.refused or (claim.rejected and not claim.accepted):
        return "quarantined"
    nothing_new = not claim.rejected and set(claim.outcomes) == {"duplicate"}
    return "duplicate" if claim.repeated or nothing_new else "settled"


def _announce(claims: list[Claim], tx: Transaction) -> None:
    """One fact for each change of a device; one fact a company and dataset for all observations of the batch."""
    datasets: dict[tuple[str, str], list[Recorded]] = {}
    for claim in claims:
        if claim.registered and claim.cause:
            tx.announce(_registered(claim.registered), cause=claim.cause)
        for observation, outcome in zip(claim.accepted, claim.outcomes, strict=True):
            if outcome != "duplicate" and claim.cause:
                dataset = (observation.reading.partner, observation.datastream.dataset)
                datasets.setdefault(dataset, []).append((observation, outcome, claim.cause))
    for (partner, name), recorded in datasets.items():
        for part in _pieces(recorded):
            said = [_said(observation, outcome) for observation, outcome, _ in part]
            head = {"partner": partner, "dataset": name, "recorded_at": tx.now}
            fact = ObservationsRecordedV1.model_validate({**head, "observations": said})
            tx.announce(fact, cause=part[0][2])


def _pieces(recorded: list[Recorded]) -> Iterator[list[Recorded]]:
    """Cut where an event would become too large for the broker."""
    piece: list[Recorded] = []
    size = 0
    for row in recorded:
        reading = row[0].reading
        bound = 600 + 4 * (len(reading.event_source) + len(reading.event_id))  # a character has four bytes at most
        if piece and size + bound > FACT_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(row)
        size += bound
    if piece:
        yield piece


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


def _said(observation: Observation, outcome: domain.Outcome) -> dict[str, Any]:
    """One value as the fact says it; Pydantic takes a whole batch of these in one pass, which halves the cost."""
    reading = observation.reading
    return {
        "datastream": str(observation.datastream.id),
        "device": reading.device,
        "property": reading.property,
        "phenomenon_time": reading.phenomenon_time,
        "result_time": reading.result_time,
        "value": reading.value,
        "unit": reading.unit,
        "outcome": outcome,
        "event_source": reading.event_source,
        "event_id": reading.event_id,
    }


def _report(claims: list[Claim]) -> None:
    """One line a batch, after the commit; the ids of messages are in the tables."""
    reasons = Counter(str(claim.refused.reason) for claim in claims if claim.refused)
    reasons += Counter(str(refused.reason) for claim in claims for _, refused in claim.rejected)
    outcomes = Counter(str(outcome) for claim in claims for outcome in claim.outcomes)
    log.info("claims.ingested", messages=len(claims), **outcomes)
    if reasons:
        log.warning("claims.quarantined", **reasons)
