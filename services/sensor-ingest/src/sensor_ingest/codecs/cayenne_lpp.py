"""Cayenne Low Power Payload: ``[channel, type, value…]`` repeated, most significant byte first.

Sources: Cayenne LPP 1.0 (the types up to 136 of the IPSO Alliance's objects, ids minus 3200) and the further types that
open implementations agree on. Units are UCUM; a bare ratio or state has the unit ``1``.
"""

from collections.abc import Iterator

from oker_contracts import Reason, Refused
from sensor_ingest.codecs.profile import Decoded

_SINGLE: dict[int, tuple[str, int, bool, float, str]] = {
    0: ("digital_in", 1, False, 1, "1"),
    1: ("digital_out", 1, False, 1, "1"),
    2: ("analog_in", 2, True, 100, "1"),
    3: ("analog_out", 2, True, 100, "1"),
    100: ("generic", 4, False, 1, "1"),
    101: ("luminosity", 2, False, 1, "lx"),
    102: ("presence", 1, False, 1, "1"),
    103: ("temperature", 2, True, 10, "Cel"),
    104: ("relative_humidity", 1, False, 2, "%"),
    112: ("accelerometer_total", 2, True, 1000, "[g]"),
    115: ("barometric_pressure", 2, False, 10, "hPa"),
    116: ("voltage", 2, False, 100, "V"),
    117: ("current", 2, False, 1000, "A"),
    118: ("frequency", 4, False, 1, "Hz"),
    120: ("percentage", 1, False, 1, "%"),
    121: ("altitude", 2, True, 1, "m"),
    122: ("load", 3, True, 1000, "kg"),
    125: ("concentration", 2, False, 1, "[ppm]"),
    128: ("power", 2, False, 1, "W"),
    130: ("distance", 4, False, 1000, "m"),
    131: ("energy", 4, False, 1000, "kW.h"),
    132: ("direction", 2, False, 1, "deg"),
    133: ("unix_time", 4, False, 1, "s"),
    142: ("switch", 1, False, 1, "1"),
}
"""Type: name, size in bytes, signed, divisor, unit."""
_PARTS: dict[int, tuple[str, bool, tuple[tuple[str, int, float, str], ...]]] = {
    113: ("accelerometer", True, tuple((axis, 2, 1000, "[g]") for axis in "xyz")),
    134: ("gyrometer", True, tuple((axis, 2, 100, "deg/s") for axis in "xyz")),
    135: ("colour", False, tuple((part, 1, 1, "1") for part in ("red", "green", "blue"))),
    136: (
        "gps",
        True,
        (("latitude", 3, 10_000, "deg"), ("longitude", 3, 10_000, "deg"), ("altitude", 3, 100, "m")),
    ),
}
"""Type: name, signed, and for each component its name, size, divisor and unit."""


def decode(payload: bytes) -> list[Decoded]:
    """The numbers of a payload; a property is named after its type and channel, as ``temperature_1``.

    Raises:
        Refused: ``payload_undecodable`` with the byte where it ends, is not understood, or says a value again.
    """
    found: dict[str, Decoded] = {}
    for at, decoded in _values(payload):
        if decoded.property in found:
            raise _undecodable(at, f"{decoded.property} comes a second time")
        found[decoded.property] = decoded
    return list(found.values())


def _values(payload: bytes) -> Iterator[tuple[int, Decoded]]:
    at = 0
    while at < len(payload):
        if at + 2 > len(payload):
            raise _undecodable(at, "a channel without a type")
        channel, kind = payload[at], payload[at + 1]
        at += 2
        if kind in _SINGLE:
            name, size, signed, divisor, unit = _SINGLE[kind]
            yield at - 2, Decoded(f"{name}_{channel}", _number(payload, at, size, signed) / divisor, unit)
            at += size
        elif kind in _PARTS:
            name, signed, parts = _PARTS[kind]
            for part, size, divisor, unit in parts:
                yield at, Decoded(f"{name}_{channel}_{part}", _number(payload, at, size, signed) / divisor, unit)
                at += size
        else:
            raise _undecodable(at - 1, f"type {kind} is not of Cayenne LPP")


def _number(payload: bytes, at: int, size: int, signed: bool) -> int:
    if at + size > len(payload):
        raise _undecodable(at, f"{size} bytes expected, {len(payload) - at} are left")
    return int.from_bytes(payload[at : at + size], "big", signed=signed)


def _undecodable(at: int, why: str) -> Refused:
    return Refused(Reason.PAYLOAD_UNDECODABLE, "$.data", f"Cayenne LPP, byte {at}: {why}.")
