"""Projects by the hundred, over HTTP."""

import csv
import io
from typing import Any

import openpyxl
import pytest
from builders_import import COLUMNS, DEFECTS, a_csv, a_row, a_workbook
from builders_project_registry import Desk, a_proposed_project
from httpx import Response

from oker_contracts.project.profile_recorded_v1 import ProfileRecordedV1
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from oker_testkit.bus import TestBus

CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def send(desk: Desk, body: bytes, kind: str = CSV, by: str = "unit", **query: Any) -> Response:
    headers = {"content-type": kind, **desk.token("u-1", by)}
    return await desk.http.post("/projects/import", content=body, headers=headers, params=query)


async def sent(desk: Desk, body: bytes, kind: str = CSV, **query: Any) -> dict[str, Any]:
    answer = await send(desk, body, kind, **query)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def counts(said: dict[str, Any]) -> tuple[int, ...]:
    return tuple(said[name] for name in ("created", "changed", "unchanged", "refused"))


def many() -> list[dict[str, str]]:
    """500 rows, every tenth with a defect."""
    rows = [a_row(number) for number in range(500)]
    for place in range(50):
        rows[10 * place] |= DEFECTS[place % len(DEFECTS)][1]
    return rows


async def test_of_500_rows_with_50_defects_450_go_in_and_50_are_named(bus: TestBus, desk: Desk) -> None:
    await desk.organise()
    said = await sent(desk, a_csv(many()))
    await bus.settled()

    assert (said["rows"], counts(said)) == (500, (450, 0, 0, 50))
    refused = [row for row in said["results"] if row["outcome"] == "refused"]
    assert [row["row"] for row in refused] == [10 * place + 2 for place in range(50)]
    for place, row in enumerate(refused):
        assert DEFECTS[place % len(DEFECTS)][2] in [fault["column"] for fault in row["faults"]]
    assert len(await bus.announced(ProfileRecordedV1)) == 450
    registered = [fact for fact in await bus.announced(ProjectRegisteredV2) if fact.origin == "unit"]
    assert len(registered) == 450
    shown = await desk.done("GET", "/projects/projekt-7")
    assert (shown["version"], shown["state"], shown["fields_of_action"]) == (2, "proposed", ["mobilitaet"])
    assert shown["profile"]["budget"][0]["plan_eur"] == 7000


async def test_the_same_file_again_changes_nothing_and_a_mended_one_what_was_mended(bus: TestBus, desk: Desk) -> None:
    await desk.organise()
    rows = [a_row(number) for number in range(5)]
    rows[3] |= {"fields_of_action": "raumfahrt"}
    first, again = await sent(desk, a_csv(rows)), await sent(desk, a_csv(rows))
    rows[3] |= {"fields_of_action": "energie"}
    rows[4] |= {"summary": "Neu."}
    mended = await sent(desk, a_csv(rows), reason="Aus der Sitzung")
    await bus.settled()

    assert [counts(said) for said in (first, again, mended)] == [(4, 0, 0, 1), (0, 0, 4, 1), (1, 1, 3, 0)]
    history = await desk.done("GET", "/projects/projekt-4/history")
    assert [(row["version"], row["changed"], row["reason"]) for row in history][-1] == (
        3,
        ["summary"],
        "Aus der Sitzung",
    )


async def test_a_dry_run_says_the_same_and_changes_nothing(bus: TestBus, desk: Desk) -> None:
    body = a_csv(many())
    dry = await sent(desk, body, dry_run=True)
    await bus.settled()

    assert await bus.announced(ProfileRecordedV1) == []
    assert len(await bus.announced(ProjectRegisteredV2)) == 35
    wet = await sent(desk, body)
    assert (dry["dry_run"], wet["dry_run"]) == (True, False)
    assert dry["results"] == wet["results"]


