"""Mails in plain language, German and English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from notification.domain.people import Locale
from notification.domain.words import amount, decimal, local_time, percent, plain

Occasion = Literal["decision_taken", "kpi_assessed", "gap_escalated"]
Outcome = Literal["selected", "deferred", "rejected"]
Status = Literal["on_track", "off_track"]
LISTED = 100
"""Projects that one list names; a mail is no register."""
NOT_SELECTED = 10
"""Of those that were not selected, how many are named."""
OUTCOMES: Mapping[Locale, Mapping[Outcome, str]] = {
    "de": {"selected": "ausgewählt", "deferred": "zurückgestellt", "rejected": "nicht ausgewählt"},
    "en": {"selected": "selected", "deferred": "deferred", "rejected": "not selected"},
}


@dataclass(frozen=True, slots=True)
class Decided:
    """One project of a decision; ``score`` and ``share`` are exact, ``22/7``.

    ``reason`` says why the board decided otherwise than was computed; empty where it did not.
    """

    rank: int
    title: str
    score: str
    computed: Outcome
    decided: Outcome
    share: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What the board decided, and on how many candidates; those not in ``lines`` are rejected as computed."""

    title: str
    lines: tuple[Decided, ...]
    candidates: int
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Gap:
    """A department that has projects and nobody who answers for them, or has somebody again."""

    organisation: str
    open: bool
    projects: tuple[str, ...]
    since: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class KpiChange:
    """A KPI whose status changed."""

    title: str
    project: str
    status: Status
    previous_status: Status | None
    value: float
    unit: str
    target: float
    direction: Literal["at_least", "at_most"]
    since: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """Subject and text, without the greeting: no person stands in them."""

    subject: str
    body: str


def greeting(locale: Locale, name: str | None) -> str:
    """The first line; put in front when the mail is sent, so that no name is kept with the text."""
    hello = "Guten Tag" if locale == "de" else "Hello"
    return f"{hello} {plain(name)}," if name else f"{hello},"


def decision_letter(decision: Decision, locale: Locale, reference: str) -> Letter:
    """What was selected, deferred and not selected, with rank and score, and where the board departed from that."""
    title, when = plain(decision.title), local_time(decision.decided_at, locale)
    chosen = _chosen(decision, locale)
    others = [*_deferred(decision, locale), *_not_selected(decision, locale), *_overrides(decision, locale)]
    if locale == "de":
        subject, opening = f"Entscheidung: {title}", f"die Auswahl „{title}“ ist entschieden."
        return _letter(subject, opening, chosen, *others, f"Entschieden: {when}.", _footer(locale, reference))
    subject, opening = f"Decision: {title}", f"The selection “{title}” is decided."
    return _letter(subject, opening, chosen, *others, f"Decided: {when}.", _footer(locale, reference))


def _chosen(decision: Decision, locale: Locale) -> str:
    selected = [_ranked(line, locale) for line in decision.lines if line.decided == "selected"]
    if not selected:
        return "Kein Projekt ist ausgewählt." if locale == "de" else "No project is selected."
    of = f"{len(selected)} von {decision.candidates} Projekten"
    head = f"Ausgewählt ({of})" if locale == "de" else f"Selected ({len(selected)} of {decision.candidates} projects)"
    return _listed(head, selected, locale)


def _deferred(decision: Decision, locale: Locale) -> list[str]:
    deferred = [_ranked(line, locale) for line in decision.lines if line.decided == "deferred"]
    head = "Zurückgestellt" if locale == "de" else "Deferred"
    return [_listed(f"{head} ({len(deferred)})", deferred, locale)] if deferred else []


def _not_selected(decision: Decision, locale: Locale) -> list[str]:
    rejected = [_ranked(line, locale) for line in decision.lines if line.decided == "rejected"]
    total = decision.candidates - sum(line.decided != "rejected" for line in decision.lines)
    head = "Nicht ausgewählt" if locale == "de" else "Not selected"
    more = total - len(rejected[:NOT_SELECTED])
    return [_listed(f"{head} ({total})", rejected[:NOT_SELECTED], locale, more)] if rejected else []


def _overrides(decision: Decision, locale: Locale) -> list[str]:
    """Each with its reason (strategy, 4.4: the computed result and the decision stand side by side)."""
    other = [_override(line, locale) for line in decision.lines if line.decided != line.computed]
    head = "Anders entschieden als berechnet" if locale == "de" else "Decided otherwise than computed"
    return [_listed(f"{head} ({len(other)})", other, locale)] if other else []


def _override(line: Decided, locale: Locale) -> str:
    computed, decided = OUTCOMES[locale][line.computed], OUTCOMES[locale][line.decided]
    title, reason = plain(line.title), plain(line.reason)
    if locale == "de":
        return f"- {title}: berechnet „{computed}“, entschieden „{decided}“. Begründung: {reason}"
    return f"- {title}: computed “{computed}”, decided “{decided}”. Reason: {reason}"


