"""What companies claim, read and validated message by message, without any I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from oker_bus import Cause, Delivery, Event, Reason, Refused
from oker_contracts import event_key, reader
from oker_contracts.sensor.device_declared_v2 import DeviceDeclaredV2
from oker_contracts.sensor.device_moved_v1 import DeviceMovedV1
from oker_contracts.sensor.device_replaced_v1 import DeviceReplacedV1
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1
from oker_contracts.sensor.profile_declared_v1 import ProfileDeclaredV1
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1
from oker_contracts.sensor.readings_reported_v1 import ReadingsReportedV1
from oker_contracts.sensor.uplink_redecoded_v1 import UplinkRedecodedV1
from oker_contracts.sensor.webhook_received_v1 import WebhookReceivedV1
from sensor_ingest import domain, lorawan, topics
from sensor_ingest.codecs import Decoded
from sensor_ingest.domain import Device, NotAcceptable, Observation, Reading
from sensor_ingest.lorawan import NetworkEvent

REASONS = {str(reason): reason for reason in Reason}
CARRIERS = (MqttMessageReceivedV1, WebhookReceivedV1)
"""What others said is inside of these."""


class PlainMessage(NamedTuple):
    """JSON that a device published itself; its profile says how it is read."""

    device: str
    body: bytes
    received_at: datetime


@dataclass(slots=True)
class Claim:
    """One message on its way: what was read from it, and what became of that."""

    delivery: Delivery
    partner: str = ""
    """The company that speaks."""
    event: Event[Any] | None = None
    said: tuple[str, str] | None = None
    """Source and id of what was said, which may be inside of the message."""
    event_key: UUID | None = None
    registers: Any = None
    """What it says for the registry; such an event is taken once, however often it comes."""
    hardware: str | None = None
    device: str | None = None
    """The apparatus, or the device, that it names outside of its readings."""
    heard: NetworkEvent | None = None
    plain: PlainMessage | None = None
    network_object: Any = None
    """What the network server had decoded of an uplink that is decoded once more."""
    decoded: list[Decoded] | Refused | None = None
    """What a company's own codec made of its bytes, where it was called ahead of its turn."""
    place: str = "$"
    """Where in an uplink its numbers stand."""
    readings: Sequence[Reading] = ()
    paths: tuple[str, ...] = ()
    """Where each reading stands in the message; empty where the fields' places are known otherwise."""
    refused: Refused | None = None
    repeated: bool = False
    registered: Device | None = None
    is_news: bool = False
    """Whether it says more than was known, of a device or as a network server."""
    profile: ProfileDeclaredV1 | None = None
    accepted: Sequence[Observation] = ()
    rejected: Sequence[tuple[int, Refused]] = ()
    outcomes: Sequence[domain.Outcome] = ()
    mended: Cause | None = None
    """Set where the message is taken once more: what it caused at first has the ids of its place."""

    @property
    def cause(self) -> Cause:
        """The event, at its place in the stream: sent again after its device was declared, it causes another fact."""
        delivery, event = self.delivery, self.event
        if event is None:
            return Cause(delivery.stream, str(delivery.sequence), delivery.partner)
        place = self.mended.source if self.mended else f"{delivery.stream}/{delivery.sequence}"
        return Cause(place, event.id, event.partner, event.correlationid, event.traceparent)

    @property
    def parts(self) -> tuple[str, ...]:
        """What became of each of its numbers, in order; nothing if the message was refused whole."""
        rejected = {part for part, _ in self.rejected}
        outcomes = iter(self.outcomes)
        numbers = range(1, self.count + 1) if not self.refused else ()
        return tuple("quarantined" if part in rejected else next(outcomes) for part in numbers)

    @property
    def count(self) -> int:
        """How many numbers it claims."""
        return sum([len(reading.results) for reading in self.readings])


