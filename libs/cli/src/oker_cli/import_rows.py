"""Rows of a history file: read, understood, and cut into events. Nothing here knows of HTTP."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from io import TextIOBase
from math import isfinite
from typing import Any, Literal
from zlib import crc32
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from oker_cli.failure import Failure
from oker_contracts.base import parse_instant
from oker_contracts.reading import sentence_of
from oker_contracts.sensor.readings_reported_v1 import ReportedReading

REQUIRED = ("device", "phenomenon_time", "property", "value", "unit")
COLUMNS = (*REQUIRED, "result_time")
GERMAN_FORMATS = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M")
MINUTES = len("2026-01-31 12:00")
MOST_ROWS, MOST_RESULTS = 1_000, 64
"""Of one event, and of one reading in it (sensor.readings_reported.v1)."""
CUT_AFTER_ONE_IN = 500
"""An event ends after about so many rows, where a row's own hash says so: a row that is mended or put in between
changes the event it stands in and no other, so that the rest of a file sent again is known again."""
MOST_EARLIER = 200_000
"""Rows of a file among which one is found that says something else for the same time."""
Fold = Literal["first", "second", "refuse"]


class Fault(Exception):
    """A row that cannot be taken: in which column, and a sentence."""

    def __init__(self, column: str, sentence: str) -> None:
        super().__init__(f"{column}: {sentence}")
        self.column = column
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Layout:
    """How the file says what a row means."""

    decimal: Literal[".", ","] = "."
    timezone: ZoneInfo | None = None
    fold: Fold = "refuse"
    columns: Mapping[str, str] = field(default_factory=dict)
    """Name to the file's own heading, where they differ."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Name to the value of every row, where the file has no such column."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands in the file; ``fault`` if not even its cells could be told apart."""

    line: int
    cells: Mapping[str, Any]
    fault: Fault | None = None


# reading


def read_csv(file: TextIOBase, layout: Layout) -> Iterator[Row]:
    """The rows of a CSV file with a heading; ``,``, ``;`` or tab, whichever the heading has most of.

    Raises:
        Failure: the heading lacks a column that is needed.
    """
    head = file.readline()
    delimiter = max(",;\t", key=head.count)
    names = [name.strip().lstrip("\ufeff") for name in next(csv.reader([head], delimiter=delimiter), [])]
    _check_heading(names, layout)
    reader = csv.reader(file, delimiter=delimiter)
    while True:
        line = reader.line_num + 2
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Row(line, {}, Fault("row", f"is no CSV ({error})"))
            continue
        if cells is None:
            return
        if cells:
            yield _row(line, names, cells)


def _check_heading(names: list[str], layout: Layout) -> None:
    wanted = {name: layout.columns.get(name, name) for name in REQUIRED if name not in layout.constants}
    if lacking := {name: heading for name, heading in wanted.items() if heading not in names}:
        ways = " ".join(f"--column {name}=HEADING or --set {name}=VALUE" for name in list(lacking)[:1])
        raise Failure(f"the heading lacks {', '.join(lacking.values())}; it has {', '.join(names)[:200]}. {ways}", 2)


def _row(line: int, names: list[str], cells: list[str]) -> Row:
    if len(cells) != len(names):
        said = dict(zip(names, cells, strict=False))
        return Row(line, said, Fault("row", f"has {len(cells)} cells, the heading has {len(names)}"))
    return Row(line, dict(zip(names, cells, strict=True)))


def read_jsonl(file: TextIOBase, _: Layout) -> Iterator[Row]:
    """One JSON object a line, with the names of the columns."""
    for line, text in enumerate(file, start=1):
        if not text.strip():
            continue
        try:
            said = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield Row(line, {}, Fault("row", f"is no JSON ({str(error)[:100]})"))
            continue
        if isinstance(said, dict):
            yield Row(line, said)
        else:
            yield Row(line, {}, Fault("row", "is no JSON object"))


# understanding


