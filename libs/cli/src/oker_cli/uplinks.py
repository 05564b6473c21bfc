"""Which reading is inside of a message that was forwarded, by the name that sensor-ingest gives it."""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from oker_contracts.base import parse_instant

CHIRPSTACK = re.compile(r"application/[^/]+/device/[^/]+/event/up")
THINGS_STACK = re.compile(r"v3/[^/]+/devices/[^/]+/up")
PLAIN = re.compile(r"readings/([^/]+)(?:/[^/]+)?")
EUI_NAME = re.compile(r"eui-([0-9a-f]{16})")
Name = tuple[str, str]
"""Source and id."""


def on_topic(topic: str, payload: bytes) -> Name | None:
    """The reading in an MQTT message; ``None`` where there is none, or none with a name of its own."""
    said = _json(payload)
    if CHIRPSTACK.fullmatch(topic):
        return _named(chirpstack, said)
    if THINGS_STACK.fullmatch(topic):
        return _named(things_stack, said)
    plain = PLAIN.fullmatch(topic)
    return _plain(plain[1], said) if plain else None


def in_request(network: str, event: str, payload: bytes) -> Name | None:
    """The reading in a network server's HTTP request."""
    if network == "chirpstack":
        return _named(chirpstack, _json(payload)) if event == "up" else None
    return _named(things_stack, _json(payload))


def chirpstack(said: Any) -> Name:
    """An uplink of ChirpStack v4.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: it is none.
    """
    return f"/lorawan/{said['deviceInfo']['devEui'].lower()}", _text(said["deduplicationId"])


def things_stack(said: Any) -> Name:
    """An uplink of The Things Stack v3, which has no identity of its own: session, counter, and time or frame.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: it is none.
    """
    ids, up = said["end_device_ids"], said["uplink_message"]
    session = _text(up.get("session_key_id") or ids.get("dev_addr", "").lower())
    heard = _heard(said, up)
    which = heard.astimezone(UTC).isoformat() if heard else _frame_id(up)
    return f"/lorawan/{_hardware(ids)}", f"{session}-{int(up.get('f_cnt', 0))}-{which}"


def _hardware(ids: Mapping[str, Any]) -> str:
    if ids.get("dev_eui"):
        return _text(ids["dev_eui"]).lower()
    named = EUI_NAME.fullmatch(ids["device_id"])
    return named[1] if named else f"{ids['application_ids']['application_id']}:{ids['device_id']}"


def _heard(said: Mapping[str, Any], up: Mapping[str, Any]) -> datetime | None:
    time = up.get("received_at") or said.get("received_at")
    if time is not None:
        return parse_instant(time)
    gateways = up.get("rx_metadata")
    return min(filter(None, map(_first, gateways)), default=None) if isinstance(gateways, list) else None


def _first(gateway: Any) -> datetime | None:
    try:
        return parse_instant(gateway["received_at"])
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def _frame_id(up: Mapping[str, Any]) -> str:
    payload = b64decode(up.get("frm_payload", ""), validate=True)
    return f"{int(up.get('f_port', 0))}.{blake2b(payload, digest_size=8).hexdigest()}"


def _plain(device: str, said: Any) -> Name | None:
    """A device names its message itself, or the claim's own name stands for it."""
    id = said.get("id") if isinstance(said, dict) else None
    return (f"/mqtt/{device}", str(id)) if isinstance(id, str | int) and not isinstance(id, bool) else None


def _named(name: Any, said: Any) -> Name | None:
    try:
        found: Name = name(said)
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
    return found


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def _text(said: Any) -> str:
    if not isinstance(said, str):
        raise TypeError
    return said
