"""Messages of network servers that are not read here, named, with the way out for the sender.

Known by the fields that give them away, as the documentation of each network server shows them.
"""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from oker_contracts import Reason, Refused
from oker_contracts.envelope import read_json
from oker_contracts.reading import refusals
from sensor_ingest.lorawan.event import Network

NAMES: dict[Network, str] = {"chirpstack": "ChirpStack v4", "things-stack": "The Things Stack v3"}
ELSEWHERE = (
    "Only ChirpStack v4 and The Things Stack v3 are read here; or report readings as sensor.reading_reported.v1."
)
_PROTOBUF = re.compile(rb"(?s)[\x0a\x12\x1a\x22\x2a\x32][^\x09\x0a\x0d\x20{\[\"].*")
"""A field of Protocol Buffers with a length after it, where JSON would begin with white space or a bracket."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """A way to speak: its name, the fields that are all there, and what the sender should do."""

    name: str
    marks: frozenset[str]
    way_out: str = ELSEWHERE
    network: Network | None = None

    @property
    def path(self) -> str:
        """The field that gave it away."""
        return f"$.{min(self.marks)}"


def _dialect(name: str, *marks: str, way_out: str = ELSEWHERE, network: Network | None = None) -> Dialect:
    return Dialect(name, frozenset(marks), way_out, network)


DIALECTS = (
    _dialect(
        "ChirpStack v4",
        "deviceInfo",
        "time",
        way_out="Publish it on application/<id>/device/<DevEUI>/event/<event>, or send it to /lorawan/chirpstack.",
        network="chirpstack",
    ),
    _dialect(
        "The Things Stack v3",
        "end_device_ids",
        way_out="Publish it on v3/<application>@<tenant>/devices/<device>/up, or send it to /lorawan/things-stack.",
        network="things-stack",
    ),
    _dialect(
        "ChirpStack v3, or a gateway's own server that speaks like it",
        "applicationID",
        "devEUI",
        way_out="Upgrade the server to ChirpStack v4; let a gateway's own server forward to one.",
    ),
    _dialect("The Things Network v2", "app_id", "dev_id", way_out="It ended in 2021: move to The Things Stack v3."),
    _dialect("ThingPark (Actility)", "DevEUI_uplink"),
    _dialect("ThingPark (Actility)", "DevEUI_location"),
    _dialect("ThingPark (Actility)", "DevEUI_notification"),
    _dialect("ThingPark (Actility)", "DevEUI_downlink_Sent"),
    _dialect("LORIOT", "EUI", "cmd"),
    _dialect(
        "Helium Console",
        "dev_eui",
        "hotspots",
        way_out="It ended in 2023: move the devices to a ChirpStack v4 on the Helium network.",
    ),
    _dialect("AWS IoT Core for LoRaWAN", "PayloadData", "WirelessDeviceId"),
    _dialect("Everynet", "meta", "params", "type"),
    _dialect("Kerlink Wanesy", "endDevice", "payload"),
)
"""In the order they are looked for."""


def refusal(error: ValidationError, body: bytes, network: Network) -> Refused:
    """Why a body cannot be read as one of ``network``: its dialect, if it has a name, else its first fault."""
    return foreign(body, network) or refusals(error, body)[0]


def foreign(body: bytes, network: Network | None = None) -> Refused | None:
    """What names the dialect of a body that is not of ``network``; ``None`` where none is known."""
    try:
        said: Any = read_json(body)
    except Refused as refused:
        return _protobuf() if refused.reason in NOT_JSON and _PROTOBUF.match(body) else None
    if not isinstance(said, dict):
        return None
    for dialect in DIALECTS:
        if dialect.marks <= said.keys():
            return None if dialect.network == network is not None else _refused(dialect)
    return None


NOT_JSON = frozenset({Reason.JSON_BROKEN, Reason.ENCODING_INVALID})


def _protobuf() -> Refused:
    detail = "This is Protocol Buffers; set the encoding (marshaler) of the network server's integration to JSON."
    return Refused(Reason.DIALECT_FOREIGN, "$", detail)


def _refused(dialect: Dialect) -> Refused:
    return Refused(Reason.DIALECT_FOREIGN, dialect.path, f"This is {dialect.name}. {dialect.way_out}")