def reading_of(row: Row, layout: Layout) -> dict[str, Any]:
    """What a row says, as a reading of sensor.readings_reported.v1 with one result.

    A row without ``result_time`` was determined when it was true: so a history never outdoes what was said since.

    Raises:
        Fault: with the column.
    """
    if row.fault:
        raise row.fault
    time = _instant(row, "phenomenon_time", layout)
    said = {name: _text(row, name, layout) for name in ("device", "property", "unit")}
    reading = {
        "device": said["device"],
        "phenomenon_time": time,
        "result_time": _instant(row, "result_time", layout) if _said(row, "result_time", layout) else time,
        "results": [{"property": said["property"], "value": _number(row, layout), "unit": said["unit"]}],
    }
    try:
        ReportedReading.model_validate_json(json.dumps(reading))
    except ValidationError as error:
        first = error.errors()[0]
        raise Fault(str(first["loc"][-1]), sentence_of(first)) from None
    return reading


def _said(row: Row, name: str, layout: Layout) -> Any:
    said = row.cells.get(layout.columns.get(name, name), layout.constants.get(name))
    return said.strip() if isinstance(said, str) else said


def _text(row: Row, name: str, layout: Layout) -> str:
    said = _said(row, name, layout)
    if said is None or said == "":
        raise Fault(name, "is empty")
    if not isinstance(said, str):
        raise Fault(name, "is no text")
    if not said.isprintable():
        raise Fault(name, "is not UTF-8, or has control characters")
    return said


def _number(row: Row, layout: Layout) -> float:
    said = _said(row, "value", layout)
    if isinstance(said, bool | list | dict):
        raise Fault("value", "is no number")
    if isinstance(said, int | float):
        said = repr(said)
    elif layout.decimal == ",":
        said = _with_point(_text(row, "value", layout))
    else:
        said = _text(row, "value", layout)
    try:
        value = float(said)
    except ValueError:
        hint = "; say --decimal , for numbers such as 21,5" if "," in said and layout.decimal == "." else ""
        raise Fault("value", f"{said[:40]!r} is no number{hint}") from None
    if not isfinite(value) or "_" in said:
        raise Fault("value", f"{said[:40]!r} is no number that was measured")
    return value


def _with_point(said: str) -> str:
    if "." in said:
        raise Fault("value", f"{said[:40]!r} has a point, where --decimal , expects a comma and no thousands")
    return said.replace(",", ".", 1)


def _instant(row: Row, name: str, layout: Layout) -> str:
    said = _text(row, name, layout)
    try:
        return parse_instant(said.replace(" ", "T", 1)).isoformat()
    except ValueError:
        return _local(name, said, layout).astimezone(UTC).isoformat()