def _ranked(line: Decided, locale: Locale) -> str:
    rank, score, to = ("Platz", "Punkte", "gefördert zu") if locale == "de" else ("Rank", "points", "funded at")
    part = f", {to} {percent(line.share, locale)}" if line.decided == "selected" and line.share != "1" else ""
    return f"- {rank} {line.rank}: {plain(line.title)} ({decimal(line.score, locale)} {score}{part})"


def _listed(head: str, lines: Sequence[str], locale: Locale, unlisted: int = 0) -> str:
    """The first of the lines below a head; how many more there are is said, with those that have no line."""
    more = max(len(lines) - LISTED, 0) + unlisted
    rest = [f"… und {more} weitere" if locale == "de" else f"… and {more} more"] if more > 0 else []
    return "\n".join([f"{head}:", "", *lines[:LISTED], *rest])


def gap_letter(gap: Gap, locale: Locale, reference: str) -> Letter:
    """Which department has projects and nobody who answers for them, or that it has somebody again."""
    return _gap_german(gap, reference) if locale == "de" else _gap_english(gap, reference)


def _gap_german(gap: Gap, reference: str) -> Letter:
    name, since = plain(gap.organisation), local_time(gap.since, "de")
    if not gap.open:
        closed = f"die Lücke bei „{name}“ ist geschlossen: Für alle Projekte dort ist wieder jemand zuständig."
        times = f"Offen seit: {since}\nGeschlossen: {local_time(gap.at, 'de')}"
        return _letter(f"Wieder besetzt: {name}", closed, times, _footer("de", reference))
    opening = f"„{name}“ hat Projekte, aber niemanden als Smart-City-Beauftragten und keine Vertretung."
    projects = _listed(f"Projekte ({len(gap.projects)})", [f"- {plain(title)}" for title in gap.projects], "de")
    ask = f"Seit: {since}\nBitte in der Dezernentensitzung klären, wer zuständig ist."
    return _letter(f"Niemand zuständig: {name}", opening, projects, ask, _footer("de", reference))


def _gap_english(gap: Gap, reference: str) -> Letter:
    name, since = plain(gap.organisation), local_time(gap.since, "en")
    if not gap.open:
        closed = f"The gap at “{name}” is closed: somebody answers for all projects there again."
        times = f"Open since: {since}\nClosed: {local_time(gap.at, 'en')}"
        return _letter(f"Filled again: {name}", closed, times, _footer("en", reference))
    opening = f"“{name}” has projects, but no Smart-City officer (Smart-City-Beauftragte) and no stand-in."
    projects = _listed(f"Projects ({len(gap.projects)})", [f"- {plain(title)}" for title in gap.projects], "en")
    ask = f"Since: {since}\nPlease settle in the Dezernentensitzung who is responsible."
    return _letter(f"Nobody responsible: {name}", opening, projects, ask, _footer("en", reference))


def kpi_letter(change: KpiChange, locale: Locale, reference: str) -> Letter:
    """Project, KPI, value and target with the unit, and since when, in plain language."""
    return _kpi_german(change, reference) if locale == "de" else _kpi_english(change, reference)


def _kpi_german(change: KpiChange, reference: str) -> Letter:
    title, project, missed = plain(change.title), plain(change.project), change.status == "off_track"
    bound = "mindestens" if change.direction == "at_least" else "höchstens"
    before = {"on_track": "Ziel erreicht", "off_track": "Ziel verfehlt", None: "noch nicht bewertet"}
    opening = f"die Kennzahl „{title}“ hat ihr Ziel {'verfehlt' if missed else 'erreicht'}."
    facts = (
        f"Projekt: {project}\n"
        f"Wert: {amount(change.value, change.unit, 'de')}\n"
        f"Ziel: {bound} {amount(change.target, change.unit, 'de')}\n"
        f"Seit: {local_time(change.since, 'de')}\n"
        f"Vorher: {before[change.previous_status]}"
    )
    subject = f"Ziel {'verfehlt' if missed else 'erreicht'}: {title}"
    return _letter(subject, opening, facts, _footer("de", reference))


def _kpi_english(change: KpiChange, reference: str) -> Letter:
    title, project, missed = plain(change.title), plain(change.project), change.status == "off_track"
    bound = "at least" if change.direction == "at_least" else "at most"
    before = {"on_track": "target met", "off_track": "target missed", None: "not assessed yet"}
    opening = f"The key figure “{title}” has {'missed' if missed else 'met'} its target."
    facts = (
        f"Project: {project}\n"
        f"Value: {amount(change.value, change.unit, 'en')}\n"
        f"Target: {bound} {amount(change.target, change.unit, 'en')}\n"
        f"Since: {local_time(change.since, 'en')}\n"
        f"Before: {before[change.previous_status]}"
    )
    subject = f"Target {'missed' if missed else 'met'}: {title}"
    return _letter(subject, opening, facts, _footer("en", reference))


def _footer(locale: Locale, reference: str) -> str:
    if locale == "de":
        return f"Diese Nachricht ist automatisch entstanden. Kennung für Rückfragen: {plain(reference)}"
    return f"This message was made automatically. Reference for questions: {plain(reference)}"


def _letter(subject: str, *paragraphs: str) -> Letter:
    return Letter(subject, "\n\n".join(paragraphs) + "\n")
