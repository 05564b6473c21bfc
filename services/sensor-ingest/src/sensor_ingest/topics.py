"""MQTT topics: what a message is by the topic it came on, and who the reading inside of a plain message is."""

import json
import re
from dataclasses import dataclass
from math import isfinite
from typing import Any

from oker_contracts import Reason, Refused
from oker_contracts.envelope import MAX_ATTRIBUTE, read_json

NETWORK_SERVERS = ("application", "v3")
"""How the topics of ChirpStack and of The Things Stack begin."""
MAX_BODY = 64_000
"""Bytes of a plain message."""
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:-]{0,63}")
_PROPERTY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+\s*")


@dataclass(frozen=True, slots=True)
class Lorawan:
    """A network server speaks; the topic's further levels are read with the body."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A device of the company speaks for itself: a JSON object, or one value of the named property."""

    device: str
    property: str | None = None


@dataclass(frozen=True, slots=True)
class Unmapped:
    """No intake takes this topic; ``detail`` says to the sender which there are."""

    detail: str


Route = Lorawan | Plain | Unmapped


def route(topic: str) -> Route:
    """What a message is by its topic: ``readings/<device>[/<property>]``, or one of a network server."""
    first, *rest = topic.split("/")
    if first in NETWORK_SERVERS and rest:
        return Lorawan()
    if first != "readings" or not 1 <= len(rest) <= 2:
        return Unmapped("Mapped are readings/<device>, readings/<device>/<property> and the topics of network servers.")
    if not _DEVICE.fullmatch(rest[0]):
        return Unmapped("The level after readings/ is a device: 64 letters, digits, '_', ':' or '-' at most.")
    if len(rest) == 2 and not _PROPERTY.fullmatch(rest[1]):
        return Unmapped("The last level is a property: 64 lower case letters, digits or '_' at most, a letter first.")
    return Plain(*rest)


def record(plain: Plain, payload: bytes) -> bytes:
    """The JSON object that a plain message says; a value alone is put under the property that its topic names.

    A value alone is a JSON number, or an object with ``value`` and perhaps ``unit``, ``time`` and ``id``.

    Raises:
        Refused: ``body_too_large``, ``payload_undecodable`` for a number in another spelling, else as
            :func:`read_json`.
    """
    if len(payload) > MAX_BODY:
        raise Refused(Reason.BODY_TOO_LARGE, "$", f"A message over MQTT has {MAX_BODY} bytes at most.")
    if plain.property is None:
        return payload
    said = _value(payload)
    if not isinstance(said, dict):
        return json.dumps({plain.property: said}).encode()
    if "value" not in said:
        raise Refused(Reason.FIELD_MISSING, "$.value", f"On this topic say one value of {plain.property}.")
    of_message = {name: said[name] for name in ("time", "id") if name in said}
    of_value = {name: said[name] for name in ("value", "unit") if name in said}
    return json.dumps({**of_message, plain.property: of_value}).encode()


def _value(payload: bytes) -> Any:
    try:
        said = read_json(payload)
    except Refused as refused:
        if refused.reason is Reason.JSON_BROKEN and _DECIMAL_COMMA.fullmatch(payload.decode("utf-8", "replace")):
            raise Refused(Reason.PAYLOAD_UNDECODABLE, "$", "A number has a decimal point, as in 21.5.") from None
        raise
    if isinstance(said, bool) or not isinstance(said, int | float | dict):
        raise Refused(Reason.PAYLOAD_UNDECODABLE, "$", "On this topic say a number, as in 21.5.")
    if isinstance(said, float) and not isfinite(said):
        raise Refused(Reason.NUMBER_OUT_OF_RANGE, "$")
    return said


def identity(plain: Plain, payload: bytes, forwarded: tuple[str, str]) -> tuple[str, str]:
    """Source and id of the reading inside of a plain message.

    With a member ``id`` (printable text or a whole number) the device names its message, and may repeat it; else
    ``forwarded``, the claim's own (source, id), stands for it. The payload was read before.
    """
    if b'"id"' not in payload:
        return forwarded
    said = read_json(payload)
    id = said.get("id") if isinstance(said, dict) else None
    if isinstance(id, bool) or not isinstance(id, str | int) or not 0 < len(str(id)) <= MAX_ATTRIBUTE:
        return forwarded
    if not str(id).isprintable():
        return forwarded
    return f"/mqtt/{plain.device}", str(id)
