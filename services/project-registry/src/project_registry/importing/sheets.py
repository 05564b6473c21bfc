"""From the bytes of a file to rows of cells: CSV, and the first sheet of an Excel workbook (OOXML).

A workbook is a ZIP file of XML from a stranger: it is weighed before it is unpacked, document types are refused, and
so is a formula, whose value nobody has checked.
"""

import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from oker_contracts import Reason, Refused
from project_registry.importing.columns import MAX_COLUMNS, Header, read_header

MAX_BYTES, MAX_UNPACKED, MAX_PARTS = 10_000_000, 60_000_000, 500
"""Bytes of a file, bytes of a workbook once unpacked, files inside of a workbook."""
MAX_ROWS, MAX_CELL = 10_000, 20_000
"""Rows of a file, empty ones included; characters of a cell."""
FORMULA_SIGNS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r")
OLD_EXCEL = b"\xd0\xcf\x11\xe0"
DOCTYPES = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))

Cell = str | int | float


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in one cell, or in a row as a whole (``column`` is empty), in English and in German."""

    column: str
    detail: str
    detail_de: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row; the header is row 1, as a spreadsheet counts. Empty cells are left out."""

    number: int
    cells: dict[str, Cell]
    """By the English name of the column."""
    faults: tuple[Fault, ...] = ()
    """What keeps it from being read."""


def read_file(body: bytes, charset: str = "utf-8") -> tuple[Header, list[Row]]:
    """The header and the rows that are not empty.

    Args:
        charset: of a CSV file: ``utf-8``, or ``windows-1252`` where the sender declares it.

    Raises:
        Refused: the file as a whole cannot be read.
    """
    if body.startswith(OLD_EXCEL):
        raise Refused(Reason.ENCODING_INVALID, "$", "This is an old .xls or an encrypted file; save it as plain .xlsx.")
    rows = _workbook(body) if body.startswith(b"PK\x03\x04") else _csv(body, charset)
    header, found = _rows(rows)
    if header is None or not found:
        raise Refused(Reason.BODY_EMPTY, "$", "The file has no row below its header.")
    return header, found


def _rows(rows: Iterable[tuple[Sequence[Any], tuple[int, ...]]]) -> tuple[Header | None, list[Row]]:
    """Cells with the places of formulas among them, to rows under their header."""
    header: Header | None = None
    found: list[Row] = []
    for number, (cells, formulas) in enumerate(rows, start=1):
        if number > MAX_ROWS + 1:
            raise Refused(Reason.BODY_TOO_LARGE, "$", f"A file has {MAX_ROWS} rows at most; split it.")
        read = [_cell(cell) for cell in cells]
        if header is None:
            if any(cell != "" for cell in read):
                header = read_header([str(cell) for cell in read])
        elif any(cell != "" for cell in read):
            found.append(_row(number, header, read, formulas))
    return header, found


def _row(number: int, header: Header, cells: list[Cell], formulas: tuple[int, ...]) -> Row:
    while len(cells) > len(header.keys) and cells[-1] == "":
        cells.pop()
    faults = []
    if len(cells) > len(header.keys):
        count, columns = len(cells), len(header.keys)
        faults.append(
            Fault(
                "",
                f"The row has {count} cells, the header has {columns}; a separator inside of a cell needs quotes.",
                f"Die Zeile hat {count} Zellen, die Kopfzeile {columns}; ein Trennzeichen in einer Zelle braucht "
                "Anführungszeichen.",
            )
        )
    for place, (label, cell) in enumerate(zip(header.labels, cells, strict=False)):
        if place in formulas:
            way = ("The cell holds a formula; paste its value.", "Die Zelle enthält eine Formel; den Wert einfügen.")
            faults.append(Fault(label, *way))
        elif isinstance(cell, str) and len(cell) > MAX_CELL:
            way = (f"More than {MAX_CELL} characters.", f"Mehr als {MAX_CELL} Zeichen.")
            faults.append(Fault(label, *way))
    named = zip(header.keys, cells, strict=False)
    return Row(number, {key: cell for key, cell in named if key and cell != ""}, tuple(faults))


