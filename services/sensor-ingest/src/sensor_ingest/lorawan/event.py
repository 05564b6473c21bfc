"""One event of one LoRaWAN device, whichever network server said it."""

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from math import isfinite
from typing import Any, Literal

from oker_contracts import Reason, Refused

Network = Literal["chirpstack", "things-stack"]
Kind = Literal["up", "join", "status", "ack", "txack", "log", "location", "other"]
MAX_BODY = 64_000
"""Bytes of one message; real ones have about two thousand."""
MAX_TEXT = 200
MAX_NUMBER = 1e15
MAX_GATEWAYS = 256


@dataclass(frozen=True, slots=True)
class NetworkEvent:
    """What a network server said of one device. Only ``up`` may become readings.

    Attributes:
        hardware: DevEUI, lower case; for a device of The Things Stack without one ``<application>:<device>``.
        id: the event's identity at the network server: said twice, in whatever way, it is the same.
        time: the network server's, UTC; where it says none, when the message came in.
        session: changes when the device joins: DevAddr (ChirpStack), session key id (The Things Stack).
        f_cnt: the counter of an uplink. Zero is left out by the sender; ``None`` for all that is no uplink.
        f_port: its port, likewise.
        payload: its bytes, decrypted (FRMPayload); they may be empty.
        network_object: what a codec inside of the network server made of the bytes.
        state: what else is known then: ``battery`` and ``margin`` (% and dB), ``rssi`` and ``snr`` (dBm and dB) of the
            gateway that heard best, ``gateways`` (how many), ``dev_addr``, ``location`` …; texts and numbers, bounded.
    """

    hardware: str
    kind: Kind
    id: str
    time: datetime
    session: str | None
    f_cnt: int | None
    f_port: int | None
    payload: bytes | None
    network_object: Any | None
    state: dict[str, Any]
    network: Network
    timed: bool = True
    """Whether the network server says the time. If not, it differs when the same is said again, and the identity, which
    is made from all else that is said, does not."""

    @property
    def source(self) -> str:
        """Who speaks in this event (CloudEvents ``source``): the same device over any intake."""
        return f"/lorawan/{self.hardware}"


PATHS: Mapping[Network, Mapping[str, str]] = {
    "chirpstack": {
        "device": "$.deviceInfo.devEui",
        "phenomenon_time": "$.time",
        "result_time": "$.time",
        "frame": "$.data",
        "object": "$.object",
    },
    "things-stack": {
        "device": "$.end_device_ids.dev_eui",
        "phenomenon_time": "$.uplink_message.received_at",
        "result_time": "$.uplink_message.received_at",
        "frame": "$.uplink_message.frm_payload",
        "object": "$.uplink_message.decoded_payload",
    },
}
"""Where in a body a reading comes from: its numbers from the frame, or from what the network server decoded of it."""


def frame_bytes(data: str, path: str) -> bytes:
    """The bytes of a frame from Base64.

    Raises:
        Refused: ``field_value_invalid`` at ``path``.
    """
    try:
        return b64decode(data, validate=True)
    except ValueError:
        raise Refused(Reason.FIELD_VALUE_INVALID, path, "Not Base64 (RFC 4648).") from None


def made_id(kind: str, said: Iterable[Any]) -> str:
    """An identity for an event that its network server gave none: from what it says, in whatever order."""
    words = json.dumps([kind, *said], sort_keys=True, default=str).encode()
    return f"{kind}-{blake2b(words, digest_size=16).hexdigest()}"


def utc(time: datetime) -> datetime:
    """The same moment in UTC."""
    return time.astimezone(UTC)


def text(said: Any) -> str | None:
    """A text of bounded length without control characters; ``None`` for all else."""
    if not isinstance(said, str) or not said:
        return None
    return "".join(sign for sign in said[:MAX_TEXT] if sign.isprintable()) or None


def number(said: Any) -> float | int | None:
    """A finite number of bounded size, also where it is written as a text; ``None`` for all else."""
    if isinstance(said, str) and len(said) < 40:
        try:
            said = float(said)
        except ValueError:
            return None
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    return said if abs(said) <= MAX_NUMBER and isfinite(said) else None


def member(said: Any, *names: str) -> Any:
    """A value below nested objects; ``None`` where there is none."""
    for name in names:
        said = said.get(name) if isinstance(said, dict) else None
    return said


def known(**state: Any) -> dict[str, Any]:
    """The state without what is not known."""
    return {name: value for name, value in state.items() if value is not None}


def signal(gateways: Any) -> dict[str, Any]:
    """How many gateways heard a frame, and how strong it was at the one that heard best (by ``rssi``, then ``snr``)."""
    if not isinstance(gateways, list) or not gateways:
        return {}
    heard = [(number(g.get("rssi")), number(g.get("snr"))) for g in gateways[:MAX_GATEWAYS] if isinstance(g, dict)]
    best = max(((rssi, snr or 0) for rssi, snr in heard if rssi is not None), default=None)
    strength = {} if best is None else {"rssi": best[0], "snr": best[1]}
    return {**strength, "gateways": len(gateways)}


def place(said: Any) -> dict[str, Any] | None:
    """A location as both network servers say it; zero degrees are left out by them."""
    if not isinstance(said, dict) or not said:
        return None
    parts = {name: number(said.get(name, 0)) for name in ("latitude", "longitude", "altitude")}
    return known(**parts, accuracy=number(said.get("accuracy")), source=text(said.get("source")))
