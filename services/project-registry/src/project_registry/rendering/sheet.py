"""A Projektsteckbrief as a document: headings, facts, paragraphs and tables, in one language, for every format."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from project_registry import domain
from project_registry.rendering.words import Language, day, euros, moment, number, word

UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Signs that neither HTML nor PDF can show."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One text; ``said`` by people, so in German whatever the language of the document."""

    text: str
    said: bool = False
    number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below a header; the first cell of a row is its header."""

    columns: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with paragraphs or a table; with neither, nothing was said of it yet."""

    id: str
    title: str
    paragraphs: tuple[str, ...] = ()
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """The whole document."""

    language: Language
    title: str
    kind: str
    city: str
    overview: str
    facts: tuple[tuple[str, tuple[Cell, ...]], ...]
    sections: tuple[Section, ...]
    nothing: str
    foot: str


@dataclass(frozen=True, slots=True)
class Titles:
    """Titles of fields of action, strategic goals and organisations, by id."""

    fields: Mapping[str, str]
    goals: Mapping[str, str]
    organisations: Mapping[str, str]


def clean(said: str) -> str:
    """Text without the signs that cannot be shown."""
    return UNSHOWN.sub("\ufffd", said.replace("\r\n", "\n").replace("\r", "\n"))


def sheet(entry: domain.Entry, titles: Titles, language: Language) -> Sheet:
    """The document of one version of a project."""
    writing = _Writing(entry, titles, language)
    since, known = moment(entry.valid_from, language), moment(entry.recorded_at, language)
    foot = f"{entry.id} · {writing.word('version')} {entry.version}, {writing.word('valid_from')} {since}, "
    return Sheet(
        language=language,
        title=clean(entry.title),
        kind=writing.word("profile"),
        city=writing.word("city"),
        overview=writing.word("overview"),
        facts=tuple(writing.facts()),
        sections=tuple(writing.sections()),
        nothing=writing.word("nothing"),
        foot=f"{foot}{writing.word('recorded_at')} {known}",
    )


