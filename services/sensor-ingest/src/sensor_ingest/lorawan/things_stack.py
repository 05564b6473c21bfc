"""The Things Stack v3: its webhooks, and what its own MQTT server publishes, bridged.

Sources: The Things Stack documentation, "Data Formats", "Webhooks", "MQTT Server"; ``ApplicationUp`` of its API in the
JSON mapping of proto3, which leaves out what is zero, empty or false.
"""

import re
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from oker_contracts import Reason, Refused
from oker_contracts.base import Instant, parse_instant
from sensor_ingest.lorawan.dialects import refusal
from sensor_ingest.lorawan.event import (
    MAX_GATEWAYS,
    Kind,
    NetworkEvent,
    frame_bytes,
    known,
    made_id,
    member,
    number,
    place,
    signal,
    text,
    utc,
)

TOPIC = re.compile(
    r"v3/(?P<application>[^/]{1,80})/devices/(?P<device>[^/]{1,64})/"
    r"(?P<event>up|join|down/(?:queued|sent|ack|nack|failed|invalidated)|service/data|location/solved)"
)
"""``application`` is ``<application>@<tenant>``; the open source edition has no tenant."""
MEMBERS = {
    "up": "uplink_message",
    "join": "join_accept",
    "down/queued": "downlink_queued",
    "down/sent": "downlink_sent",
    "down/ack": "downlink_ack",
    "down/nack": "downlink_nack",
    "down/failed": "downlink_failed",
    "down/invalidated": "downlink_queue_invalidated",
    "service/data": "service_data",
    "location/solved": "location_solved",
}
"""The last levels of a topic, and the member of the body that must be there."""
KINDS: dict[str, Kind] = {
    "uplink_message": "up",
    "join_accept": "join",
    "downlink_ack": "ack",
    "downlink_nack": "ack",
    "downlink_sent": "txack",
    "downlink_failed": "log",
    "downlink_queued": "other",
    "downlink_queue_invalidated": "other",
    "location_solved": "location",
    "service_data": "other",
    "uplink_normalized": "other",
}
"""What may stand in a body, and what it is here: ``uplink_normalized`` says an uplink once more."""
EUI_NAME = re.compile(r"eui-([0-9a-f]{16})")
HARDWARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:-]{0,63}")

Eui = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{16}$"), AfterValidator(str.lower)]
DevAddr = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{8}$"), AfterValidator(str.lower)]
Name = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f/+#]{1,64}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,100}$")]


class _Read(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)


class Application(_Read):
    """The application of a device."""

    application_id: Name


class Device(_Read):
    """The names of a device; one that was activated by personalisation may have no DevEUI."""

    device_id: Name
    application_ids: Application
    dev_eui: Eui | None = None
    dev_addr: DevAddr | None = None


class Uplink(_Read):
    """The part of an ``uplink_message`` that is needed."""

    session_key_id: Key | None = None
    f_cnt: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = 0
    f_port: Annotated[int, Field(strict=True, ge=0, le=255)] = 0
    frm_payload: Annotated[str, StringConstraints(max_length=1024)] = ""
    received_at: Instant | None = None
    decoded_payload: Any = None
    rx_metadata: Any = None
    settings: Any = None
    last_battery_percentage: Any = None


class Message(_Read):
    """One message about a device; exactly one of the members of :data:`KINDS` is there."""

    end_device_ids: Device
    received_at: Instant | None = None
    simulated: bool = False
    uplink_message: Uplink | None = None
    join_accept: dict[str, Any] | None = None
    downlink_ack: dict[str, Any] | None = None
    downlink_nack: dict[str, Any] | None = None
    downlink_sent: dict[str, Any] | None = None
    downlink_failed: dict[str, Any] | None = None
    downlink_queued: dict[str, Any] | None = None
    downlink_queue_invalidated: dict[str, Any] | None = None
    location_solved: dict[str, Any] | None = None
    service_data: dict[str, Any] | None = None
    uplink_normalized: dict[str, Any] | None = None


def read(body: bytes, received_at: datetime) -> NetworkEvent:
    """Read one message.

    Args:
        received_at: when it came in here; its time where it says none.

    Raises:
        Refused: what is wrong and where.
    """
    said = _validated(body)
    name = _said_member(said)
    if said.uplink_message is not None:
        return _uplink(said, said.uplink_message, received_at)
    return _other(name, said, getattr(said, name), received_at)


def read_topic(match: re.Match[str], body: bytes, received_at: datetime) -> NetworkEvent:
    """Read a message on the topic that ``match`` stands for.

    Raises:
        Refused: as :func:`read`; ``topic_mismatch`` where the topic names another device or event.
    """
    said = _validated(body)
    name = _said_member(said)
    ids = said.end_device_ids
    if ids.device_id != match["device"]:
        raise Refused(Reason.TOPIC_MISMATCH, "$.end_device_ids.device_id", "Differs from the device in the topic.")
    if ids.application_ids.application_id != match["application"].partition("@")[0]:
        path = "$.end_device_ids.application_ids.application_id"
        raise Refused(Reason.TOPIC_MISMATCH, path, "Differs from the application in the topic.")
    if name != MEMBERS[match["event"]]:
        raise Refused(Reason.TOPIC_MISMATCH, f"$.{name}", f"On this topic {MEMBERS[match['event']]} is expected.")
    if said.uplink_message is not None:
        return _uplink(said, said.uplink_message, received_at)
    return _other(name, said, getattr(said, name), received_at)


