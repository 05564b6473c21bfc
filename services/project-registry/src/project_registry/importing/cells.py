"""From the cells of one row to a Projektsteckbrief: what is said replaces, what is left out stays."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from project_registry import domain
from project_registry.importing.columns import Header
from project_registry.importing.sheets import Cell, Fault, Row

Said = dict[str, Any]
LINE_BREAK = re.compile(r"[|;\n\r]+")
RISKS = ("digital_divide", "data_protection", "data_security", "other")
MARKS = ("digital_technology", "daseinsvorsorge", "liveable_city")
WORDS: dict[str, dict[str, str]] = {
    "maturity": {
        "concept": "concept",
        "konzept": "concept",
        "prototype": "prototype",
        "prototyp": "prototype",
        "pilot": "pilot",
        "in_operation": "in_operation",
        "in operation": "in_operation",
        "im betrieb": "in_operation",
    },
    "direction": {
        "at_least": "at_least",
        "at least": "at_least",
        "mindestens": "at_least",
        "at_most": "at_most",
        "at most": "at_most",
        "höchstens": "at_most",
        "hoechstens": "at_most",
    },
}
"""What a choice may say, and what it means."""
FIELD = ("field of action", "kein Handlungsfeld")
GOAL = ("strategic goal", "kein strategisches Ziel")
ORGANISATION = ("organisation", "keine Organisation")
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}([.,][0-9]{1,15})?")
_UNCLEAR = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
_EUROS = re.compile(r"[0-9]{1,11}")
_SPACES = re.compile(r"[\s\u00a0\u202f']+")
_GERMAN_DAY = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")


class Wrong(Exception):
    """Why a cell cannot be read, in English and in German."""

    def __init__(self, detail: str, detail_de: str) -> None:
        super().__init__(detail)
        self.said = (detail, detail_de)


@dataclass(frozen=True, slots=True)
class Names:
    """What a field of action, goal or organisation may be called: ids, and titles as :func:`name_key` spells them."""

    fields: Mapping[str, str]
    goals: Mapping[str, str]
    organisations: Mapping[str, str]


def name_key(said: str) -> str:
    """A title without regard to case, umlauts and punctuation."""
    return domain.slug(said) or said.strip().casefold()


@dataclass(slots=True)
class Reading:
    """One row on its way to a profile; each fault is kept, none ends the reading."""

    row: Row
    header: Header
    names: Names
    before: Mapping[str, Any]
    profile: Said = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    """Which column a path of the profile came from."""
    faults: list[Fault] = field(default_factory=list)

    def get(self, key: str, read: Callable[[Cell], Any]) -> Any:
        """What a cell says; None if it is empty or wrong."""
        if key not in self.row.cells:
            return None
        try:
            return read(self.row.cells[key])
        except Wrong as wrong:
            self.wrong(key, *wrong.said)
            return None

    def organisation(self, cell: Cell) -> str:
        """The id of an organisation."""
        said = self.before
        rows = [*said.get("partners", ()), *said.get("staffing", ())]
        held = {said.get("department"), *(row.get("organisation") for row in rows)} - {None}
        return known(cell, self.names.organisations, held, *ORGANISATION)

    def wrong(self, key: str, detail: str, detail_de: str) -> None:
        """Keep a fault."""
        self.faults.append(Fault(self.header.label(key), detail, detail_de))

    def put(self, path: str, key: str, said: Any) -> None:
        """Set a part of the profile and keep where it came from."""
        if said is not None:
            self.profile[path] = said
        self.places[path] = key

    def column(self, path: str) -> str:
        """The column that a path such as ``$.budget[0].plan_eur`` came from, as the file spells it."""
        steps = re.findall(r"[^.\[\]$]+", path)
        while steps:
            found = self.places.get(".".join(steps))
            if found:
                return self.header.label(found)
            steps.pop()
        return ""


def read_row(reading: Reading) -> None:
    """Fill ``profile``, ``places`` and ``faults`` of a reading."""
    reading.profile = dict(reading.before)
    for name in ("title", "summary", "officer", "evaluation"):
        reading.put(name, name, reading.get(name, kept(reading.before.get(name))))
    reading.put("maturity", "maturity", reading.get("maturity", choice(WORDS["maturity"])))
    reading.put("department", "department", reading.get("department", reading.organisation))
    reading.put("reference_cities", "reference_cities", reading.get("reference_cities", listed))
    _fields(reading)
    _goals(reading)
    _marks(reading)
    _risks(reading)
    _location(reading)
    for read in (_partners, _staffing, _milestones, _criteria, _budget):
        read(reading)


def text(cell: Cell) -> str:
    """A cell as text."""
    return str(cell)


def kept(held: Any) -> Callable[[Cell], str]:
    """Text; where only the space around it differs from what is held, it is held."""
    return lambda cell: held if isinstance(held, str) and held.strip() == str(cell).strip() else str(cell)


def listed(cell: Cell) -> list[str]:
    """Several entries in one cell."""
    return [part for part in (piece.strip() for piece in LINE_BREAK.split(str(cell))) if part]


def known(cell: Cell, names: Mapping[str, str], held: Collection[str], what: str, nothing: str) -> str:
    """The id of what a cell names by its id or title; ``held`` are ids that the project has already."""
    said = str(cell).strip()
    found = said if said in held else names.get(said) or names.get(name_key(said))
    if found is None:
        raise Wrong(
            f"The register has no active {what} {said[:60]!r}; write its id or its title.",
            f"Das Register kennt {nothing} „{said[:60]}“ (oder nicht mehr); Kennung oder Titel angeben.",
        )
    return found


def choice(words: Mapping[str, str]) -> Callable[[Cell], str]:
    """One of some words."""

    def read(cell: Cell) -> str:
        if (said := words.get(str(cell).strip().casefold())) is None:
            ways = ", ".join(dict.fromkeys(words))
            raise Wrong(f"One of: {ways}.", f"Eines von: {ways}.")
        return said

    return read


def number(cell: Cell) -> float:
    """A number, with a decimal point or comma."""
    if isinstance(cell, int | float):
        return float(cell)
    said = cell.strip()
    if _UNCLEAR.fullmatch(said):
        whole, part = re.sub(r"[.,]", "", said), said.replace(",", ".")
        raise Wrong(
            f"{said} may mean {whole} or {part}0; write it in one of these ways.",
            f"{said} kann {whole} oder {part}0 heißen; bitte so schreiben.",
        )
    if not _NUMBER.fullmatch(said):
        raise Wrong("Not a number.", "Keine Zahl.")
    return float(said.replace(",", "."))


def euros(cell: Cell) -> int:
    """Whole euros."""
    said = _SPACES.sub("", str(cell)).removesuffix("€")
    if not _EUROS.fullmatch(said):
        raise Wrong(
            "Not whole euros; write digits only: 120000.",
            "Keine ganzen Euro; bitte nur Ziffern: 120000.",
        )
    return int(said)


def day(cell: Cell) -> str:
    """A day, as ISO 8601 or as it is written in Germany."""
    said = str(cell).strip()
    if german := _GERMAN_DAY.fullmatch(said):
        said = f"{german[3]}-{int(german[2]):02}-{int(german[1]):02}"
    try:
        if len(said) != len("2027-03-31"):
            raise ValueError(said)
        return date.fromisoformat(said).isoformat()
    except ValueError:
        detail = "Not a day; write 2027-03-31 or 31.03.2027."
        raise Wrong(detail, "Kein Tag; bitte 31.03.2027 oder 2027-03-31 schreiben.") from None


def _fields(reading: Reading) -> None:
    held = reading.before.get("fields_of_action", ())

    def read(cell: Cell) -> list[str]:
        return [known(part, reading.names.fields, held, *FIELD) for part in listed(cell)]

    reading.put("fields_of_action", "fields_of_action", reading.get("fields_of_action", read))


def _goals(reading: Reading) -> None:
    groups = _numbered(reading, "goal")
    if "goals" in reading.row.cells and groups:
        way = "Name goals in the column goals or in goal_1, goal_2 …, not in both."
        reading.wrong("goals", way, "Ziele stehen in der Spalte ziele oder in ziel_1, ziel_2 …, nicht in beiden.")
        return
    held = {row["goal"]: row["contribution"] for row in reading.before.get("goals", ())}

    def one(cell: Cell) -> str:
        return known(cell, reading.names.goals, held, *GOAL)

    if "goals" in reading.row.cells:
        found = reading.get("goals", lambda cell: [one(part) for part in listed(cell)]) or []
        reading.put("goals", "goals", [{"goal": goal, "contribution": held.get(goal, "")} for goal in found])
        return
    rows = []
    for index, key in enumerate(groups):
        reading.places[f"goals.{index}"] = key
        reading.places[f"goals.{index}.contribution"] = f"{key}_contribution"
        rows.append(
            {"goal": _needed(reading, key, one), "contribution": reading.get(f"{key}_contribution", text) or ""}
        )
    _put_rows(reading, "goals", "goal_1", rows)


def _marks(reading: Reading) -> None:
    held = reading.before.get("marks", {})
    said = {mark: reading.get(mark, kept(held.get(mark))) for mark in MARKS if mark in reading.row.cells}
    reading.places |= {f"marks.{mark}": mark for mark in MARKS}
    if said:
        reading.profile["marks"] = {**held, **said}


def _risks(reading: Reading) -> None:
    rows = {row["risk"]: dict(row) for row in reading.before.get("risks", ())}
    for risk in RISKS:
        assessment, measure = reading.get(f"risk_{risk}", text), reading.get(f"measure_{risk}", text)
        row = rows.get(risk, {"risk": risk, "assessment": ""})
        row |= {name: said for name, said in (("assessment", assessment), ("measure", measure)) if said is not None}
        if assessment is not None or measure is not None:
            rows[risk] = row
    if rows:
        reading.profile["risks"] = list(rows.values())
    for index, risk in enumerate(rows):
        reading.places[f"risks.{index}"] = f"risk_{risk}"
        reading.places[f"risks.{index}.measure"] = f"measure_{risk}"
    reading.places["risks"] = "risk_digital_divide"


def _location(reading: Reading) -> None:
    place = [reading.get(name, number) for name in ("longitude", "latitude")]
    said = [name for name in ("longitude", "latitude") if name in reading.row.cells]
    if len(said) == 1:
        missing = "latitude" if said == ["longitude"] else "longitude"
        reading.wrong(missing, "A place has a longitude and a latitude.", "Ein Ort hat Längen- und Breitengrad.")
    elif None not in place:
        reading.put("location", "longitude", {"type": "Point", "coordinates": place})


def _partners(reading: Reading) -> None:
    rows = []
    for index, key in enumerate(_numbered(reading, "partner")):
        reading.places[f"partners.{index}"] = key
        duty = _needed(reading, f"{key}_responsible_for", text)
        rows.append({"organisation": _needed(reading, key, reading.organisation), "responsible_for": duty})
    _put_rows(reading, "partners", "partner_1", rows)


def _staffing(reading: Reading) -> None:
    rows = []
    for index, key in enumerate(_numbered(reading, "staffing")):
        _places(reading, f"staffing.{index}", key, ("full_time_equivalents", "organisation"))
        row = {"role": _needed(reading, key, text)}
        row["full_time_equivalents"] = _needed(reading, f"{key}_full_time_equivalents", number)
        rows.append(row | _where_said(reading, organisation=(f"{key}_organisation", reading.organisation)))
    _put_rows(reading, "staffing", "staffing_1", rows)


def _milestones(reading: Reading) -> None:
    held = {name_key(row["title"]): row["milestone"] for row in reading.before.get("milestones", ())}
    rows = []
    for index, key in enumerate(_numbered(reading, "milestone")):
        _places(reading, f"milestones.{index}", key, ("due", "reached"))
        title = _needed(reading, key, text)
        row = {"milestone": held.get(name_key(title or ""), domain.slug(title or "")), "title": title}
        row["due"] = _needed(reading, f"{key}_due", day)
        rows.append(row | _where_said(reading, reached=(f"{key}_reached", day)))
    _put_rows(reading, "milestones", "milestone_1", rows)


def _criteria(reading: Reading) -> None:
    held = {name_key(row["title"]): row["criterion"] for row in reading.before.get("success_criteria", ())}
    rows = []
    parts = ("id", "baseline", "target", "direction", "unit", "source")
    for index, key in enumerate(_numbered(reading, "criterion")):
        _places(reading, f"success_criteria.{index}", key, parts)
        title = _needed(reading, key, text)
        id = reading.get(f"{key}_id", text) or held.get(name_key(title or "")) or _property(title or "")
        row = {"criterion": id, "title": title, "target": _needed(reading, f"{key}_target", number)}
        row["direction"] = _needed(reading, f"{key}_direction", choice(WORDS["direction"]))
        row |= {name: _needed(reading, f"{key}_{name}", text) for name in ("unit", "source")}
        rows.append(row | _where_said(reading, baseline=(f"{key}_baseline", number)))
    _put_rows(reading, "success_criteria", "criterion_1", rows)


def _property(title: str) -> str:
    return domain.slug(title).replace("-", "_").lstrip("0123456789_")


def _budget(reading: Reading) -> None:
    rows = {(row["line"], row["year"]): dict(row) for row in reading.before.get("budget", ())}
    columns: dict[tuple[str, int], str] = {}
    for key in reading.row.cells:
        kind, _, rest = key.partition("_")
        if kind not in ("plan", "actual"):
            continue
        year, _, line = rest.partition("_")
        place = (line, int(year))
        said = reading.get(key, euros)
        if said is not None:
            rows.setdefault(place, {"line": line, "year": int(year)})[f"{kind}_eur"] = said
        columns[place] = columns.get(place, key)
    for place, row in rows.items():
        if "plan_eur" not in row:
            way = f"The plan of {place[1]} is missing: fill the column plan_{place[1]}_{place[0]}; 0 if there was none."
            way_de = f"Der Plan für {place[1]} fehlt: Spalte plan_{place[1]}_{place[0]} füllen; 0, wenn es keinen gab."
            reading.wrong(columns[place], way, way_de)
    if rows:
        reading.profile["budget"] = [rows[place] for place in sorted(rows, key=lambda place: (place[1], place[0]))]
        for index, row in enumerate(reading.profile["budget"]):
            reading.places[f"budget.{index}"] = columns.get((row["line"], row["year"]), "")
    reading.places["budget"] = next(iter(columns.values()), "plan_<year>_<line>")


def _numbered(reading: Reading, group: str) -> list[str]:
    """The numbered columns of a group of which the row fills any, as ``milestone_1``."""
    filled = (key.split("_") for key in reading.row.cells if key.startswith(f"{group}_"))
    return [f"{group}_{count}" for count in sorted({int(words[1]) for words in filled})]


def _places(reading: Reading, path: str, key: str, parts: tuple[str, ...]) -> None:
    reading.places |= {path: key} | {f"{path}.{part}": f"{key}_{part}" for part in parts}
    reading.places[f"{path}.criterion"] = f"{key}_id" if f"{key}_id" in reading.row.cells else key


def _needed(reading: Reading, key: str, read: Callable[[Cell], Any]) -> Any:
    if key not in reading.row.cells:
        reading.wrong(
            key, "The cell is empty, its neighbours need it.", "Die Zelle ist leer, die daneben brauchen sie."
        )
        return None
    return reading.get(key, read)


def _where_said(reading: Reading, **parts: tuple[str, Callable[[Cell], Any]]) -> Said:
    found = {name: reading.get(key, read) for name, (key, read) in parts.items()}
    return {name: said for name, said in found.items() if said is not None}


def _put_rows(reading: Reading, path: str, key: str, rows: list[Said]) -> None:
    reading.places.setdefault(path, key)
    if rows:
        reading.profile[path] = rows
