"""Devices from a CSV file: one row a datastream, each row judged on its own.

Columns by name, in any order, separated by ``;`` or ``,``, UTF-8 with or without a byte order mark. ``device``,
``property``, ``unit``, ``dataset`` and ``observed_property`` are required in each row. What belongs to the device
(``name``, ``description``, ``profile``, ``profile_version``, ``hardware``, ``longitude``, ``latitude``,
``altitude``) stands in one of its rows at least, may be repeated, and must not contradict; where no row says it,
what is known of the device stays. ``definition``, ``interval_seconds``, ``minimum`` and ``maximum`` belong to the
datastream. Numbers have a decimal point.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Literal

from pydantic import ValidationError

from oker_contracts import TYPE_PREFIX, Envelope, Reason, Refused
from oker_contracts.reading import reason_of
from oker_contracts.sensor.device_declared_v2 import DeviceDeclaredV2
from sensor_ingest import domain
from sensor_ingest.domain import Device, NotAcceptable, Terms
from sensor_ingest.handlers.claims import REASONS
from sensor_ingest.handlers.registering import device_of
from sensor_ingest.registry import geojson

SOURCE = "/oker/devices/import"
REQUIRED = ("device", "property", "unit", "dataset", "observed_property")
OF_DEVICE = ("name", "description", "profile", "profile_version", "hardware", "longitude", "latitude", "altitude")
COLUMNS = (*REQUIRED, *OF_DEVICE, "definition", "interval_seconds", "minimum", "maximum")
WHOLE = frozenset({"profile_version", "interval_seconds"})
NUMBERS = WHOLE | {"longitude", "latitude", "altitude", "minimum", "maximum"}
MAX_ROWS, MAX_BYTES, MAX_CELL = 10_000, 5_000_000, 20_000
STREAMS = 64
"""Datastreams of one declaration."""
_WHOLE, _NUMBER = re.compile(r"[0-9]{1,15}"), re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?")
_COMMA = re.compile(r"[+-]?[0-9.]*,[0-9]+")
_COORDINATES = ("longitude", "latitude", "altitude")

Cells = Mapping[str, str]


class Wrong(Exception):
    """What is wrong with one row: the code, the column and a sentence."""

    def __init__(self, reason: Reason, column: str, detail: str) -> None:
        super().__init__(f"{reason} in {column}: {detail}")
        self.result = (str(reason), column, detail)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the file; the header is row 1, as a spreadsheet counts."""

    number: int
    cells: Cells
    fault: str = ""
    """What keeps the row from being read at all."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one row. ``accepted``: handed in under ``id``; ``unchanged``: the platform knows it already."""

    row: int
    device: str
    outcome: Literal["accepted", "unchanged", "refused", "not_taken"]
    id: str = ""
    code: str = ""
    column: str = ""
    detail: str = ""


@dataclass(slots=True)
class _Plan:
    """A device as the rows say it so far."""

    known: Device | None
    state: Device | None
    cells: dict[str, str] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    """The right ones, by property."""


def read_rows(body: bytes) -> list[Row]:
    """The rows of a file that are not empty.

    Raises:
        Refused: the file as a whole cannot be read: its encoding, its header, its size.
    """
    reader = csv.reader(io.StringIO(_text(body), newline=""), delimiter=_delimiter(body), strict=True)
    header: list[str] = []
    rows: list[Row] = []
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if not header:
                header = _header(cells)
            elif any(cell.strip() for cell in cells):
                rows.append(_row(number, header, cells))
                if len(rows) > MAX_ROWS:
                    raise Refused(Reason.BODY_TOO_LARGE, "$", f"A file has {MAX_ROWS} rows at most; split it.")
    except csv.Error as error:
        sentence = f"Row {number + 1} is no CSV: {error}."
        raise Refused(Reason.FIELD_VALUE_INVALID, f"row {number + 1}", sentence[:200]) from None
    if not rows:
        raise Refused(Reason.BODY_EMPTY, "$", "The file has no row below its header.")
    return rows


def _text(body: bytes) -> str:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"Byte {error.start} is not UTF-8; save the file as CSV UTF-8."
        raise Refused(Reason.ENCODING_INVALID, "$", detail) from None
    if "\0" in text:
        raise Refused(Reason.ENCODING_INVALID, "$", "The file holds NUL; save it as CSV UTF-8.")
    return text


def _delimiter(body: bytes) -> str:
    header = body.split(b"\n", 1)[0]
    return ";" if header.count(b";") >= header.count(b",") else ","


