"""Who holds which role from when until when, and departments that nobody answers for (strategy, 5.1 and 5.2)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from project_registry.domain.proposals import Fault

SINGLE = ("cdo",)
"""Held by one person at a time."""
SINGLE_IN_AN_ORGANISATION = ("officer", "stand_in")
"""Held by one person at a time for each organisation."""
ANSWERING = frozenset({"officer", "stand_in"})
"""Who answers for the projects of a department."""


@dataclass(frozen=True, slots=True)
class Term:
    """A term of office; ``ends`` is the first moment that is not in it any more."""

    term: str
    holder: str
    role: str
    organisations: tuple[str, ...]
    starts: datetime
    ends: datetime | None = None

    def runs(self, at: datetime) -> bool:
        """Whether the holder is in office at this moment."""
        return self.starts <= at and (self.ends is None or at < self.ends)


def read_term(content: Mapping[str, Any]) -> Term:
    """A term from the content of its entry."""
    ends = content.get("ends")
    return Term(
        term=content["term"],
        holder=content["holder"],
        role=content["role"],
        organisations=tuple(content.get("organisations", ())),
        starts=datetime.fromisoformat(content["starts"]),
        ends=datetime.fromisoformat(ends) if ends else None,
    )


def term_faults(term: Term, organisations: Collection[str]) -> list[Fault]:
    """What is wrong with a term by itself.

    Args:
        organisations: those that the register knows.
    """
    faults = []
    if term.ends is not None and term.ends <= term.starts:
        faults.append(Fault("$.ends", "A term ends after it starts."))
    if term.role in ANSWERING and not term.organisations:
        faults.append(Fault("$.organisations", f"Name the organisations that the {term.role} answers for."))
    for index, name in enumerate(term.organisations):
        if name not in organisations:
            sentence = f"The register has no organisation {name!r}. PUT /organisations/{name} adds it."
            faults.append(Fault(f"$.organisations[{index}]", sentence))
    return faults


def misplaced(organisation: str, part_of: str | None, above: Mapping[str, str | None]) -> Fault | None:
    """Why an organisation cannot be part of another: that one is unknown, or part of this one itself.

    Args:
        above: what each organisation of the register is part of.
    """
    if part_of is None:
        return None
    if part_of != organisation and part_of not in above:
        return Fault(
            "$.part_of", f"The register has no organisation {part_of!r}. PUT /organisations/{part_of} adds it."
        )
    seen: set[str] = set()
    place: str | None = part_of
    while place is not None and place not in seen:
        if place == organisation:
            return Fault("$.part_of", "An organisation cannot be part of itself, nor of one of its own parts.")
        seen.add(place)
        place = above.get(place)
    return None


def overlap(new: Term, others: Iterable[Term]) -> Term | None:
    """A term of another name that cannot run beside the new one: two CDOs, two officers of one department."""
    return next((other for other in others if other.term != new.term and _excludes(new, other)), None)


def _excludes(new: Term, other: Term) -> bool:
    if new.role != other.role or not _meet(new, other):
        return False
    return new.role in SINGLE or (
        new.role in SINGLE_IN_AN_ORGANISATION and not set(new.organisations).isdisjoint(other.organisations)
    )


def _meet(a: Term, b: Term) -> bool:
    """Whether two half-open times have a moment in common."""
    return (a.ends is None or b.starts < a.ends) and (b.ends is None or a.starts < b.ends)


def answering(terms: Iterable[Term], organisation: str, at: datetime) -> frozenset[str]:
    """The officers and stand-ins of an organisation whose term runs."""
    return frozenset(
        term.holder for term in terms if term.role in ANSWERING and organisation in term.organisations and term.runs(at)
    )


def answers_for(
    holder: str, department: str | None, officer: str | None, terms: Collection[Term], at: datetime
) -> bool:
    """Whether a holder answers for a project: who has a running term of office in its department.

    Where the project has no department yet, or no term of office of anybody is known, it is the officer whom the
    project names. A named officer whose term has ended answers for it no more.
    """
    if department is None or not any(term.role in ANSWERING for term in terms):
        return officer == holder
    return holder in answering(terms, department, at)


@dataclass(frozen=True, slots=True)
class Gap:
    """A department with projects and without an officer or stand-in, since when and until when."""

    organisation: str
    state: str
    since: datetime
    recorded_at: datetime
    projects: tuple[str, ...] = ()


def gap_changes(
    departments: Mapping[str, Collection[str]],
    known: Iterable[Gap],
    terms: Collection[Term],
    active: Collection[str],
    now: datetime,
) -> list[Gap]:
    """The gaps that open or close now. Nobody answers for a department that is dissolved, whatever terms say.

    Args:
        departments: every department that is looked at, with the projects it must answer for.
        known: the gaps so far, of these departments.
        terms: all terms of office.
        active: the organisations that are not dissolved.

    Returns:
        Nothing for a gap that was open and still is, so that it is escalated once.
    """
    opened = {gap.organisation: gap for gap in known if gap.state == "open"}
    changes = []
    for department, projects in sorted(departments.items()):
        gapes = bool(projects) and not (department in active and answering(terms, department, now))
        before = opened.get(department)
        if gapes and before is None:
            changes.append(Gap(department, "open", now, now, tuple(sorted(projects)[:100])))
        elif not gapes and before is not None:
            changes.append(Gap(department, "closed", before.since, now))
    return changes