def _validated(body: bytes) -> Message:
    try:
        return Message.model_validate_json(body)
    except ValidationError as error:
        raise refusal(error, body, "things-stack") from None


def _said_member(said: Message) -> str:
    """The member that says what happened."""
    if said.uplink_message is not None:
        return "uplink_message"
    for name in KINDS:
        if getattr(said, name) is not None:
            return name
    raise Refused(Reason.FIELD_MISSING, "$.uplink_message", f"One of these must be there: {', '.join(KINDS)}.")


def _hardware(ids: Device) -> str:
    """The DevEUI; else the one in the usual name of a device; else application and device, which name it as well."""
    if ids.dev_eui is not None:
        return ids.dev_eui
    named = EUI_NAME.fullmatch(ids.device_id)
    if named is not None:
        return named[1]
    made = f"{ids.application_ids.application_id}:{ids.device_id}"
    if not HARDWARE.fullmatch(made):
        detail = "Without it a device is <application>:<device>: 64 letters, digits, '_', ':' or '-' at most."
        raise Refused(Reason.FIELD_MISSING, "$.end_device_ids.dev_eui", detail)
    return made


def _uplink(said: Message, up: Uplink, received_at: datetime) -> NetworkEvent:
    """A simulated uplink comes from a person at the console, not from a device: it carries no reading."""
    ids = said.end_device_ids
    session = up.session_key_id or ids.dev_addr
    heard = _heard(said, up)
    payload = frame_bytes(up.frm_payload, "$.uplink_message.frm_payload")
    identity = f"{session or ''}-{up.f_cnt}-{utc(heard).isoformat() if heard else _frame_id(up.f_port, payload)}"
    battery = up.last_battery_percentage
    state = known(
        dev_addr=ids.dev_addr,
        battery=number(battery.get("value", 0)) if isinstance(battery, dict) else None,
        spreading_factor=number(member(up.settings, "data_rate", "lora", "spreading_factor")),
        **signal(up.rx_metadata),
    )
    simulated = said.simulated
    return NetworkEvent(
        hardware=_hardware(ids),
        kind="other" if simulated else "up",
        id=f"simulated-{identity}" if simulated else identity,
        time=utc(heard or received_at),
        session=session,
        f_cnt=None if simulated else up.f_cnt,
        f_port=None if simulated else up.f_port,
        payload=None if simulated else payload,
        network_object=None if simulated else up.decoded_payload,
        state=state | {"simulated": True} if simulated else state,
        network="things-stack",
        timed=heard is not None,
    )


def _heard(said: Message, up: Uplink) -> datetime | None:
    """The network server's time: of the uplink, of the message, or the first at which a gateway's frame came in."""
    heard = up.received_at or said.received_at
    if heard is not None or not isinstance(up.rx_metadata, list):
        return heard
    gateways = up.rx_metadata[:MAX_GATEWAYS]
    return min(filter(None, (_instant(member(gateway, "received_at")) for gateway in gateways)), default=None)


def _frame_id(f_port: int, payload: bytes) -> str:
    """What tells an uplink from another one of its session and counter, where no time does."""
    return f"{f_port}.{blake2b(payload, digest_size=8).hexdigest()}"


def _other(name: str, said: Message, rest: dict[str, Any], received_at: datetime) -> NetworkEvent:
    ids = said.end_device_ids
    time = _instant(rest.get("received_at")) or said.received_at
    session = text(rest.get("session_key_id")) or (ids.dev_addr if name == "join_accept" else None)
    state = _state(name, said, rest)
    return NetworkEvent(
        hardware=_hardware(ids),
        kind=KINDS[name],
        id=made_id(name, (time and utc(time).isoformat(), _hardware(ids), session, state)),
        time=utc(time or received_at),
        session=session,
        f_cnt=None,
        f_port=None,
        payload=None,
        network_object=None,
        state=state,
        network="things-stack",
        timed=time is not None,
    )


def _instant(said: Any) -> datetime | None:
    """A time beside the main one: taken if it is one."""
    try:
        return parse_instant(said) if isinstance(said, str) else None
    except ValueError:
        return None


def _state(name: str, said: Message, rest: dict[str, Any]) -> dict[str, Any]:
    simulated = True if said.simulated else None
    dev_addr = said.end_device_ids.dev_addr
    if name == "join_accept":
        return known(dev_addr=dev_addr, simulated=simulated)
    if name == "location_solved":
        return known(service=text(rest.get("service")), location=place(rest.get("location")), simulated=simulated)
    if name == "service_data":
        return known(service=text(rest.get("service")), simulated=simulated)
    if name == "uplink_normalized":
        return known(f_cnt=number(rest.get("f_cnt", 0)), f_port=number(rest.get("f_port", 0)), simulated=simulated)
    if not name.startswith("downlink"):
        return known(simulated=simulated)
    downlink = rest.get("downlink") if name == "downlink_failed" else rest
    return known(
        event=name,
        acknowledged={"downlink_ack": True, "downlink_nack": False}.get(name),
        f_cnt_down=number(member(downlink, "f_cnt") or 0),
        f_port=number(member(downlink, "f_port")),
        code=text(member(rest, "error", "name")),
        description=text(member(rest, "error", "message_format")),
        simulated=simulated,
    )
