"""What a LoRaWAN network server says over MQTT: ChirpStack v4 topics and uplinks, Cayenne LPP payloads.

Sources: ChirpStack v4 documentation, "Integrations / MQTT"; Cayenne Low Power Payload 1.0 (data types of the IPSO
Alliance, object ids minus 3200).
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from oker_contracts import Reason, Refused
from oker_contracts.base import Instant
from oker_contracts.envelope import read_json
from oker_contracts.reading import refusals

TOPIC = re.compile(r"application/[^/]+/device/(?P<eui>[0-9A-Fa-f]{16})/event/(?P<event>[a-z]+)")
NO_READING = frozenset({"join", "status", "ack", "txack", "log", "location", "integration"})
"""Events of ChirpStack v4 that carry no reading."""
MAX_UPLINK = 64_000
"""Bytes; real ones have about two thousand."""
DIALECTS = {
    "ChirpStack v3 (upgrade the server to v4)": {"devEUI", "applicationID"},
    "The Things Stack v3": {"end_device_ids"},
    "ThingPark": {"DevEUI_uplink"},
    "LORIOT": {"EUI", "cmd"},
}
"""Network servers and versions that are not read, with the fields that give them away: all of them must be there."""
PATHS = {
    "device": "$.deviceInfo.devEui",
    "phenomenon_time": "$.time",
    "result_time": "$.time",
    "property": "$.data",
    "unit": "$.data",
    "value": "$.data",
}
"""Where in an uplink a field of a reading comes from."""

Eui = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{16}$"), AfterValidator(str.lower)]


class DeviceInfo(BaseModel):
    """The part of ``deviceInfo`` that is needed."""

    model_config = ConfigDict(hide_input_in_errors=True)

    devEui: Eui


class Uplink(BaseModel):
    """The part of a ChirpStack v4 uplink that is needed; zero values are left out by the sender."""

    model_config = ConfigDict(hide_input_in_errors=True)

    deduplicationId: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]
    time: Instant
    deviceInfo: DeviceInfo
    fCnt: Annotated[int, Field(ge=0, lt=2**32)] = 0
    fPort: Annotated[int, Field(ge=0, le=255)] = 0
    data: Annotated[str, StringConstraints(max_length=1024)] = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One uplink, read: the device, when, its identity at the network server, counter, port and the raw bytes."""

    device: str
    time: datetime
    id: str
    counter: int
    port: int
    payload: bytes


def read_message(topic: str, body: bytes) -> Frame | None:
    """Read an MQTT message of ChirpStack v4; ``None`` for events that carry no reading.

    Raises:
        Refused: ``dialect_foreign``, ``topic_unmapped``, or what is wrong with the uplink and where.
    """
    if len(body) > MAX_UPLINK:
        raise Refused(Reason.BODY_TOO_LARGE, "$", f"A message of a network server has {MAX_UPLINK} bytes at most.")
    match = TOPIC.fullmatch(topic)
    if match is None:
        _refuse_other_dialects(body)
        detail = "Mapped is application/<id>/device/<DevEUI>/event/<event> of ChirpStack v4."
        raise Refused(Reason.TOPIC_UNMAPPED, "topic", detail)
    if match["event"] in NO_READING:
        return None
    if match["event"] != "up":
        raise Refused(Reason.TOPIC_UNMAPPED, "topic", "ChirpStack v4 has no such event.")
    uplink = _uplink(body)
    if uplink.deviceInfo.devEui != match["eui"].lower():
        raise Refused(Reason.TOPIC_MISMATCH, "$.deviceInfo.devEui", "Differs from the DevEUI in the topic.")
    return Frame(
        device=uplink.deviceInfo.devEui,
        time=uplink.time,
        id=uplink.deduplicationId,
        counter=uplink.fCnt,
        port=uplink.fPort,
        payload=_bytes(uplink.data),
    )


def _uplink(body: bytes) -> Uplink:
    try:
        return Uplink.model_validate_json(body)
    except ValidationError as error:
        _refuse_other_dialects(body)
        raise refusals(error, body)[0] from None


def _refuse_other_dialects(body: bytes) -> None:
    """Name the dialect, so that the sender knows which setting to change."""
    try:
        said: Any = read_json(body)
    except Refused:
        return
    for dialect, marks in DIALECTS.items():
        if isinstance(said, dict) and marks <= said.keys():
            path = f"$.{min(marks)}"
            raise Refused(Reason.DIALECT_FOREIGN, path, f"This is {dialect}; ChirpStack v4 is read here.")


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
    136: (
        "gps",
        (("latitude", 3, 10_000, "deg"), ("longitude", 3, 10_000, "deg"), ("altitude", 3, 100, "m")),
    ),
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