@dataclass(frozen=True, slots=True)
class _Writing:
    entry: domain.Entry
    titles: Titles
    language: Language

    def word(self, name: str) -> str:
        return word(name, self.language)

    def facts(self) -> Iterable[tuple[str, tuple[Cell, ...]]]:
        entry, said = self.entry, self.entry.content
        yield self.word("state"), (Cell(self.word(entry.status)),)
        if fields := said.get("fields_of_action"):
            yield self.word("fields_of_action"), tuple(_said(self.titles.fields.get(id, id)) for id in fields)
        if entry.department:
            yield self.word("department"), (self.organisation(entry.department),)
        if entry.officer:
            yield self.word("officer"), (Cell(entry.officer),)
        yield self.word("origin"), (Cell(self.word(f"from_{entry.origin}")),)
        if entry.partner:
            yield self.word("company"), (Cell(entry.partner),)
        if said.get("maturity"):
            yield self.word("maturity"), (Cell(self.word(said["maturity"])),)
        if cities := said.get("reference_cities"):
            yield self.word("reference_cities"), tuple(_said(city) for city in cities)
        if place := said.get("location"):
            longitude, latitude = place["coordinates"][:2]
            spoken = f"{number(latitude, self.language)}; {number(longitude, self.language)}"
            yield self.word("location"), (Cell(spoken),)

    def sections(self) -> Iterable[Section]:
        said = self.entry.content
        yield self.text("summary", said.get("summary", ""))
        yield self.table("goals", ("goal", "contribution"), map(self._goal, said.get("goals", ())))
        yield self.table("marks", ("mark", "evidence"), self._marks(said.get("marks", {})))
        partners = (
            (self.organisation(row["organisation"]), _said(row["responsible_for"])) for row in said.get("partners", ())
        )
        yield self.table("partners", ("organisation", "responsible_for"), partners)
        staffing = ("role", "full_time_equivalents#", "organisation")
        yield self.table("staffing", staffing, map(self._staffing, said.get("staffing", ())))
        yield self.table("budget", ("line", "year#", "plan#", "actual#"), self._budget(said.get("budget", ())))
        milestones = sorted(said.get("milestones", ()), key=lambda row: str(row["due"]))
        yield self.table("milestones", ("milestone", "due", "reached"), map(self._milestone, milestones))
        yield self.table("risks", ("risk", "assessment", "measure"), map(self._risk, said.get("risks", ())))
        criteria = ("criterion", "baseline#", "target#", "source")
        yield self.table("success_criteria", criteria, map(self._criterion, said.get("success_criteria", ())))
        if said.get("evaluation"):
            yield self.text("evaluation", said["evaluation"])

    def text(self, name: str, said: str) -> Section:
        paragraphs = [part.strip() for part in re.split(r"\n\s*\n", clean(said))]
        return Section(name, self.word(name), tuple(part for part in paragraphs if part))

    def table(self, name: str, columns: tuple[str, ...], rows: Iterable[tuple[Cell, ...]]) -> Section:
        """A section with a table; a column whose name ends with # holds numbers."""
        found = tuple(rows)
        heads = tuple(Cell(self.word(column.rstrip("#")), number=column.endswith("#")) for column in columns)
        return Section(name, self.word(name), table=Table(heads, found) if found else None)

    def organisation(self, id: str) -> Cell:
        return _said(self.titles.organisations.get(id, id))

    def _goal(self, row: Any) -> tuple[Cell, ...]:
        return _said(self.titles.goals.get(row["goal"], row["goal"])), _said(row["contribution"])

    def _marks(self, marks: Mapping[str, str]) -> Iterable[tuple[Cell, ...]]:
        for name in ("digital_technology", "daseinsvorsorge", "liveable_city"):
            if marks.get(name):
                yield Cell(self.word(name)), _said(marks[name])

    def _staffing(self, row: Any) -> tuple[Cell, ...]:
        share = Cell(number(row["full_time_equivalents"], self.language), number=True)
        return (
            _said(row["role"]),
            share,
            self.organisation(row["organisation"]) if row.get("organisation") else Cell("–"),
        )

    def _budget(self, rows: Iterable[Any]) -> Iterable[tuple[Cell, ...]]:
        ordered = sorted(rows, key=lambda row: (row["year"], row["line"]))
        for row in ordered:
            yield (
                Cell(row["line"]),
                Cell(str(row["year"]), number=True),
                self._euros(row["plan_eur"]),
                self._euros(row.get("actual_eur")),
            )
        if len(ordered) > 1:
            actual = [row["actual_eur"] for row in ordered if row.get("actual_eur") is not None]
            plan = self._euros(sum(row["plan_eur"] for row in ordered))
            yield Cell(self.word("sum")), Cell("", number=True), plan, self._euros(sum(actual) if actual else None)

    def _euros(self, amount: int | None) -> Cell:
        return Cell("–" if amount is None else euros(amount, self.language), number=True)

    def _milestone(self, row: Any) -> tuple[Cell, ...]:
        reached = day(row["reached"], self.language) if row.get("reached") else self.word("open")
        return _said(row["title"]), Cell(day(row["due"], self.language)), Cell(reached)

    def _risk(self, row: Any) -> tuple[Cell, ...]:
        return Cell(self.word(row["risk"])), _said(row["assessment"]), _said(row.get("measure") or "–")

    def _criterion(self, row: Any) -> tuple[Cell, ...]:
        unit = "" if row["unit"] == "1" else f"\u00a0{row['unit']}"
        before = row.get("baseline")
        baseline = "–" if before is None else f"{number(before, self.language)}{unit}"
        target = f"{self.word(row['direction'])} {number(row['target'], self.language)}{unit}"
        return _said(row["title"]), Cell(baseline, number=True), Cell(target, number=True), _said(row["source"])


def _said(text: str) -> Cell:
    return Cell(clean(text), said=True)