def _local(name: str, said: str, layout: Layout) -> datetime:
    """A time without offset, in the time zone that was named; the two hours of the clock changes are no guesswork."""
    moment = _without_offset(said)
    if moment is None:
        raise Fault(name, f"{said[:40]!r} is no time, as in 2026-01-31T12:00:00+01:00")
    if layout.timezone is None:
        raise Fault(name, f"{said[:40]!r} has no offset; say --timezone, as in --timezone Europe/Berlin")
    first, second = (moment.replace(tzinfo=layout.timezone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    if first.astimezone(UTC).astimezone(layout.timezone).replace(tzinfo=None) != moment:
        raise Fault(name, f"{said[:40]} is not there: the clock was put forward over it in {layout.timezone}")
    if layout.fold == "refuse":
        raise Fault(name, f"{said[:40]} was there twice in {layout.timezone}; say --fold first or --fold second")
    return first if layout.fold == "first" else second


def _without_offset(said: str) -> datetime | None:
    """``2026-01-31 12:00`` with or without seconds and ``T``, or ``31.01.2026 12:00``."""
    try:
        moment = datetime.fromisoformat(said) if said[4:5] == "-" and len(said) >= MINUTES else None
    except ValueError:
        return None
    for known in GERMAN_FORMATS if moment is None else ():
        with suppress(ValueError):
            return datetime.strptime(said, known)  # noqa: DTZ007
    return moment if moment and moment.tzinfo is None else None


# cutting


@dataclass(slots=True)
class Chunk:
    """The rows of one event."""

    readings: list[dict[str, Any]] = field(default_factory=list)
    rows: list[list[Row]] = field(default_factory=list)
    """Beside each reading the rows of its results."""
    places: set[tuple[str, str, str]] = field(default_factory=set)

    @property
    def data(self) -> bytes:
        """The event's data."""
        return json.dumps({"readings": self.readings}, separators=(",", ":")).encode()

    @property
    def id(self) -> str:
        """The event's id: 128 bits of a hash of what it says, so that what is said again is known."""
        return sha256(self.data).hexdigest()[:32]

    @property
    def count(self) -> int:
        """How many rows."""
        return len(self.places)

    def takes(self, reading: dict[str, Any]) -> bool:
        """Whether there is room, and nothing yet for this device, property and time: one event names each once."""
        return self.count < MOST_ROWS and _place(reading) not in self.places

    def add(self, row: Row, reading: dict[str, Any]) -> None:
        """Take a row; results of one device and time that follow each other become one reading."""
        self.places.add(_place(reading))
        last = self.readings[-1] if self.readings else None
        if last and _head(last) == _head(reading) and len(last["results"]) < MOST_RESULTS:
            last["results"] += reading["results"]
            self.rows[-1].append(row)
        else:
            self.readings.append(reading)
            self.rows.append([row])


def _head(reading: dict[str, Any]) -> tuple[str, str, str]:
    return reading["device"], reading["phenomenon_time"], reading["result_time"]


def _place(reading: dict[str, Any]) -> tuple[str, str, str]:
    return reading["device"], reading["phenomenon_time"], reading["results"][0]["property"]


@dataclass(frozen=True, slots=True)
class Repeated:
    """A row that says what an earlier one has said."""

    row: Row


@dataclass(slots=True)
class Earlier:
    """The last rows of a file, by what they measured: device, time, property, and when that was determined.

    Of two values for all of these nobody could say which one counts, so the second is refused.
    """

    rows: dict[int, tuple[int, tuple[float, str]]] = field(default_factory=dict)
    """Line, value and unit, by a hash of 64 bits: 300 bytes a row."""

    def repeats(self, row: Row, reading: dict[str, Any]) -> bool:
        """Whether an earlier row has said the same.

        Raises:
            Fault: an earlier row has said another value.
        """
        instants = (datetime.fromisoformat(reading[name]) for name in ("phenomenon_time", "result_time"))
        result = reading["results"][0]
        key = hash((reading["device"], result["property"], *instants))
        before = self.rows.get(key)
        if before is None:
            self.rows[key] = (row.line, (result["value"], result["unit"]))
            if len(self.rows) > MOST_EARLIER:
                del self.rows[next(iter(self.rows))]
            return False
        line, said = before
        if said != (result["value"], result["unit"]):
            sentence = (
                f"line {line} says another value for this device, property and time; say result_time, or leave one"
            )
            raise Fault("value", sentence)
        return True


def cut(rows: Iterable[Row], layout: Layout) -> Iterator[Chunk | Repeated | tuple[Row, Fault]]:
    """Events in the order of the file, and between them the rows that cannot be taken, or that say nothing new."""
    chunk = Chunk()
    earlier = Earlier()
    for row in rows:
        try:
            reading = reading_of(row, layout)
            repeated = earlier.repeats(row, reading)
        except Fault as fault:
            yield row, fault
            continue
        if repeated:
            yield Repeated(row)
            continue
        ends = crc32(json.dumps(reading).encode()) % CUT_AFTER_ONE_IN == 0
        if not chunk.takes(reading):
            yield chunk
            chunk = Chunk()
        chunk.add(row, reading)
        if ends:
            yield chunk
            chunk = Chunk()
    if chunk.count:
        yield chunk
