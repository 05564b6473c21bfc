"""Projects as CSV and GeoJSON, a project a line, so that any number of them can be sent piece by piece."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from project_registry import domain
from project_registry.importing import guarded

COLUMNS = (
    *("project_id", "version", "state", "title", "summary", "fields_of_action", "goals"),
    *("digital_technology", "daseinsvorsorge", "liveable_city", "department", "officer", "partner", "origin"),
    *("maturity", "reference_cities", "plan_eur", "actual_eur", "longitude", "latitude"),
    *("round_id", "registered_at", "valid_from", "recorded_at"),
)
"""All of them are columns of an import, or are passed over there."""
BETWEEN = " | "
FEATURES = ('{"type":"FeatureCollection","features":[', "]}\n")


def csv_header() -> str:
    """The first line, with a byte order mark for spreadsheets."""
    return "\ufeff" + _line(COLUMNS)


def csv_lines(entries: Iterable[domain.Entry]) -> str:
    """A line each; what a spreadsheet would take for a formula is guarded by an apostrophe."""
    return "".join(_line([_cell(said) for said in _cells(entry)]) for entry in entries)


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()


def _cell(said: Any) -> str:
    if said is None:
        return ""
    return guarded(said) if isinstance(said, str) else str(said)


def _cells(entry: domain.Entry) -> Iterable[Any]:
    said = entry.content
    budget = said.get("budget", ())
    actual = [row["actual_eur"] for row in budget if row.get("actual_eur") is not None]
    longitude, latitude = (*said.get("location", {}).get("coordinates", ()), None, None)[:2]
    marks = said.get("marks", {})
    cells = {
        "project_id": entry.id,
        "state": entry.status,
        "title": entry.title,
        "summary": said.get("summary"),
        "fields_of_action": BETWEEN.join(entry.fields_of_action),
        "goals": BETWEEN.join(entry.goals),
        **{mark: marks.get(mark) for mark in ("digital_technology", "daseinsvorsorge", "liveable_city")},
        "maturity": said.get("maturity"),
        "reference_cities": BETWEEN.join(said.get("reference_cities", ())),
        "plan_eur": sum(row["plan_eur"] for row in budget) if budget else None,
        "actual_eur": sum(actual) if actual else None,
        "longitude": longitude,
        "latitude": latitude,
        **{name: _iso(getattr(entry, name)) for name in ("registered_at", "valid_from", "recorded_at")},
    }
    return [cells[name] if name in cells else getattr(entry, name) for name in COLUMNS]


def _iso(moment: Any) -> str | None:
    return moment.isoformat() if moment else None


def feature(entry: domain.Entry) -> str:
    """A project as a GeoJSON Feature (RFC 7946); without a place its geometry is null (3.2)."""
    said: dict[str, Any] = {
        "type": "Feature",
        "id": entry.id,
        "geometry": _point(entry.content.get("location")),
        "properties": {
            "project_id": entry.id,
            "version": entry.version,
            "title": entry.title,
            "state": entry.status,
            "fields_of_action": list(entry.fields_of_action),
            "goals": list(entry.goals),
            "department": entry.department,
            "partner": entry.partner,
            "origin": entry.origin,
            "valid_from": _iso(entry.valid_from),
        },
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _point(location: Any) -> dict[str, Any] | None:
    return {"type": "Point", "coordinates": location["coordinates"]} if location else None