def prepare(deliveries: list[Delivery]) -> list[Claim]:
    """Validate each message on its own, without any I/O: one bad message harms no neighbour."""
    return [_prepared(delivery) for delivery in deliveries]


def said(delivery: Delivery) -> tuple[str, str] | None:
    """Source and id of what a message says, as far as they can be read; read whole only where they stand inside."""
    if not any(f".{carrier.TYPE}" in delivery.subject for carrier in CARRIERS):
        return delivery.said()
    return _prepared(delivery).said or delivery.said()


def change_the_registry(claims: list[Claim]) -> bool:
    """Whether devices or profiles are declared: readings of later batches are held against them."""
    return any(claim.registers for claim in claims)


def until_the_registry_changes(claims: Sequence[Claim]) -> Iterator[Sequence[Claim]]:
    """The same in runs, whose messages are held against the same registry: each declaration ends one."""
    start = 0
    for number, claim in enumerate(claims, 1):
        if claim.registers or number == len(claims):
            yield claims[start:number]
            start = number


def _prepared(delivery: Delivery) -> Claim:
    claim = Claim(delivery, delivery.partner or "")
    try:
        event = reader().event(delivery.envelope(), delivery.stored_at, delivery.partner)
        claim.event, claim.said = event, (event.source, event.id)
        claim.event_key = event.key
        _read(claim, event, claim.event_key)
    except Refused as refused:
        claim.refused = refused
    return claim


def _read(claim: Claim, event: Event[Any], key: UUID) -> None:
    data = event.data
    if type(data) is ReadingReportedV1:  # nearly all; a pattern asks the class of an abstract base class, which is slow
        claim.readings = [_reading(event, data, key)]
        return
    match data:
        case ReadingsReportedV1():
            claim.readings = [_reading(event, one, key) for one in data.readings]
            claim.paths = tuple(f"$.readings[{number}]" for number in range(len(data.readings)))
        case MqttMessageReceivedV1():
            _read_topic(claim, data)
        case WebhookReceivedV1():
            _hear(claim, lorawan.read_webhook(data.network, data.event, data.payload, data.received_at))
        case DeviceDeclaredV2() | DeviceReplacedV1() | DeviceMovedV1():
            claim.registers, claim.device = data, data.device
        case ProfileDeclaredV1():
            claim.registers = data
        case UplinkRedecodedV1():
            claim.hardware = data.hardware
        case _:
            raise Refused(Reason.TYPE_UNKNOWN, "ce-type", f"sensor-ingest does not hear {event.type}.")


def _reading(event: Event[Any], said: Any, key: UUID) -> Reading:
    return Reading(
        event.partner or "",
        said.device,
        said.phenomenon_time,
        said.result_time or event.time,
        key,
        event.source,
        event.id,
        said.results,
    )


def _read_topic(claim: Claim, data: MqttMessageReceivedV1) -> None:
    match topics.route(data.topic):
        case topics.Plain() as plain:
            body = topics.record(plain, data.payload)
            claim.plain, claim.device = PlainMessage(plain.device, body, data.received_at), plain.device
            claim.said = topics.identity(plain, body, claim.said or ("", ""))
            claim.event_key = event_key(claim.partner, *claim.said)
        case topics.Lorawan():
            _hear(claim, lorawan.read_message(data.topic, data.payload, data.received_at))
        case topics.Unmapped(detail):
            raise lorawan.foreign(data.payload) or Refused(Reason.TOPIC_UNMAPPED, "topic", detail)


def _hear(claim: Claim, heard: NetworkEvent) -> None:
    """The same event is the same over MQTT and HTTP, and however often the network server repeats it."""
    claim.heard, claim.hardware, claim.said = heard, heard.hardware, (heard.source, heard.id)
    claim.event_key = event_key(claim.partner, heard.source, heard.id)


def refusal(error: NotAcceptable, path: str) -> Refused:
    """A broken rule of the domain, as a refusal."""
    return Refused(REASONS[error.code], path, error.detail)