def _header(cells: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    for name in names:
        if name not in COLUMNS:
            detail = f"No column is called {name[:40]!r}; there are {', '.join(COLUMNS)}."
            raise Refused(Reason.FIELD_VALUE_INVALID, "row 1", detail)
        if names.count(name) > 1:
            raise Refused(Reason.FIELD_VALUE_INVALID, "row 1", f"The column {name} stands there twice.")
    for name in REQUIRED:
        if name not in names:
            detail = f"The column {name} is missing; columns are separated by ; or , in the first row."
            raise Refused(Reason.FIELD_MISSING, "row 1", detail)
    return names


def _row(number: int, header: Sequence[str], cells: Sequence[str]) -> Row:
    named = dict(zip(header, (cell.strip() for cell in cells), strict=False))
    count = len(cells)
    while count > len(header) and not cells[count - 1].strip():
        count -= 1
    fault = ""
    if count != len(header):
        fault = f"The row has {count} cells, the header has {len(header)}; a comma inside of a cell needs quotes."
    elif long := [name for name, cell in named.items() if len(cell) > MAX_CELL]:
        fault = f"The cell in {long[0]} is longer than {MAX_CELL} characters."
    return Row(number, named, fault)


def hardware_of(row: Row) -> str:
    """The hardware that a row names; a new device of which no row names one has its own name there."""
    return domain.hardware_id(row.cells.get("hardware") or row.cells.get("device", ""))


def judge(
    partner: str, rows: Iterable[Row], known: Mapping[str, Device], terms: Terms
) -> tuple[list[Result], dict[str, Envelope]]:
    """Hold each row against the contract and against what is known, as the declaration itself will be.

    Args:
        known: the company's devices that the file names, by their names.

    Returns:
        What becomes of each row, and the claims to be handed in, by their ids.
    """
    plans: dict[str, _Plan] = {}
    taken: dict[str, str] = {}
    terms = replace(terms, holder=_holder(plans, taken, terms))
    results: dict[int, Result] = {}
    for row in rows:
        device = row.cells.get("device", "")
        plan = plans.get(device) or _Plan(known.get(device), known.get(device))
        try:
            _take(partner, row, plan, terms)
            plans[device] = plan
            if plan.state:
                taken[plan.state.hardware] = device
        except Wrong as wrong:
            code, column, detail = wrong.result
            results[row.number] = Result(row.number, device[:64], "refused", "", code, column, detail)
    claims: dict[str, Envelope] = {}
    for device, plan in plans.items():
        for result, claim in _declared(device, plan, terms):
            results[result.row] = result
            if claim:
                claims[claim.id] = claim
    return [results[number] for number in sorted(results)], claims


def _holder(plans: Mapping[str, _Plan], taken: Mapping[str, str], terms: Terms) -> Callable[[str], str | None]:
    """Who has a hardware by the rows so far, else by what is known."""

    def holder(hardware: str) -> str | None:
        for device in (taken.get(hardware), terms.holder(hardware)):
            plan = plans.get(device) if device else None
            if device and (plan is None or plan.state is None or plan.state.hardware == hardware):
                return device
        return None

    return holder


def _take(partner: str, row: Row, plan: _Plan, terms: Terms) -> None:
    """Take one row into the plan of its device.

    Raises:
        Wrong: the plan is as it was before.
    """
    if row.fault:
        raise Wrong(Reason.FIELD_VALUE_INVALID, "", row.fault)
    for name in (column for column in COLUMNS if column in NUMBERS):
        _number(row.cells, name)
    cells = _agreed(row, plan)
    property = row.cells["property"]
    if property in plan.rows:
        detail = f"{property} of this device stands in row {plan.rows[property].number} already."
        raise Wrong(Reason.FIELD_VALUE_INVALID, "property", detail)
    if plan.state is None or property not in plan.state.datastreams:
        _check_unit(row.cells, terms)
    declared = _device(partner, _said([row], cells, plan.known), (terms.now, SOURCE, f"{row.number:06}"))
    try:
        plan.state = domain.register(declared, plan.state, terms)
    except NotAcceptable as error:
        raise Wrong(REASONS[error.code], _column(error.field), error.detail) from None
    plan.cells = cells
    plan.rows[property] = row


def _check_unit(cells: Cells, terms: Terms) -> None:
    """Before the contract does, which knows no way out for who writes km³/hr."""
    try:
        terms.check_unit(cells["unit"], f"{cells['property']} {cells['observed_property']}")
    except ValueError as error:
        raise Wrong(Reason.UNIT_UNKNOWN, "unit", str(error)) from None


def _agreed(row: Row, plan: _Plan) -> dict[str, str]:
    """What the rows of a device say of it, this one included."""
    said = {name: row.cells[name] for name in OF_DEVICE if row.cells.get(name)}
    for name, cell in said.items():
        if plan.cells.get(name, cell) != cell:
            first = next(iter(plan.rows.values())).number
            detail = f"The rows of one device say the same {name}; row {first} or a later one says another."
            raise Wrong(Reason.FIELD_VALUE_INVALID, name, detail)
    return plan.cells | said


def _said(rows: Sequence[Row], cells: Cells, known: Device | None) -> dict[str, Any]:
    """The declaration that these rows make, as JSON."""
    said: dict[str, Any] = {"device": rows[0].cells["device"], **_of_device(cells, known)}
    said["datastreams"] = [_stream(row.cells) for row in rows]
    return said


def _of_device(cells: Cells, known: Device | None) -> dict[str, Any]:
    words: dict[str, Any] = {name: cells[name] for name in ("name", "description", "hardware") if name in cells}
    if "profile" in cells:
        words["profile"] = {"name": cells["profile"], "version": _number(cells, "profile_version")}
    elif "profile_version" in cells:
        raise Wrong(Reason.FIELD_MISSING, "profile", "A version needs the name of its profile.")
    if any(name in cells for name in _COORDINATES):
        words["location"] = {"type": "Point", "coordinates": _coordinates(cells)}
    return (_kept(known) if known else {}) | words


def _coordinates(cells: Cells) -> list[Any]:
    for name in ("longitude", "latitude"):
        if name not in cells:
            raise Wrong(Reason.FIELD_MISSING, name, "A place has a longitude and a latitude.")
    return [_number(cells, name) for name in _COORDINATES if name in cells]


def _kept(known: Device) -> dict[str, Any]:
    """What no row says stays as it is."""
    return {
        "name": known.name,
        "description": known.description,
        "hardware": known.hardware,
        "profile": known.profile._asdict() if known.profile else None,
        "location": geojson(known.location) if known.location else None,
    }


def _stream(cells: Cells) -> dict[str, Any]:
    words: dict[str, Any] = {name: cells[name] for name in ("property", "unit", "dataset", "observed_property")}
    for name in ("interval_seconds", "minimum", "maximum"):
        words[name] = _number(cells, name)
    return words | {"definition": cells.get("definition") or None}


def _number(cells: Cells, name: str) -> float | int | None:
    cell = cells.get(name, "")
    if not cell:
        return None
    if name in WHOLE and _WHOLE.fullmatch(cell):
        return int(cell)
    if name not in WHOLE and _NUMBER.fullmatch(cell):
        return float(cell)
    if _COMMA.fullmatch(cell):
        raise Wrong(Reason.FIELD_VALUE_INVALID, name, "The number has a decimal comma; write it with a point: 10.5.")
    kind = "a whole number" if name in WHOLE else "a number with a decimal point"
    raise Wrong(Reason.FIELD_TYPE_WRONG, name, f"Not {kind}.")


def _device(partner: str, said: dict[str, Any], version: domain.Version) -> Device:
    try:
        data = DeviceDeclaredV2.model_validate_json(json.dumps(said))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise Wrong(reason_of(first["type"]), _place(first["loc"]), first["msg"][:200]) from None
    return device_of(partner, data, version)


def _place(loc: tuple[int | str, ...]) -> str:
    """The column of a Pydantic location."""
    if loc[0] == "location":
        last = [step for step in loc if isinstance(step, int)]
        return _COORDINATES[min(last[-1], 2)] if last else "longitude"
    if loc[0] == "profile":
        return "profile_version" if loc[-1] == "version" else "profile"
    return _column(".".join(map(str, loc)))


def _column(path: str) -> str:
    """The column of a path such as ``datastreams[0].unit``; ``device`` where it is none's."""
    return next((name for name in reversed(re.findall(r"[a-z_]+", path)) if name in COLUMNS), "device")


def _declared(device: str, plan: _Plan, terms: Terms) -> Iterator[tuple[Result, Envelope | None]]:
    rows = list(plan.rows.values())
    if plan.state and not domain.is_news(plan.state, plan.known):
        yield from ((Result(row.number, device, "unchanged"), None) for row in rows)
        return
    for start in range(0, len(rows), STREAMS):
        part = rows[start : start + STREAMS]
        claim = _claim(_said(part, plan.cells, plan.known), plan.known, terms)
        yield from ((Result(row.number, device, "accepted", claim.id), claim) for row in part)


def _claim(said: dict[str, Any], known: Device | None, terms: Terms) -> Envelope:
    data = json.dumps(said, ensure_ascii=False).encode()
    return Envelope(
        id=identity(data, known.declared if known else domain.UNSAID),
        source=SOURCE,
        type=TYPE_PREFIX + DeviceDeclaredV2.TYPE,
        time=terms.now,
        data=data,
    )


def identity(data: bytes, before: domain.Version) -> str:
    """The id of what is said: the same if it is said again, another one if something else was said in between."""
    time, source, id = before
    return sha256(b"\0".join([data, time.isoformat().encode(), source.encode(), id.encode()])).hexdigest()[:32]


def not_taken(result: Result) -> Result:
    """The row was right, and the broker did not confirm it."""
    return replace(result, outcome="not_taken", detail="The broker did not confirm it; import the file again.")


def told(result: Result) -> dict[str, Any]:
    """A result as JSON; what is empty is left out."""
    said = {name: getattr(result, name) for name in Result.__dataclass_fields__}
    return {name: value for name, value in said.items() if value != ""}


def safe_cell(said: str) -> str:
    """Text for a cell of a CSV file: what a spreadsheet would take for a formula gets an apostrophe in front."""
    return f"'{said}" if said.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")) else said


def results_csv(results: Iterable[Result]) -> str:
    """The results as a CSV file, one row each, safe to be opened in a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(Result.__dataclass_fields__)
    for result in results:
        cells = (getattr(result, name) for name in Result.__dataclass_fields__)
        writer.writerow([safe_cell(str(cell)) for cell in cells])
    return out.getvalue()
