"""The life of a project, step by step, and the evidence that each gate needs (strategy, 4.4, 5.2 and 6)."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from project_registry.domain.organisation import ANSWERING, Term, answering

State = Literal[
    "idea",
    "proposed",
    "eligible",
    "in_selection",
    "selected",
    "deferred",
    "rejected",
    "in_implementation",
    "completed",
    "stopped",
    "evaluated",
]
Profile = Mapping[str, Any]
"""A Projektsteckbrief as JSON; what is left out is empty."""

ASSESSED_RISKS = ("digital_divide", "data_protection", "data_security")
LIVING = frozenset({"proposed", "eligible", "in_selection", "selected", "deferred", "in_implementation"})
"""Somebody has to answer for a project in one of these states."""


class Missing(NamedTuple):
    """Evidence that a gate needs and that is not there: where in the profile, in German and in English."""

    path: str
    sentence_de: str
    sentence_en: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a gate asks beyond the profile.

    ``in_term`` has the Smart-City-Beauftragte and stand-ins of the project's department whose term runs; nothing is
    asked of it while no term of office of anybody is known (``terms_known``). ``today`` is the day in Europe/Berlin,
    ``dissolved`` whether the department does not exist any more.
    """

    today: date
    terms_known: bool = False
    in_term: frozenset[str] = frozenset()
    dissolved: bool = False


def facts_of(
    department: str | None, at: datetime, today: date, terms: Collection[Term], active: Collection[str]
) -> Facts:
    """What gates ask of a project of this department.

    Args:
        at: the moment at which the step is taken.
        today: its day in Europe/Berlin.
        terms: all terms of office.
        active: the organisations that exist at that moment.
    """
    known = any(term.role in ANSWERING for term in terms)
    if department is None:
        return Facts(today, known)
    return Facts(today, known, answering(terms, department, at), department not in active)


Gate = Callable[[Profile, Facts], Iterator[Missing]]


def _proposed(profile: Profile, facts: Facts) -> Iterator[Missing]:
    if not str(profile.get("summary", "")).strip():
        yield Missing("$.summary", "Die Kurzbeschreibung fehlt.", "The summary is missing.")
    if not profile.get("fields_of_action"):
        yield Missing("$.fields_of_action", "Kein Handlungsfeld ist genannt.", "No field of action is named.")


def _eligible(profile: Profile, facts: Facts) -> Iterator[Missing]:
    yield from _marks(profile)
    if not any(str(goal.get("contribution", "")).strip() for goal in profile.get("goals", ())):
        yield Missing(
            "$.goals",
            "Zu keinem strategischen Ziel ist ein Beitrag beschrieben.",
            "No contribution to a strategic goal is described.",
        )
    yield from _responsible(profile, facts)
    yield from _budget(profile)
    yield from _risks(profile)
    if not profile.get("success_criteria"):
        yield Missing("$.success_criteria", "Kein Erfolgskriterium ist genannt.", "No success criterion is named.")


def _marks(profile: Profile) -> Iterator[Missing]:
    names = {
        "digital_technology": ("nutzt digitale Technik", "uses digital technology"),
        "daseinsvorsorge": ("dient der Daseinsvorsorge", "serves the Daseinsvorsorge"),
        "liveable_city": ("zielt auf eine nachhaltige, lebenswerte Stadt", "aims at a sustainable and liveable city"),
    }
    for mark, (de, en) in names.items():
        if not str(profile.get("marks", {}).get(mark, "")).strip():
            yield Missing(f"$.marks.{mark}", f"Der Nachweis fehlt: {de}.", f"The evidence is missing: {en}.")


def _responsible(profile: Profile, facts: Facts) -> Iterator[Missing]:
    if not profile.get("department"):
        yield Missing("$.department", "Der zuständige Fachbereich fehlt.", "The responsible department is missing.")
    elif facts.dissolved:
        yield Missing("$.department", "Der Fachbereich ist aufgelöst.", "The department is dissolved.")
    officer = profile.get("officer")
    if not officer:
        yield Missing(
            "$.officer",
            "Die oder der Smart-City-Beauftragte fehlt.",
            "The responsible Smart-City-Beauftragte is missing.",
        )
    elif profile.get("department") and facts.terms_known and officer not in facts.in_term:
        yield Missing(
            "$.officer",
            "Die genannte Person ist derzeit weder Smart-City-Beauftragte noch Vertretung des Fachbereichs.",
            "The named holder is at present neither Smart-City-Beauftragte nor stand-in of the department.",
        )


def _budget(profile: Profile) -> Iterator[Missing]:
    if not profile.get("budget"):
        yield Missing("$.budget", "Für kein Jahr ist ein Budget geplant.", "No budget is planned for any year.")


def _risks(profile: Profile) -> Iterator[Missing]:
    names = {
        "digital_divide": ("digitale Spaltung", "digital divide"),
        "data_protection": ("Datenschutz", "data protection"),
        "data_security": ("Datensicherheit", "data security"),
    }
    assessed = {risk["risk"] for risk in profile.get("risks", ()) if str(risk.get("assessment", "")).strip()}
    for risk in ASSESSED_RISKS:
        if risk not in assessed:
            de, en = names[risk]
            yield Missing("$.risks", f"Nicht bewertet ist das Risiko: {de}.", f"Not assessed is the risk: {en}.")


