"""What a LoRaWAN network server says over MQTT: ChirpStack v4 topics and uplinks, Cayenne LPP payloads.

Sources: ChirpStack v4 documentation, "Integrations / MQTT"; Cayenne Low Power Payload 1.0 (data types of the IPSO
Alliance, object ids minus 3200).
"""

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from oker_contracts import Reason, Refused
from oker_contracts.envelope import read_json
from oker_contracts.reading import json_path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

TOPIC = re.compile(r"application/[^/]+/device/(?P<eui>[0-9A-Fa-f]{16})/event/(?P<event>[a-z]+)")
NO_READING = frozenset({"join", "status", "ack", "txack", "log", "location", "integration"})
"""Events of ChirpStack v4 that carry no reading."""

Eui = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$", to_lower=True)]


class DeviceInfo(BaseModel):
    """The part of ``deviceInfo`` that is needed."""

    model_config = ConfigDict(hide_input_in_errors=True)

    devEui: Eui


class Uplink(BaseModel):
    """A ChirpStack v4 uplink; zero values are left out by the sender (``fPort``, ``fCnt``)."""

    model_config = ConfigDict(hide_input_in_errors=True)

    deduplicationId: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    time: AwareDatetime
    deviceInfo: DeviceInfo
    fCnt: Annotated[int, Field(ge=0, le=2**32)] = 0
    fPort: Annotated[int, Field(ge=0, le=255)] = 0
    data: Annotated[str, StringConstraints(max_length=1024)] = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One uplink, read: the device, when, its identity at the network server, and the raw bytes."""

    device: str
    time: datetime
    id: str
    payload: bytes


def read_message(topic: str, body: bytes) -> Frame | None:
    """Read an MQTT message of ChirpStack v4; ``None`` for events that carry no reading.

    Raises:
        Refused: ``topic_unmapped``, ``dialect_foreign``, or what is wrong with the uplink and where.
    """
    match = TOPIC.fullmatch(topic)
    if match is None:
        detail = "Mapped is application/<id>/device/<DevEUI>/event/<event> of ChirpStack v4."
        raise Refused(Reason.TOPIC_UNMAPPED, "topic", detail)
    if match["event"] in NO_READING:
        return None
    if match["event"] != "up":
        raise Refused(Reason.TOPIC_UNMAPPED, "topic", "ChirpStack v4 has no such event.")
    uplink = _uplink(body)
    if uplink.deviceInfo.devEui != match["eui"].lower():
        raise Refused(Reason.TOPIC_MISMATCH, "$.deviceInfo.devEui", "Differs from the DevEUI in the topic.")
    return Frame(uplink.deviceInfo.devEui, uplink.time, uplink.deduplicationId, _bytes(uplink.data))


def _uplink(body: bytes) -> Uplink:
    said = read_json(body)
    if not isinstance(said, dict):
        raise Refused(Reason.FIELD_TYPE_WRONG, "$", "A ChirpStack uplink is a JSON object.")
    _refuse_other_dialects(said)
    try:
        return Uplink.model_validate_json(json.dumps(said))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    missing = first["type"] == "missing"
    reason = Reason.FIELD_MISSING if missing else Reason.FIELD_VALUE_INVALID
    raise Refused(reason, json_path(first["loc"]), first["msg"][:200])


def _refuse_other_dialects(said: dict[str, object]) -> None:
    """Name the dialect, so that the sender knows which setting to change."""
    marks = {
        "ChirpStack v3 (devEUI in Base64; upgrade to v4)": {"devEUI", "applicationID"},
        "The Things Stack v3": {"end_device_ids", "uplink_message"},
        "ThingPark": {"DevEUI_uplink"},
        "LORIOT": {"EUI", "cmd"},
    }
    for dialect, keys in marks.items():
        found = sorted(keys & set(said))
        if found:
            raise Refused(Reason.DIALECT_FOREIGN, f"$.{found[0]}", f"This is {dialect}; ChirpStack v4 is read here.")


def _bytes(data: str) -> bytes:
    try:
        return b64decode(data, validate=True)
    except ValueError:
        raise Refused(Reason.FIELD_VALUE_INVALID, "$.data", "Not Base64 (RFC 4648).") from None


@dataclass(frozen=True, slots=True)
class Decoded:
    """One number from a payload, with the name of its property and its unit (UCUM)."""

    property: str
    value: float
    unit: str


_LPP: dict[int, tuple[str, int, bool, float, str]] = {
    0: ("digital_in", 1, False, 1, "1"),
    1: ("digital_out", 1, False, 1, "1"),
    2: ("analog_in", 2, True, 100, "1"),
    3: ("analog_out", 2, True, 100, "1"),
    101: ("luminosity", 2, False, 1, "lx"),
    102: ("presence", 1, False, 1, "1"),
    103: ("temperature", 2, True, 10, "Cel"),
    104: ("relative_humidity", 1, False, 2, "%"),
    115: ("barometric_pressure", 2, False, 10, "hPa"),
}
"""Type: name, size in bytes, signed, divisor, unit."""
_LPP_AXES: dict[int, tuple[str, tuple[tuple[str, int, float, str], ...]]] = {
    113: ("accelerometer", tuple((axis, 2, 1000, "[g]") for axis in "xyz")),
    134: ("gyrometer", tuple((axis, 2, 100, "deg/s") for axis in "xyz")),
    136: ("gps", (("latitude", 3, 10_000, "deg"), ("longitude", 3, 10_000, "deg"), ("altitude", 3, 100, "m"))),
}
"""Type: name, and for each signed component its name, size, divisor and unit."""


def decode_cayenne_lpp(payload: bytes) -> list[Decoded]:
    """Decode a Cayenne LPP payload: ``[channel, type, value…]`` repeated.

    Raises:
        Refused: ``payload_undecodable`` with the byte where it ends or is not understood.
    """
    return list(_lpp(payload))


def _lpp(payload: bytes) -> Iterator[Decoded]:
    at = 0
    while at < len(payload):
        if at + 2 > len(payload):
            raise _undecodable(at, "a channel without a type")
        channel, kind = payload[at], payload[at + 1]
        at += 2
        if kind in _LPP:
            name, size, signed, divisor, unit = _LPP[kind]
            yield Decoded(f"{name}_{channel}", _number(payload, at, size, signed) / divisor, unit)
            at += size
        elif kind in _LPP_AXES:
            name, parts = _LPP_AXES[kind]
            for part, size, divisor, unit in parts:
                yield Decoded(f"{name}_{channel}_{part}", _number(payload, at, size, True) / divisor, unit)
                at += size
        else:
            raise _undecodable(at - 1, f"type {kind} is not of Cayenne LPP")


def _number(payload: bytes, at: int, size: int, signed: bool) -> int:
    if at + size > len(payload):
        raise _undecodable(at, f"{size} bytes expected, {len(payload) - at} are left")
    return int.from_bytes(payload[at : at + size], "big", signed=signed)


def _undecodable(at: int, why: str) -> Refused:
    return Refused(Reason.PAYLOAD_UNDECODABLE, "$.data", f"Cayenne LPP, byte {at}: {why}.")


CODECS = {"cayenne_lpp": decode_cayenne_lpp}
"""The codecs that a device may be declared with."""
