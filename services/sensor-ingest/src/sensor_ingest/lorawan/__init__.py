"""What LoRaWAN network servers say: ChirpStack v4 and The Things Stack v3, over MQTT and HTTP. No I/O.

Other dialects are refused by their names. Gateway duplicates are collapsed by the network servers: several gateways
that heard a frame are several entries in one message.
"""

from datetime import datetime, timedelta

from oker_contracts import Reason, Refused
from oker_contracts.envelope import read_json
from sensor_ingest.lorawan import chirpstack, things_stack
from sensor_ingest.lorawan.dialects import foreign
from sensor_ingest.lorawan.event import MAX_BODY, PATHS, Kind, Network, NetworkEvent

__all__ = [
    "MAX_BODY",
    "PATHS",
    "Kind",
    "Network",
    "NetworkEvent",
    "check_time",
    "foreign",
    "is_plausible",
    "read_message",
    "read_webhook",
]

CLOCK_TOLERANCE = timedelta(minutes=5)
MAPPED = (
    "Mapped are application/<id>/device/<DevEUI>/event/<event> of ChirpStack v4 "
    "and v3/<application>@<tenant>/devices/<device>/<event> of The Things Stack v3."
)


def read_message(topic: str, body: bytes, received_at: datetime) -> NetworkEvent:
    """Read an MQTT message of a network server.

    Args:
        received_at: when the broker stored it; the event's time where it says none.

    Raises:
        Refused: ``dialect_foreign``, ``topic_unmapped``, or what is wrong with the body and where.
    """
    _check_body(body)
    if match := chirpstack.TOPIC.fullmatch(topic):
        return chirpstack.read_topic(match, body)
    if match := things_stack.TOPIC.fullmatch(topic):
        return things_stack.read_topic(match, body, received_at)
    if "/gateway/" in topic:
        detail = "These are a gateway's own frames; let the application topics of the network server through only."
        raise Refused(Reason.TOPIC_UNMAPPED, "topic", detail)
    raise foreign(body) or Refused(Reason.TOPIC_UNMAPPED, "topic", MAPPED)


def read_webhook(network: Network, event: str, body: bytes, received_at: datetime) -> NetworkEvent:
    """Read the body of a network server's HTTP request.

    Args:
        event: what ChirpStack names in the query; The Things Stack names it in the body.
        received_at: when it came in; the event's time where it says none.

    Raises:
        Refused: ``dialect_foreign``, or what is wrong with the body and where.
    """
    _check_body(body)
    if network == "chirpstack":
        return chirpstack.read(event, body, "event")
    return things_stack.read(body, received_at)


def check_time(event: NetworkEvent, now: datetime, oldest: datetime) -> None:
    """A time from the future would pass for the newest state of the device for ever.

    Raises:
        Refused: ``time_in_future`` or ``time_too_old``, with the place of the time in the body.
    """
    path = PATHS[event.network]["phenomenon_time"] if event.kind == "up" else "$.time"
    if event.time > now + CLOCK_TOLERANCE:
        raise Refused(Reason.TIME_IN_FUTURE, path, "The time lies in the future; the network server's clock is ahead.")
    if event.time < oldest:
        raise Refused(Reason.TIME_TOO_OLD, path, "The time lies before 2000; the network server's clock was never set.")


def is_plausible(event: NetworkEvent, now: datetime, oldest: datetime) -> bool:
    """Whether the event's time lies neither in the future nor before ``oldest``: what is kept must be able to age."""
    return oldest <= event.time <= now + CLOCK_TOLERANCE


def _check_body(body: bytes) -> None:
    if len(body) > MAX_BODY:
        raise Refused(Reason.BODY_TOO_LARGE, "$", f"A message of a network server has {MAX_BODY} bytes at most.")
    if b"NaN" in body or b"Infinity" in body:
        read_json(body)  # Pydantic lets these words pass in fields that nobody reads