def _in_implementation(profile: Profile, facts: Facts) -> Iterator[Missing]:
    if not profile.get("staffing"):
        yield Missing("$.staffing", "Die Stellen sind nicht geplant.", "No staffing is planned.")
    yield from _responsible(profile, facts)
    if not profile.get("milestones"):
        yield Missing("$.milestones", "Kein Meilenstein ist genannt.", "No milestone is named.")
    yield from _budget(profile)


def _completed(profile: Profile, facts: Facts) -> Iterator[Missing]:
    for index, milestone in enumerate(profile.get("milestones", ())):
        if not milestone.get("reached"):
            name = milestone["title"]
            yield Missing(
                f"$.milestones[{index}].reached",
                f"Der Meilenstein „{name}“ ist nicht erreicht.",
                f"The milestone “{name}” is not reached.",
            )
    for index, year in enumerate(profile.get("budget", ())):
        if year.get("actual_eur") is None and year["year"] <= facts.today.year:
            where = f"{year['year']}, {year['line']}"
            yield Missing(
                f"$.budget[{index}].actual_eur",
                f"Die Ist-Kosten fehlen ({where}).",
                f"The actual cost is missing ({where}).",
            )


def _evaluated(profile: Profile, facts: Facts) -> Iterator[Missing]:
    if not str(profile.get("evaluation", "")).strip():
        yield Missing("$.evaluation", "Das Ergebnis der Evaluation fehlt.", "The result of the evaluation is missing.")


GATES: dict[str, tuple[Gate, ...]] = {
    "proposed": (_proposed,),
    "eligible": (_proposed, _eligible),
    "in_implementation": (_in_implementation,),
    "completed": (_completed,),
    "evaluated": (_evaluated,),
}
"""The evidence that must be there to come into a state; the others need none."""

STEPS: dict[str, tuple[str, ...]] = {
    "idea": ("proposed", "stopped"),
    "proposed": ("eligible", "stopped"),
    "eligible": ("stopped",),
    "in_selection": (),
    "selected": ("in_implementation", "stopped"),
    "deferred": ("eligible", "stopped"),
    "rejected": ("proposed",),
    "in_implementation": ("completed", "stopped"),
    "completed": ("evaluated",),
    "stopped": ("evaluated",),
    "evaluated": (),
}
"""What people may do with a project in each state."""

ROUND_STEPS: dict[str, tuple[str, ...]] = {
    "eligible": ("in_selection",),
    "in_selection": ("selected", "deferred", "rejected", "eligible"),
}
"""What follows from a round of selection, and from nothing else."""

KEPT: dict[str, tuple[str, ...]] = {
    "proposed": ("proposed",),
    "eligible": ("eligible",),
    "in_selection": ("eligible",),
    "selected": ("eligible",),
    "deferred": ("eligible",),
    "in_implementation": ("eligible", "in_implementation"),
    "completed": ("eligible", "in_implementation", "completed"),
    "evaluated": ("eligible", "in_implementation", "completed", "evaluated"),
}
"""The gates behind a project in each state: a change of its profile must not take their evidence away."""


def missing(profile: Profile, step: str, facts: Facts) -> list[Missing]:
    """The evidence that is missing for a step into the state ``step``; each thing once."""
    found = [fault for gate in GATES.get(step, ()) for fault in gate(profile, facts)]
    return list(dict.fromkeys(found))


def taken_away(state: str, before: Profile, after: Profile, facts_before: Facts, facts: Facts) -> list[Missing]:
    """The evidence that ``before`` had, that ``after`` does not have, and that a gate behind the project needed.

    Args:
        facts_before: those of the department of ``before``, which may be another one than that of ``after``.
    """
    lacked = {fault for step in KEPT.get(state, ()) for fault in missing(before, step, facts_before)}
    lacks = [fault for step in KEPT.get(state, ()) for fault in missing(after, step, facts)]
    return [fault for fault in dict.fromkeys(lacks) if fault not in lacked]


def wrong_step(state: str, to: str) -> tuple[str, str] | None:
    """Why people cannot bring a project from ``state`` to ``to``, in German and in English; None: they can."""
    if to in STEPS[state]:
        return None
    if to in ROUND_STEPS.get(state, ()):
        return (
            f"Von {state} nach {to} führt nur eine Auswahlrunde.",
            f"Only a round of selection leads from {state} to {to}.",
        )
    ways = ", ".join((*STEPS[state], *ROUND_STEPS.get(state, ())))
    if not ways:
        return (f"{state} ist das Ende.", f"{state} is the end.")
    return (f"Von {state} geht es nach: {ways}; nicht nach {to}.", f"{state} leads to: {ways}; not to {to}.")


def decided(state: str, to: str) -> bool:
    """Whether a round may bring a project from ``state`` to ``to``."""
    return to in ROUND_STEPS.get(state, ())
