"""SenML packs in JSON (RFC 8428), resolved, and their units as UCUM (RFC 8428 section 12.1, RFC 8798)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from oker_contracts import Reason, Refused
from sensor_ingest.codecs.mapping import Record, at_unix, single
from sensor_ingest.codecs.profile import Decoded, Measurement
from sensor_ingest.codecs.values import LARGEST, number, shown

_ALIKE = """
m kg g s A K cd mol Hz rad sr N Pa J W C V F S Wb T H Cel lm lx Bq Gy Sv kat m2 m3 m/s m/s2 m3/s W/m2 cd/m2 bit bit/s
S/m J/m kg/m3 deg dB 1/s 1/min kW ms min h MHz mV mA hPa mm cm km km/h mm/h m/h
"""
SAME = frozenset(_ALIKE.split())
"""Units that SenML and UCUM write alike."""
OTHER = {
    "Ohm": "Ohm",
    "l": "L",
    "l/s": "L/s",
    "lat": "deg",
    "lon": "deg",
    "pH": "[pH]",
    "dBW": "dB[W]",
    "Bspl": "B[SPL]",
    "count": "{count}",
    "/": "1",
    "%": "1",  # the absolute ratio, in spite of its name: RFC 8428, section 12.1, note 5
    "/100": "%",
    "/1000": "[ppth]",
    "%RH": "%",
    "%EL": "%",
    "EL": "s",
    "beat/min": "{beat}/min",
    "beats": "{beat}",
    "B": "By",
    "KiB": "KiBy",
    "GB": "GBy",
    "B/s": "By/s",
    "MB/s": "MBy/s",
    "Mbit/s": "Mbit/s",
    "VA": "V.A",
    "VAs": "V.A.s",
    "kVA": "kV.A",
    "kVAh": "kV.A.h",
    "var": "V.A{reactive}",
    "vars": "V.A.s{reactive}",
    "kvar": "kV.A{reactive}",
    "varh": "V.A.h{reactive}",
    "kvarh": "kV.A.h{reactive}",
    "Ah": "A.h",
    "Wh": "W.h",
    "kWh": "kW.h",
    "Wh/km": "W.h/km",
    "ug/m3": "ug/m3",
    "ppm": "[ppm]",
    "NTU": "{NTU}",
}
"""The others."""
QUANTITY = {
    "Cel": "temperature",
    "K": "temperature",
    "%RH": "relative_humidity",
    "%EL": "battery_level",
    "lat": "latitude",
    "lon": "longitude",
    "V": "voltage",
    "A": "current",
    "W": "power",
    "kW": "power",
    "J": "energy",
    "Wh": "energy",
    "kWh": "energy",
    "Pa": "pressure",
    "hPa": "pressure",
    "lx": "illuminance",
    "Hz": "frequency",
    "pH": "ph",
    "deg": "angle",
    "m3": "volume",
    "m3/s": "flow",
    "count": "count",
}
"""The property of a record without a name of its own, by its unit."""
VERSION = 10
RELATIVE_BELOW = 2**28
"""Times below are seconds from now (RFC 8428, section 4.5.3)."""
MAX_RECORDS = 2_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")
_BASE = ("bn", "bt", "bu", "bv", "bs")
_VALUES = ("v", "vs", "vb", "vd")


@dataclass(frozen=True, slots=True)
class Resolved:
    """A record that stands for itself: no base values; ``time`` is ``None`` for now."""

    name: str
    local: str
    """The part of the name that the record itself said."""
    unit: str | None
    time: datetime | None
    value: float | None
    sum: float | None
    flag: bool | None
    place: str


def decode(said: Any, measurements: tuple[Measurement, ...], now: datetime | None) -> list[Record]:
    """The numbers of a pack with property and unit, by time, in the order of the pack.

    A property is the last part of the record's own name, or follows from the unit where there is none. ``vb`` is 1 or
    0; ``vs`` and ``vd`` are passed over; ``s`` becomes a property ``<name>_sum``. With ``measurements`` only those
    records count whose whole or own name is the ``path`` of one.

    Raises:
        Refused: with the place of what is wrong; ``unit_unknown`` for a unit that is not registered.
    """
    found: dict[datetime | None, list[Decoded]] = {}
    for record in resolve(said, now):
        numbers = _mapped(record, measurements) if measurements else _named(record)
        if numbers:
            found.setdefault(record.time, []).extend(numbers)
    return [(time, single(numbers, "$")) for time, numbers in found.items()]


def _named(record: Resolved) -> list[Decoded]:
    value = float(record.flag) if record.flag is not None else record.value
    if value is None and record.sum is None:
        return []
    name, unit = _property(record), None if record.unit is None else ucum(record.unit, f"{record.place}.u")
    found = [] if value is None else [Decoded(name, value, unit or ("1" if record.flag is not None else None))]
    if record.sum is not None:
        found.append(Decoded(f"{name}_sum", record.sum, f"{unit}.s" if unit else None))
    return found


def _mapped(record: Resolved, measurements: tuple[Measurement, ...]) -> list[Decoded]:
    value = float(record.flag) if record.flag is not None else record.value
    for wanted in measurements:
        if wanted.path in (record.name, record.local) and value is not None:
            scaled = number(value * wanted.factor, f"{record.place}.v")
            return [] if scaled is None else [Decoded(wanted.property, scaled, wanted.unit)]
    return []


def _property(record: Resolved) -> str:
    last = re.split(r"[:/.]", record.local)[-1].lower().replace("-", "_")
    if record.local and last and last[0].isalpha():
        return last
    if record.unit in QUANTITY:
        return QUANTITY[record.unit]
    detail = f"No property follows from the name {shown(record.name)!r} and unit {shown(str(record.unit))!r}; map it."
    raise Refused(Reason.FIELD_VALUE_INVALID, f"{record.place}.n", detail)


def ucum(unit: str, path: str) -> str:
    """The UCUM code of a SenML unit.

    Raises:
        Refused: ``unit_unknown``.
    """
    if unit in SAME:
        return unit
    if unit in OTHER:
        return OTHER[unit]
    raise Refused(Reason.UNIT_UNKNOWN, path, f"{shown(unit)!r} is no unit of SenML (RFC 8428, RFC 8798).")


def resolve(said: Any, now: datetime | None) -> list[Resolved]:
    """Resolve a pack (RFC 8428, section 4.6); records that hold base values only are gone.

    Raises:
        Refused: with the place of what is wrong.
    """
    if not isinstance(said, list):
        raise Refused(Reason.FIELD_TYPE_WRONG, "$", "A SenML pack is a list of records.")
    if len(said) > MAX_RECORDS:
        raise Refused(Reason.FIELD_VALUE_INVALID, "$", f"A pack has {MAX_RECORDS} records at most.")
    base: dict[str, Any] = {}
    found = []
    for index, record in enumerate(said):
        place = f"$[{index}]"
        if not isinstance(record, dict):
            raise Refused(Reason.FIELD_TYPE_WRONG, place, "A record is an object.")
        _check_understood(record, place)
        base.update({field: record[field] for field in _BASE if field in record})
        if any(field in record for field in (*_VALUES, "s")):
            found.append(_resolved(record, base, now, place))
        elif not any(field in record for field in (*_BASE, "bver")):
            raise Refused(Reason.FIELD_MISSING, f"{place}.v", "A record has a value or a sum.")
    return found


def _check_understood(record: Mapping[str, Any], place: str) -> None:
    version = record.get("bver", VERSION)
    if isinstance(version, bool) or not isinstance(version, int) or not 0 < version <= VERSION:
        raise Refused(Reason.FIELD_VALUE_INVALID, f"{place}.bver", f"Versions up to {VERSION} are read here.")
    for field in record:
        if field.endswith("_"):
            detail = "A field that must be understood, and is not (RFC 8428, section 4.4)."
            raise Refused(Reason.FIELD_VALUE_INVALID, f"{place}.{shown(field)}", detail)
    if sum(field in record for field in _VALUES) > 1:
        raise Refused(Reason.FIELD_VALUE_INVALID, place, "A record has one value at most.")


def _resolved(record: Mapping[str, Any], base: Mapping[str, Any], now: datetime | None, place: str) -> Resolved:
    local = _text(record, "n", place)
    name = _text(base, "bn", place) + local
    if not _NAME.fullmatch(name):
        raise Refused(Reason.FIELD_VALUE_INVALID, f"{place}.n", "A name has letters, digits and -:./_ only.")
    unit = _text(record, "u", place) or _text(base, "bu", place) or None
    flag = record.get("vb")
    if flag is not None and not isinstance(flag, bool):
        raise Refused(Reason.FIELD_TYPE_WRONG, f"{place}.vb", "vb is true or false.")
    return Resolved(
        name=name,
        local=local,
        unit=None if flag is not None or "vs" in record or "vd" in record else unit,
        time=_time(record, base, now, place),
        value=_added(record, base, "v", "bv", place),
        sum=_added(record, base, "s", "bs", place),
        flag=flag,
        place=place,
    )


def _text(fields: Mapping[str, Any], field: str, place: str) -> str:
    said = fields.get(field, "")
    if not isinstance(said, str):
        raise Refused(Reason.FIELD_TYPE_WRONG, f"{place}.{field}", "Text is expected.")
    return said


def _float(fields: Mapping[str, Any], field: str, place: str) -> float:
    said = fields.get(field, 0)
    if isinstance(said, bool) or not isinstance(said, (int, float)):
        raise Refused(Reason.FIELD_TYPE_WRONG, f"{place}.{field}", "A number is expected.")
    return number(said, f"{place}.{field}") or 0.0


def _added(record: Mapping[str, Any], base: Mapping[str, Any], field: str, base_field: str, place: str) -> float | None:
    if field not in record:
        return None
    added = _float(record, field, place) + _float(base, base_field, place)
    return number(added, f"{place}.{field}")


def _time(record: Mapping[str, Any], base: Mapping[str, Any], now: datetime | None, place: str) -> datetime | None:
    seconds = _float(record, "t", place) + _float(base, "bt", place)
    if abs(seconds) > LARGEST or seconds >= RELATIVE_BELOW:
        return at_unix(seconds, f"{place}.t")
    if seconds == 0:
        return now
    if now is None:
        raise Refused(Reason.FIELD_VALUE_INVALID, f"{place}.t", "Relative to now, which is not known here.")
    return at_unix(now.timestamp() + seconds, f"{place}.t")
