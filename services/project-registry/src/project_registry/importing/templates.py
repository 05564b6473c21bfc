"""Empty files to fill in, in German or English."""

import csv
import io
from typing import Literal

import openpyxl
from openpyxl.styles import Alignment, Font

from project_registry.importing.columns import BUDGET, GROUP_NAMES, GROUPS, PLAIN

Language = Literal["de", "en"]
LINE = {"de": "investition", "en": "investment"}
YEARS = 3
WIDTH = 24


def columns(language: Language, year: int) -> list[tuple[str, str]]:
    """Columns of a template with what stands in them: each plain one, each numbered one once, three budget years."""
    german = language == "de"
    found = [(c.name_de, c.says_de) if german else (c.name, c.says) for c in PLAIN if c.name != "goals"]
    for c in GROUPS:
        group = c.name.split("_")[0]
        word = GROUP_NAMES[group] if german else group
        rest = (c.name_de if german else c.name).removeprefix(word)
        found.append((f"{word}_1{rest}", c.says_de if german else c.says))
    for count in range(YEARS):
        found += [
            (f"{c.name_de if german else c.name}_{year + count}_{LINE[language]}", c.says_de if german else c.says)
            for c in BUDGET
        ]
    return found


def template_csv(language: Language, year: int) -> str:
    """The header row alone; German spreadsheets expect semicolons."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";" if language == "de" else ",", lineterminator="\r\n")
    writer.writerow(name for name, _ in columns(language, year))
    return "\ufeff" + out.getvalue()


def template_xlsx(language: Language, year: int) -> bytes:
    """A workbook with the header row, and a second sheet that says what stands in each column."""
    book = openpyxl.Workbook()
    sheet, notes = book.worksheets[0], book.create_sheet("Erklärung" if language == "de" else "Columns")
    sheet.title = "Projekte" if language == "de" else "Projects"
    sheet.freeze_panes = "A2"
    for place, (name, says) in enumerate(columns(language, year), start=1):
        head = sheet.cell(1, place, name)
        head.font = Font(bold=True)
        sheet.column_dimensions[head.column_letter].width = WIDTH
        notes.cell(place, 1, name).font = Font(bold=True)
        notes.cell(place, 2, says).alignment = Alignment(wrap_text=True)
    notes.column_dimensions["A"].width = 2 * WIDTH
    notes.column_dimensions["B"].width = 3 * WIDTH
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
