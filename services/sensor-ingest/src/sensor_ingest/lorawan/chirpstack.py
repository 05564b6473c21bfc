"""ChirpStack v4: its MQTT and HTTP integrations, encoded as JSON.

Sources: ChirpStack v4 documentation, "Integrations / MQTT", "Integrations / HTTP", "Event types"; its
``integration.proto`` in the JSON mapping of proto3, which leaves out what is zero.
"""

import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from oker_contracts import Reason, Refused
from oker_contracts.base import Instant
from sensor_ingest.lorawan.dialects import refusal
from sensor_ingest.lorawan.event import (
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

TOPIC = re.compile(r"application/[^/]+/device/(?P<eui>[0-9A-Fa-f]{16})/event/(?P<event>[a-z]+)")
EVENTS: dict[str, Kind] = {
    "up": "up",
    "join": "join",
    "status": "status",
    "ack": "ack",
    "txack": "txack",
    "log": "log",
    "location": "location",
    "integration": "other",
}
"""What ChirpStack names in the topic, or in the query of the URL, and what it is here."""

Eui = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{16}$"), AfterValidator(str.lower)]
Id = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]
DevAddr = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{8}$"), AfterValidator(str.lower)]


class _Read(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)


T = TypeVar("T", bound=_Read)


class DeviceInfo(_Read):
    """The part of ``deviceInfo`` that is needed."""

    dev_eui: Eui = Field(alias="devEui")


class Said(_Read):
    """What every event says."""

    time: Instant
    device: DeviceInfo = Field(alias="deviceInfo")
    dev_addr: DevAddr | None = Field(default=None, alias="devAddr")


class Uplink(Said):
    """The part of an ``up`` that is needed."""

    id: Id = Field(alias="deduplicationId")
    f_cnt: Annotated[int, Field(strict=True, ge=0, lt=2**32, alias="fCnt")] = 0
    f_port: Annotated[int, Field(strict=True, ge=0, le=255, alias="fPort")] = 0
    data: Annotated[str, StringConstraints(max_length=1024)] = ""
    object: Any = None
    rx: Any = Field(default=None, alias="rxInfo")
    tx: Any = Field(default=None, alias="txInfo")
    dr: Any = None


class Other(Said):
    """The part of all other events that is kept as state."""

    model_config = ConfigDict(extra="allow")

    id: Id | None = Field(default=None, alias="deduplicationId")


def read(event: str, body: bytes, where: str) -> NetworkEvent:
    """Read one event.

    Args:
        event: its name in the topic or the query.
        where: ``topic`` or ``event``, to be named when it is unknown.

    Raises:
        Refused: what is wrong and where.
    """
    kind = EVENTS.get(event)
    if kind is None:
        raise Refused(Reason.TOPIC_UNMAPPED, where, f"ChirpStack v4 has no such event; it has {', '.join(EVENTS)}.")
    if kind == "up":
        return _uplink(_validated(Uplink, body))
    return _other(kind, _validated(Other, body))


def read_topic(match: re.Match[str], body: bytes) -> NetworkEvent:
    """Read a message on the topic that ``match`` stands for.

    Raises:
        Refused: as :func:`read`; ``topic_mismatch`` where the topic names another device.
    """
    event = read(match["event"], body, "topic")
    if event.hardware != match["eui"].lower():
        raise Refused(Reason.TOPIC_MISMATCH, "$.deviceInfo.devEui", "Differs from the DevEUI in the topic.")
    return event


def _validated(model: type[T], body: bytes) -> T:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise refusal(error, body, "chirpstack") from None


def _uplink(said: Uplink) -> NetworkEvent:
    return NetworkEvent(
        hardware=said.device.dev_eui,
        kind="up",
        id=said.id,
        time=utc(said.time),
        session=said.dev_addr,
        f_cnt=said.f_cnt,
        f_port=said.f_port,
        payload=frame_bytes(said.data, "$.data"),
        network_object=said.object,
        state=known(
            dev_addr=said.dev_addr,
            dr=number(said.dr),
            spreading_factor=number(member(said.tx, "modulation", "lora", "spreadingFactor")),
            **signal(said.rx),
        ),
        network="chirpstack",
    )


def _other(kind: Kind, said: Other) -> NetworkEvent:
    """An ack or a status carries the deduplication id of the uplink it came with, so the kind stands before it."""
    state = _state(kind, said, said.model_extra or {})
    made = made_id(kind, (said.time, said.device.dev_eui, state))
    return NetworkEvent(
        hardware=said.device.dev_eui,
        kind=kind,
        id=made if said.id is None else f"{kind}-{said.id}",
        time=utc(said.time),
        session=said.dev_addr,
        f_cnt=None,
        f_port=None,
        payload=None,
        network_object=None,
        state=state,
        network="chirpstack",
    )


def _state(kind: Kind, said: Other, rest: dict[str, Any]) -> dict[str, Any]:
    match kind:
        case "status":
            return known(
                battery=None if rest.get("batteryLevelUnavailable") is True else number(rest.get("batteryLevel", 0)),
                external_power=rest.get("externalPowerSource") is True or None,
                margin=number(rest.get("margin", 0)),
            )
        case "ack":
            acknowledged = rest.get("acknowledged") is True
            return known(acknowledged=acknowledged, f_cnt_down=number(rest.get("fCntDown", 0)), **_queued(rest))
        case "txack":
            downlink = text(str(rest["downlinkId"])) if "downlinkId" in rest else None
            return known(f_cnt_down=number(rest.get("fCntDown", 0)), downlink=downlink, **_queued(rest))
        case "log":
            named = {name: text(rest.get(name)) for name in ("level", "code", "description")}
            return known(**{"level": "INFO"} | known(**named), uplink=text(member(rest, "context", "deduplication_id")))
        case "location":
            return known(location=place(rest.get("location")))
        case "join":
            return known(dev_addr=said.dev_addr)
        case _:
            return known(integration=text(rest.get("integrationName")), event=text(rest.get("eventType")))


def _queued(rest: dict[str, Any]) -> dict[str, Any]:
    return known(queue_item=text(rest.get("queueItemId")), gateway=text(rest.get("gatewayId")))