def _cell(said: Any) -> Cell:
    """A cell as text or number; days are text (ISO 8601)."""
    if said is None:
        return ""
    if isinstance(said, bool) or not isinstance(said, int | float | date | str):
        return str(said)
    if isinstance(said, int | float):
        return int(said) if float(said).is_integer() else said
    if isinstance(said, datetime):
        return said.date().isoformat() if said.time() == said.time().min else said.isoformat()
    if isinstance(said, date):
        return said.isoformat()
    return unguarded(said.strip())


def guarded(said: str) -> str:
    """Text for a cell of a CSV file: what a spreadsheet would take for a formula gets an apostrophe in front."""
    return f"'{said}" if said.startswith(FORMULA_SIGNS) or said.lstrip().startswith(FORMULA_SIGNS) else said


def unguarded(said: str) -> str:
    """The same text back."""
    return said[1:] if said.startswith("'") and said[1:].lstrip().startswith(FORMULA_SIGNS) else said


def _csv(body: bytes, charset: str) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    text = _text(body, charset)
    first = text.split("\n", 1)[0]
    delimiter = max(";,\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for cells in reader:
            number += 1
            yield cells, ()
    except csv.Error as error:
        detail = f"Row {number + 1} is no CSV: {error}."
        raise Refused(Reason.FIELD_VALUE_INVALID, f"row {number + 1}", detail[:200]) from None


def _text(body: bytes, charset: str) -> str:
    if charset not in ("utf-8", "windows-1252"):
        raise Refused(Reason.ENCODING_INVALID, "content-type", "The charset is utf-8 or windows-1252.")
    try:
        text = body.decode("utf-8-sig" if charset == "utf-8" else "cp1252")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        way = "save the file as “CSV UTF-8”, or send it with content-type: text/csv; charset=windows-1252"
        detail = f"Line {line} is not {charset} (byte {error.start}): {way}."
        raise Refused(Reason.ENCODING_INVALID, f"line {line}", detail) from None
    if "\0" in text:
        raise Refused(Reason.ENCODING_INVALID, "$", "The file holds NUL; save it as CSV UTF-8.")
    return text


def _workbook(body: bytes) -> Iterator[tuple[list[Any], tuple[int, ...]]]:
    try:
        _weigh(body)
        book = openpyxl.load_workbook(io.BytesIO(body), read_only=True, data_only=False, keep_links=False)
        sheet = book.worksheets[0]
        for row in sheet.iter_rows(max_col=MAX_COLUMNS + 1):
            cells = [cell.value for cell in row]
            while cells and cells[-1] is None:
                cells.pop()
            yield cells, tuple(place for place, cell in enumerate(row) if cell.data_type in ("f", "e"))
    except Refused:
        raise
    except _BROKEN as error:
        detail = f"The workbook cannot be read ({type(error).__name__}); save it anew as .xlsx, or as CSV UTF-8."
        raise Refused(Reason.FIELD_VALUE_INVALID, "$", detail) from None


_BROKEN = (
    ArithmeticError,
    AttributeError,
    AssertionError,
    EOFError,
    InvalidFileException,
    LookupError,
    OSError,
    ParseError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What openpyxl and zlib raise over workbooks that are damaged or made up."""


def _weigh(body: bytes) -> None:
    """Unpack a workbook within bounds, once, to look for document types.

    Raises:
        Refused: it is too large, or it has one; entities could grow beyond all bounds.
    """
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        parts = archive.infolist()
        if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
            detail = f"The workbook has more than {MAX_UNPACKED} bytes once unpacked; save it as CSV UTF-8."
            raise Refused(Reason.BODY_TOO_LARGE, "$", detail)
        for part in parts:
            if part.filename.lower().endswith((".xml", ".rels")):
                text = archive.read(part)
                if any(word in text for word in DOCTYPES):
                    raise Refused(Reason.FIELD_VALUE_INVALID, "$", "The workbook declares a document type (DTD).")
