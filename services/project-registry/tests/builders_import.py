"""Files to import."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import openpyxl

from project_registry import domain, importing
from project_registry.importing import Known, Names, Planned, Result

NAMES = Names(
    fields={"mobilitaet": "mobilitaet", "energie": "energie"},
    goals={"staedtische-ziele-umsetzen": "staedtische-ziele-umsetzen"},
    organisations={"fb-66": "fb-66", "tiefbau-und-verkehr": "fb-66", "bs-energy": "bs-energy"},
)
DEFECTS: Sequence[tuple[str, Mapping[str, str], str]] = (
    ("title", {"title": ""}, "title"),
    ("long title", {"title": "x" * 301}, "title"),
    ("no id", {"title": "???"}, "title"),
    ("wrong id", {"project_id": "Straßenlicht 7"}, "project_id"),
    ("no summary", {"summary": ""}, "summary"),
    ("no field", {"fields_of_action": ""}, "fields_of_action"),
    ("unknown field", {"fields_of_action": "raumfahrt"}, "fields_of_action"),
    ("field twice", {"fields_of_action": "energie | Energie"}, "fields_of_action"),
    ("unknown goal", {"goals": "weltfrieden"}, "goals"),
    ("unknown department", {"department": "fb-99"}, "department"),
    ("a name for an id", {"officer": "Erika Muster"}, "officer"),
    ("unknown maturity", {"maturity": "fertig"}, "maturity"),
    ("not euros", {"plan_2027_investition": "viel"}, "plan_2027_investition"),
    ("cents", {"plan_2027_investition": "10,50"}, "plan_2027_investition"),
    ("grouped euros", {"plan_2027_investition": "120.000"}, "plan_2027_investition"),
    ("actual without plan", {"plan_2027_investition": "", "actual_2027_investition": "5"}, "actual_2027_investition"),
    ("no such day", {"milestone_1": "Start", "milestone_1_due": "2027-02-30"}, "milestone_1_due"),
    ("milestone without day", {"milestone_1": "Start"}, "milestone_1_due"),
    ("day without milestone", {"milestone_1_due": "31.03.2027"}, "milestone_1"),
    ("half a place", {"longitude": "10.5"}, "latitude"),
    ("place beyond the world", {"longitude": "190", "latitude": "52"}, "longitude"),
    ("unclear number", {"criterion_1": "Wege", "criterion_1_target": "1.500"}, "criterion_1_target"),
    ("no unit", {"criterion_1": "Wege", "criterion_1_target": "5"}, "criterion_1_unit"),
    ("unknown state", {"state": "selected"}, "state"),
    ("measure without risk", {"measure_data_security": "Firewall", "summary": "x" * 10_001}, "summary"),
)
"""What can be wrong with a row: in words, the cells that make it wrong, and the column that is named."""
COLUMNS = (
    *("project_id", "title", "summary", "state", "fields_of_action", "goals", "department", "officer", "maturity"),
    *("plan_2027_investition", "actual_2027_investition", "milestone_1", "milestone_1_due", "longitude", "latitude"),
    *("criterion_1", "criterion_1_target", "criterion_1_direction", "criterion_1_unit", "criterion_1_source"),
    *("risk_data_security", "measure_data_security"),
)


def a_row(number: int, **said: str) -> dict[str, str]:
    """A right row."""
    default = {
        "title": f"Projekt {number}",
        "summary": f"Worum es bei {number} geht.",
        "fields_of_action": "Mobilität" if number % 2 else "energie",
        "plan_2027_investition": str(1000 * number),
    }
    return {**default, **said}


def a_csv(rows: Iterable[Mapping[str, str]], columns: Sequence[str] = COLUMNS, delimiter: str = ",") -> bytes:
    """A file with these rows."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def a_workbook(*rows: Sequence[Any]) -> bytes:
    """An Excel file with these rows, the header among them."""
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def judged(
    body: bytes,
    projects: Mapping[str, domain.Entry] | None = None,
    names: Names = NAMES,
    facts: Callable[[str | None], domain.Facts] = lambda _: domain.Facts(date(2026, 3, 2)),
    **said: Any,
) -> tuple[list[Result], list[Planned]]:
    """What becomes of the rows of a file."""
    header, rows = importing.read_file(body, **said)
    return importing.judge(header, rows, Known(projects or {}, frozenset({"verkehr-leihfahrraeder"}), names, facts))
