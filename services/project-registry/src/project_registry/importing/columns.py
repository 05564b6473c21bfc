"""The columns of an import: English and German names, and what stands in them.

Names are read without regard to case, umlauts and spaces: ``Lebenswerte Stadt`` is ``lebenswerte_stadt``. A list of
things with several parts has numbered columns: ``milestone_1``, ``milestone_1_due``, ``milestone_2`` … The budget has
a column for each year and line: ``plan_2027_investition``, ``actual_2027_investition``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from oker_contracts import Reason, Refused
from project_registry import domain

MAX_COLUMNS = 300
"""Columns of a file."""
MAX_NUMBER = 20
"""Of a numbered column."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its English and its German name, and what stands in it."""

    name: str
    name_de: str
    says: str
    says_de: str


def _columns(*rows: tuple[str, str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(*row) for row in rows)


LIST = "separated by | or ; or a line break"
LIST_DE = "getrennt durch | oder ; oder Zeilenumbruch"
PLAIN = _columns(
    ("project_id", "projekt_id", "the id; left out, it follows from the title", "die Kennung; sonst aus dem Titel"),
    ("title", "titel", "required for a new project", "Pflicht für ein neues Projekt"),
    ("summary", "kurzbeschreibung", "what the project is about", "worum es geht"),
    ("state", "stand", "of a new project: idea or proposed", "eines neuen Projekts: Idee oder vorgeschlagen"),
    ("fields_of_action", "handlungsfelder", f"ids or titles, {LIST}", f"Kennungen oder Titel, {LIST_DE}"),
    (
        "goals",
        "ziele",
        f"strategic goals: ids or titles, {LIST}",
        f"strategische Ziele: Kennungen oder Titel, {LIST_DE}",
    ),
    ("digital_technology", "digitale_technik", "evidence of the first mark", "Nachweis des ersten Merkmals"),
    ("daseinsvorsorge", "daseinsvorsorge", "evidence of the second mark", "Nachweis des zweiten Merkmals"),
    ("liveable_city", "lebenswerte_stadt", "evidence of the third mark", "Nachweis des dritten Merkmals"),
    ("department", "fachbereich", "an organisation: id or title", "eine Organisation: Kennung oder Titel"),
    ("officer", "beauftragte", "a role holder's id, never a name", "Kennung der Rolle, nie ein Name"),
    (
        "maturity",
        "reifegrad",
        "concept, prototype, pilot or in_operation",
        "Konzept, Prototyp, Pilot oder im Betrieb",
    ),
    ("reference_cities", "referenzstaedte", f"names, {LIST}", f"Namen, {LIST_DE}"),
    ("risk_digital_divide", "risiko_digitale_spaltung", "its assessment", "die Bewertung"),
    ("measure_digital_divide", "massnahme_digitale_spaltung", "what is done", "was getan wird"),
    ("risk_data_protection", "risiko_datenschutz", "its assessment", "die Bewertung"),
    ("measure_data_protection", "massnahme_datenschutz", "what is done", "was getan wird"),
    ("risk_data_security", "risiko_datensicherheit", "its assessment", "die Bewertung"),
    ("measure_data_security", "massnahme_datensicherheit", "what is done", "was getan wird"),
    ("risk_other", "risiko_sonstiges", "its assessment", "die Bewertung"),
    ("measure_other", "massnahme_sonstiges", "what is done", "was getan wird"),
    ("longitude", "laengengrad", "WGS 84, degrees", "WGS 84, Grad"),
    ("latitude", "breitengrad", "WGS 84, degrees", "WGS 84, Grad"),
    ("evaluation", "ergebnis_der_evaluation", "what the evaluation found", "was die Evaluation ergab"),
)
GROUPS = _columns(
    ("goal", "ziel", "a strategic goal: id or title", "ein strategisches Ziel: Kennung oder Titel"),
    ("goal_contribution", "ziel_beitrag", "how the project serves it", "wie das Projekt dazu beiträgt"),
    ("partner", "partner", "an organisation: id or title", "eine Organisation: Kennung oder Titel"),
    ("partner_responsible_for", "partner_verantwortlich_fuer", "its part", "ihr Anteil"),
    ("staffing", "stelle", "a role in the project", "eine Aufgabe im Projekt"),
    ("staffing_full_time_equivalents", "stelle_vollzeitstellen", "for example 0.5", "zum Beispiel 0,5"),
    ("staffing_organisation", "stelle_organisation", "who employs", "wer die Stelle stellt"),
    ("milestone", "meilenstein", "its title", "sein Titel"),
    ("milestone_due", "meilenstein_faellig", "a day: 2027-03-31", "ein Tag: 31.03.2027"),
    ("milestone_reached", "meilenstein_erreicht", "a day, once it is reached", "ein Tag, sobald er erreicht ist"),
    ("criterion", "kriterium", "title of a success criterion", "Titel eines Erfolgskriteriums"),
    ("criterion_id", "kriterium_kennung", "left out, it follows from the title", "sonst aus dem Titel"),
    ("criterion_baseline", "kriterium_ausgangswert", "a number", "eine Zahl"),
    ("criterion_target", "kriterium_zielwert", "a number", "eine Zahl"),
    ("criterion_direction", "kriterium_richtung", "at_least or at_most", "mindestens oder höchstens"),
    ("criterion_unit", "kriterium_einheit", "UCUM, for example kW.h", "UCUM, zum Beispiel kW.h"),
    ("criterion_source", "kriterium_quelle", "where the number comes from", "woher die Zahl kommt"),
)
BUDGET = _columns(
    ("plan", "plan", "whole euros planned", "geplante ganze Euro"),
    ("actual", "ist", "whole euros spent", "ausgegebene ganze Euro"),
)
GROUP_NAMES = {"goal": "ziel", "partner": "partner", "staffing": "stelle", "milestone": "meilenstein"} | {
    "criterion": "kriterium"
}
TOLD = frozenset({"version", "origin", "partner", "round_id", "registered_at", "valid_from", "recorded_at"}) | {
    "plan_eur",
    "actual_eur",
}
"""Columns of an export that an import passes over: the register knows them better."""
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_NUMBERED = re.compile(r"([a-z]+)_([0-9]{1,2})(?:_([a-z_]+))?")
_BUDGET = re.compile(r"(plan|actual|ist)_(2[0-9]{3})_([a-z0-9_]+)")


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file in their order.

    ``keys`` are English names (``milestone_1_due``), empty for what is passed over; ``labels`` how the file spells
    them.
    """

    keys: tuple[str, ...]
    labels: tuple[str, ...]

    def label(self, key: str) -> str:
        """How the file spells a column; its English name where the file does not have it."""
        return self.labels[self.keys.index(key)] if key in self.keys else key


def _plain(said: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", said.strip().lower().translate(_UMLAUTS)).strip("_")


def _known() -> dict[str, str]:
    names = {column.name: column.name for column in PLAIN} | {column.name_de: column.name for column in PLAIN}
    return names | dict.fromkeys(TOLD, "")


def _parts() -> dict[tuple[str, str], str]:
    """From a group's name and part, in either language, to the English pair ``group``/``part``."""
    parts: dict[tuple[str, str], str] = {}
    for column in GROUPS:
        group = column.name.split("_")[0]
        name = column.name.removeprefix(group).strip("_")
        german = column.name_de.removeprefix(GROUP_NAMES[group]).strip("_")
        parts |= {(word, part): f"{group}/{name}" for word in (group, GROUP_NAMES[group]) for part in (name, german)}
    return parts


KNOWN, PARTS = _known(), _parts()


def key_of(said: str) -> str | None:
    """The English name of a column; empty for one that is passed over, None for one that there is not."""
    name = _plain(said)
    if name in KNOWN:
        return KNOWN[name]
    if (money := _BUDGET.fullmatch(name)) and domain.slug(money[3].replace("_", "-")):
        kind = "plan" if money[1] == "plan" else "actual"
        return f"{kind}_{money[2]}_{domain.slug(money[3].replace('_', '-'))}"
    if numbered := _NUMBERED.fullmatch(name):
        pair = PARTS.get((numbered[1], numbered[3] or ""))
        if pair and 1 <= int(numbered[2]) <= MAX_NUMBER:
            group, part = pair.split("/")
            return f"{group}_{int(numbered[2])}" + (f"_{part}" if part else "")
    return None


def read_header(cells: Sequence[str]) -> Header:
    """The first row of a file.

    Raises:
        Refused: a column is not known, or stands there twice.
    """
    labels = [cell.strip() for cell in cells]
    while labels and not labels[-1]:
        labels.pop()
    if len(labels) > MAX_COLUMNS:
        raise Refused(Reason.FIELD_VALUE_INVALID, "row 1", f"A file has {MAX_COLUMNS} columns at most.")
    keys: list[str] = []
    for place, label in enumerate(labels, start=1):
        key = key_of(label)
        if key is None:
            raise Refused(Reason.FIELD_VALUE_INVALID, "row 1", _unknown(place, label))
        if key and key in keys:
            detail = f"The columns {labels[keys.index(key)][:60]!r} and {label[:60]!r} are the same; leave one out."
            raise Refused(Reason.FIELD_VALUE_INVALID, "row 1", detail)
        keys.append(key)
    if not {"title", "project_id"} & set(keys):
        detail = "The column title (titel) is missing; columns are separated by ; or , in the first row."
        raise Refused(Reason.FIELD_MISSING, "row 1", detail)
    return Header(tuple(keys), tuple(labels))


def _unknown(place: int, label: str) -> str:
    said = f"Column {place} has no name" if not label else f"No column is called {label[:60]!r}"
    return f"{said}; GET /projects/import-template.csv has them all."
