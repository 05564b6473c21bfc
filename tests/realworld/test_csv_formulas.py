"""Cells that spreadsheets execute, in a file of devices: they are told back as text."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

from httpx import AsyncClient

from oker_testkit.bus import TestBus
from oker_testkit.counts import Counts

COLUMNS = ("device", "name", "property", "unit", "dataset", "observed_property")
GOOD = ("trafo-12", "Trafostation", "power", "kW", "grid", "Wirkleistung")


def file_with(cell: str) -> bytes:
    """A file in which each column in turn says the cell, and with it the device is told back."""
    out = io.StringIO()
    rows = [[*GOOD[:at], cell, *GOOD[at + 1 :]] for at in range(len(COLUMNS))]
    csv.writer(out).writerows([COLUMNS, *rows])
    return out.getvalue().encode()


def formulas(text: str) -> list[str]:
    """The cells of a CSV file that a spreadsheet would calculate."""
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    return [cell for cell in cells if cell.strip().startswith(("=", "+", "-", "@"))]


async def test_no_cell_of_the_results_is_a_formula(
    bus: TestBus, http: AsyncClient, token: Callable[..., dict[str, str]], realworld: Path, counts: Counts
) -> None:
    tally = counts.of("csv-formula-injection")
    headers = token("scada", "partner", partner="stadtwerke") | {"content-type": "text/csv", "accept": "text/csv"}

    for cell in json.loads((realworld / "csv-formula-injection" / "cells.json").read_text("utf-8")):
        with tally.case(cell):
            answer = await http.post("/devices/import", content=file_with(cell), headers=headers)
            assert answer.status_code in (200, 202, 207, 422), answer.text
            assert answer.headers["content-type"].startswith("text/csv")
            assert len(list(csv.reader(io.StringIO(answer.text)))) == len(COLUMNS) + 1
            assert formulas(answer.text) == []
    tally.check()
