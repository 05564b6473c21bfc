"""Plain JSON of a device that speaks for itself: one flat object, or a list of them, without any profile.

``{"temperature": 21.4, "time": "2026-01-31T12:00:00Z"}`` or ``{"temperature": {"value": 21.4, "unit": "Cel"}}``.
"""

from datetime import datetime
from typing import Any

from oker_contracts import Reason, Refused
from sensor_ingest.codecs.mapping import Record, read_time
from sensor_ingest.codecs.profile import Decoded
from sensor_ingest.codecs.values import number, shown

TIME = ("time", "timestamp", "phenomenon_time")
"""Members that say when; RFC 3339, since a bare number might be seconds or milliseconds."""
MAX_RECORDS = 2_000
_HINT = "declare a device profile with codec json"


def decode(said: Any) -> list[Record]:
    """The numbers of a document with their times.

    Text and ``null`` are passed over, ``true`` and ``false`` are 1 and 0.

    Raises:
        Refused: ``field_type_wrong`` for a number in quotes, a list or a nested object, ``field_missing`` where there
            is no number at all, with the way out.
    """
    if isinstance(said, list):
        if len(said) > MAX_RECORDS:
            raise Refused(Reason.FIELD_VALUE_INVALID, "$", f"A list has {MAX_RECORDS} elements at most.")
        return [_record(element, f"$[{index}]") for index, element in enumerate(said)]
    return [_record(said, "$")]


def _record(said: Any, place: str) -> Record:
    if not isinstance(said, dict):
        raise Refused(Reason.FIELD_TYPE_WRONG, place, 'An object is expected, as {"temperature": 21.4}.')
    members = {name: value for name, value in said.items() if name not in TIME}
    found = [decoded for name, value in members.items() if (decoded := _decoded(name, value, place))]
    if not found:
        raise Refused(Reason.FIELD_MISSING, place, 'No number is in it; send as {"temperature": 21.4}.')
    return _when(said, place), found


def _when(said: dict[str, Any], place: str) -> datetime | None:
    named = [name for name in TIME if said.get(name) is not None]
    if len(named) > 1:
        raise Refused(Reason.FIELD_VALUE_INVALID, f"{place}.{named[1]}", "The time is there twice.")
    return read_time(said[named[0]], "rfc3339", f"{place}.{named[0]}") if named else None


def _decoded(name: str, value: Any, place: str) -> Decoded | None:
    path = f"{place}.{shown(name)}"
    unit: str | None = None
    if isinstance(value, dict) and "value" in value:
        unit, value, path = _unit(value, path), value["value"], f"{path}.value"
    if isinstance(value, (dict, list)):
        raise Refused(Reason.FIELD_TYPE_WRONG, path, f"A number is expected; for nested data {_HINT}.")
    found = number(value, path)
    if isinstance(value, str) and found is not None:
        raise Refused(Reason.FIELD_TYPE_WRONG, path, "A number stands in quotes; leave them out.")
    return None if found is None else Decoded(name, found, unit)


def _unit(said: dict[str, Any], path: str) -> str | None:
    unit = said.get("unit")
    if unit is not None and not isinstance(unit, str):
        raise Refused(Reason.FIELD_TYPE_WRONG, f"{path}.unit", "A unit is text (UCUM), as Cel.")
    return unit
