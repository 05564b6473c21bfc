"""What becomes of each row: held against the contract, the register and the gates, as over HTTP."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import ValidationError

from oker_contracts.project.profile_recorded_v1 import Profile
from project_registry import domain
from project_registry.importing.cells import Names, Reading, choice, name_key, read_row
from project_registry.importing.columns import Header
from project_registry.importing.sheets import Fault, Row

Outcome = Literal["created", "changed", "unchanged", "refused"]
STATES = {"idea": "idea", "idee": "idea", "proposed": "proposed", "vorgeschlagen": "proposed"}
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
LONGEST = 120
"""Characters of a title in a result."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the rows of a file are held against.

    Args:
        projects: the projects that count now, by id.
        proposed: ids of proposals that wait.
        facts: what gates ask beyond a profile, by department.
    """

    projects: Mapping[str, domain.Entry]
    proposed: frozenset[str]
    names: Names
    facts: Callable[[str | None], domain.Facts]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one row, and every fault that was found in it."""

    row: int
    project_id: str
    title: str
    outcome: Outcome
    faults: tuple[Fault, ...] = ()
    note: str = ""
    note_de: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """A right row: the project as it shall be. ``before`` is None for a new one."""

    row: int
    project_id: str
    before: domain.Entry | None
    profile: Profile
    state: str


def project_id_of(row: Row) -> str:
    """The id that a row is about: named, or following from its title."""
    return str(row.cells.get("project_id") or domain.slug(str(row.cells.get("title", ""))))


def judge(header: Header, rows: Iterable[Row], known: Known) -> tuple[list[Result], list[Planned]]:
    """Hold rows against the register.

    Returns:
        What becomes of each row, and the projects that are new or change.
    """
    results, plans = [], []
    seen: dict[str, int] = {}
    for row in rows:
        id = project_id_of(row)
        result, plan = _judge(Reading(row, header, known.names, {}), id, known, seen.get(id))
        seen.setdefault(id, row.number)
        results.append(result)
        if plan is not None:
            plans.append(plan)
    return results, plans


def _judge(reading: Reading, id: str, known: Known, first: int | None) -> tuple[Result, Planned | None]:
    row, before = reading.row, known.projects.get(id)
    title = str(row.cells.get("title") or (before.title if before else ""))[:LONGEST]
    faults = [*row.faults, *_identity(reading, id, before, known, first)]
    if faults:
        return Result(row.number, id[:63], title, "refused", tuple(faults)), None
    reading.before = before.content if before else {}
    read_row(reading)
    state = _state(reading, before)
    profile = None if reading.faults else _checked(reading, state, before, known)
    if profile is None or reading.faults:
        return Result(row.number, id, title, "refused", tuple(reading.faults)), None
    if before is not None and profile.model_dump(mode="json", exclude_defaults=True) == before.content:
        return Result(row.number, id, title, "unchanged", (), *_note(reading, before)), None
    plan = Planned(row.number, id, before, profile, state)
    outcome: Outcome = "changed" if before else "created"
    return Result(row.number, id, title, outcome, (), *(_note(reading, before) if before else ())), plan


def _identity(
    reading: Reading, id: str, before: domain.Entry | None, known: Known, first: int | None
) -> Iterable[Fault]:
    """Whether a row says which project it is about."""
    named = "project_id" in reading.row.cells
    label = reading.header.label("project_id" if named else "title")
    if not id or domain.slug(id) != id:
        way = "an id has small letters of ASCII, digits and single hyphens, 63 at most"
        way_de = "eine Kennung hat kleine ASCII-Buchstaben, Ziffern und einzelne Bindestriche, höchstens 63"
        said = ("This is no id", "Das ist keine Kennung") if named else ("No id follows", "Daraus folgt keine Kennung")
        yield Fault(
            label, f"{said[0]}; {way}. Name one in project_id.", f"{said[1]}; {way_de}. Spalte projekt_id füllen."
        )
    elif first is not None:
        sentence = f"Row {first} is about the project {id} already; leave one out, or name another project_id."
        yield Fault(label, sentence, f"Zeile {first} nennt das Projekt {id} schon; eine Zeile weglassen.")
    elif id in known.proposed:
        sentence = f"A proposal of a company waits under the id {id}; accept it: POST /proposals/{id}/acceptance."
        yield Fault(label, sentence, f"Unter {id} wartet ein Vorschlag; erst annehmen, oder andere projekt_id wählen.")
    elif before is not None and not named and name_key(before.title) != name_key(str(reading.row.cells["title"])):
        sentence = f"The register knows {id} as {before.title[:LONGEST]!r}; name it in project_id to change it."
        sentence_de = f"Das Register kennt {id} als „{before.title[:LONGEST]}“; Spalte projekt_id füllen."
        yield Fault(label, sentence, sentence_de)


def _state(reading: Reading, before: domain.Entry | None) -> str:
    """The state of a new project; a known one keeps its own."""
    if before is not None:
        return before.status
    return str(reading.get("state", choice(STATES)) or "proposed")


def _note(reading: Reading, before: domain.Entry) -> tuple[str, str]:
    """What is said of a state that the file names for a project that has another one."""
    said = str(reading.row.cells.get("state", before.status)).strip().casefold()
    if STATES.get(said, said) == before.status:
        return "", ""
    way = f"POST /projects/{before.id}/steps"
    return (
        f"The state stays {before.status}; steps are taken by {way}.",
        f"Der Stand bleibt {before.status}; Schritte gehen über {way}.",
    )


def _checked(reading: Reading, state: str, before: domain.Entry | None, known: Known) -> Profile | None:
    """The profile, held against the contract, the references and the gates; faults are kept in the reading."""
    try:
        profile = Profile.model_validate_json(json.dumps(reading.profile))
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False)[:20]:
            path = ".".join(map(str, fault["loc"]))
            reading.faults.append(Fault(reading.column(path), fault["msg"][:200], _german(fault)))
        return None
    after = profile.model_dump(mode="json", exclude_defaults=True)
    for double in domain.doubled(after):
        sentence_de = "Das steht hier zweimal; eine Angabe weglassen."
        reading.faults.append(Fault(reading.column(double.path), double.sentence, sentence_de))
    facts = known.facts(after.get("department"))
    missing = (
        domain.missing(after, state, facts)
        if before is None
        else domain.taken_away(before.status, before.content, after, known.facts(before.department), facts)
    )
    reading.faults += [Fault(reading.column(lack.path), lack.sentence_en, lack.sentence_de) for lack in missing]
    return profile


def _german(fault: Any) -> str:
    """What the contract says, in German."""
    context = fault.get("ctx") or {}
    match fault["type"]:
        case "string_too_long":
            return f"Höchstens {context['max_length']} Zeichen."
        case "string_too_short" | "missing":
            return "Die Angabe fehlt."
        case "string_pattern_mismatch":
            return f"Zeichen, die hier nicht stehen dürfen; erlaubt ist {context['pattern']}"
        case "greater_than_equal":
            return f"Mindestens {context['ge']:g}."
        case "less_than_equal":
            return f"Höchstens {context['le']:g}."
        case "too_long":
            return f"Höchstens {context['max_length']} Angaben."
    return "Die Angabe passt nicht."


def told(result: Result) -> dict[str, Any]:
    """A result as JSON; what is empty is left out."""
    return {name: said for name, said in asdict(result).items() if said not in ("", (), [])}