async def test_a_workbook_says_the_same_as_a_csv_file(desk: Desk) -> None:
    rows = [a_row(number) for number in range(3)]
    head = list(rows[0])
    assert counts(await sent(desk, a_workbook(head, *[list(row.values()) for row in rows]), XLSX)) == (3, 0, 0, 0)
    assert counts(await sent(desk, a_csv(rows, head, ";"))) == (0, 0, 3, 0)


async def test_an_export_imported_again_changes_nothing(desk: Desk) -> None:
    await desk.organise()
    await desk.profile("handyparken", title="=1+1 – Handyparken", summary="  Zeile eins\r\nZeile; zwei | drei \n")
    await desk.eligible("radweg")
    exported = await desk.http.get("/projects.csv", headers=desk.token("o-1", "officer"))
    said = await sent(desk, exported.content)

    assert counts(said) == (0, 0, 36, 0), [row for row in said["results"] if row["outcome"] != "unchanged"]


async def test_results_come_as_csv_too_with_a_line_for_each_fault(desk: Desk) -> None:
    rows = [a_row(1), a_row(2, title="=cmd", goals="weltfrieden", department="fb-99")]
    headers = {"content-type": CSV, "accept": CSV, **desk.token("u-1", "unit")}
    answer = await desk.http.post("/projects/import", content=a_csv(rows), headers=headers)

    told = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["row"], row["outcome"], row["column"]) for row in told] == [
        ("2", "created", ""),
        ("3", "refused", "department"),
        ("3", "refused", "goals"),
    ]
    assert {row["title"] for row in told} == {"Projekt 1", "'=cmd"}


@pytest.mark.parametrize("language", ["de", "en"])
async def test_the_templates_are_taken_as_they_are(desk: Desk, language: str) -> None:
    reader = desk.token("o-1", "officer")
    plain = await desk.http.get("/projects/import-template.csv", params={"lang": language}, headers=reader)
    book = await desk.http.get("/projects/import-template.xlsx", params={"lang": language}, headers=reader)

    sheets = openpyxl.load_workbook(io.BytesIO(book.content)).worksheets
    head = [cell.value for cell in sheets[0][1]]
    delimiter = ";" if language == "de" else ","
    assert plain.text.strip("\ufeff\r\n").split(delimiter) == head
    assert [row[0].value for row in sheets[1].iter_rows()] == head
    for body, kind in ((plain.content, CSV), (book.content, XLSX)):
        answer = await send(desk, body, kind)
        assert (answer.status_code, answer.json()["code"]) == (422, "body_empty")
    filled = delimiter.join(["", "Neu", "Worum.", "", "energie", *[""] * (len(head) - 5)])
    assert counts(await sent(desk, plain.content + f"{filled}\r\n".encode())) == (1, 0, 0, 0)


@pytest.mark.parametrize("role", ["officer", "board", "auditor", "forum"])
async def test_only_the_unit_and_the_cdo_import(desk: Desk, role: str) -> None:
    assert (await send(desk, a_csv([a_row(1)]), by=role)).status_code == 403
    assert (await desk.http.post("/projects/import", content=b"x")).status_code == 401


async def test_what_is_no_file_is_refused_by_its_type(desk: Desk) -> None:
    answer = await send(desk, b"{}", "application/json")
    assert (answer.status_code, answer.json()["code"]) == (422, "content_type_unsupported")
    answer = await send(desk, b"x" * 10_000_001)
    assert (answer.status_code, answer.json()["code"]) == (422, "body_too_large")


async def test_a_project_that_a_company_proposed_is_not_taken_from_it(bus: TestBus, desk: Desk) -> None:
    await bus.publish(a_proposed_project(), partner="verkehr")
    await bus.settled()
    said = await sent(desk, a_csv([a_row(1, project_id="verkehr-leihfahrraeder")], COLUMNS))

    assert counts(said) == (0, 0, 0, 1)
    assert "proposal" in said["results"][0]["faults"][0]["detail"]
