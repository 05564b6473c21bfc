"""Who is told what, in which words, and when a mail is tried again: pure functions over plain values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Literal
from zoneinfo import ZoneInfo

Locale = Literal["de", "en"]
Role = Literal["cdo", "unit", "board", "officer"]
Occasion = Literal["decision_taken", "kpi_assessed"]
MailState = Literal["queued", "sent", "failed", "recipient_erased"]
Status = Literal["on_track", "off_track"]

BERLIN = ZoneInfo("Europe/Berlin")
LONGEST_PAUSE = timedelta(minutes=15)
GIVE_UP_AFTER = timedelta(days=5)
"""How long a mail is tried (RFC 5321, 4.5.4.1)."""
NOT_ABOUT_THE_MAIL = frozenset({530, 534, 535, 538})
"""Replies about our own login (RFC 4954): people mend the settings, the mail waits."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A role holder who can be told; the address is not known here."""

    holder: str
    roles: frozenset[str]
    locale: Locale


@dataclass(frozen=True, slots=True)
class Addressee:
    """One who is told, and the role that is the reason."""

    holder: str
    role: Role
    locale: Locale


def for_decision(recipients: Iterable[Recipient]) -> list[Addressee]:
    """The CDO and the board, each once."""
    return _by_role(recipients, ("cdo", "board"))


def for_kpi(recipients: Sequence[Recipient], officer: str | None) -> list[Addressee]:
    """The CDO and the officer of the project, each once.

    Where the officer is not known, or has left no address, the unit stands in.
    """
    named = [Addressee(r.holder, "officer", r.locale) for r in recipients if r.holder == officer]
    chosen = _by_role(recipients, ("cdo",) if named else ("cdo", "unit"))
    told = {addressee.holder for addressee in chosen}
    return chosen + [addressee for addressee in named if addressee.holder not in told]


def _by_role(recipients: Iterable[Recipient], roles: Sequence[Role]) -> list[Addressee]:
    """Everyone who holds one of the roles; the first of them that fits is the reason."""
    chosen = []
    for recipient in recipients:
        held = [role for role in roles if role in recipient.roles]
        if held:
            chosen.append(Addressee(recipient.holder, held[0], recipient.locale))
    return chosen


@dataclass(frozen=True, slots=True)
class Ranked:
    """One line of a ranking; ``score`` is exact, ``22/7``."""

    rank: int
    title: str
    score: str
    selected: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What the board decided."""

    title: str
    ranking: tuple[Ranked, ...]
    decided_at: datetime


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
    """The selected projects with rank and score, in plain language."""
    title, when = plain(decision.title), local_time(decision.decided_at, locale)
    selected = [_ranked_line(line, locale) for line in decision.ranking if line.selected]
    lines, count, of = "\n".join(selected), len(selected), len(decision.ranking)
    if locale == "de":
        subject, opening = f"Entscheidung: {title}", f"die Auswahl „{title}“ ist entschieden."
        chosen = f"Ausgewählt ({count} von {of} Projekten):\n\n{lines}" if selected else "Kein Projekt ist ausgewählt."
        return _letter(subject, opening, chosen, f"Entschieden: {when}.", _footer(locale, reference))
    subject, opening = f"Decision: {title}", f"The selection “{title}” is decided."
    chosen = f"Selected ({count} of {of} projects):\n\n{lines}" if selected else "No project is selected."
    return _letter(subject, opening, chosen, f"Decided: {when}.", _footer(locale, reference))


def _ranked_line(line: Ranked, locale: Locale) -> str:
    rank, score = ("Platz", "Punkte") if locale == "de" else ("Rank", "points")
    return f"- {rank} {line.rank}: {plain(line.title)} ({decimal(line.score, locale)} {score})"


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


def plain(text: str) -> str:
    """One line without control and direction characters, whatever a title holds.

    An encoded word (RFC 2047) is broken up: it could hide a line break, which Python before 3.11.10 writes out
    as it is (CVE-2024-6923), and so add a header.
    """
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line.replace("=?", "= ?")


_GERMAN = str.maketrans(",.", ".,")
_UNITS = {
    **{"Cel": "°C", "m2": "m²", "m3": "m³", "ug/m3": "µg/m³"},
    **{"W.h": "Wh", "kW.h": "kWh", "MW.h": "MWh", "1": ""},
}
"""How people write some UCUM units; others are shown as they are."""


def amount(value: float, unit: str, locale: Locale) -> str:
    """A number with its unit: ``1.234,5 kWh``; of a UCUM annotation ``{visitors}`` the word remains."""
    number = f"{value + 0.0:,.10g}"
    shown = number.translate(_GERMAN) if locale == "de" else number
    return f"{shown} {_UNITS.get(unit, unit.replace('{', '').replace('}', ''))}".rstrip()


def decimal(score: str, locale: Locale) -> str:
    """An exact score, rounded to two digits."""
    number = f"{float(round(Fraction(score), 2)):.2f}"
    return number.translate(_GERMAN) if locale == "de" else number


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def local_time(moment: datetime, locale: Locale) -> str:
    """Civil time in Europe/Berlin; the zone is named, since one hour of the year comes twice."""
    local = moment.astimezone(BERLIN)
    summer = bool(local.dst())
    if locale == "de":
        return f"{local:%d.%m.%Y}, {local:%H:%M} Uhr {'MESZ' if summer else 'MEZ'}"
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}, {local:%H:%M} {'CEST' if summer else 'CET'}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a mail server said: its code, ``None`` if it said nothing; and whether to the mail or to us."""

    code: int | None
    to_the_mail: bool = True


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a mail has come."""

    state: MailState
    attempts: int
    next_attempt_at: datetime
    code: int | None


def after(reply: Reply, attempts: int, queued_at: datetime, now: datetime) -> Progress:
    """How a mail goes on: sent, failed for good, or tried again after a growing pause.

    Args:
        reply: what the server said.
        attempts: this one included.
        queued_at: five days later it is given up.
        now: the moment of this attempt.
    """
    code = reply.code
    if code is not None and reply.to_the_mail and 200 <= code < 300:
        return Progress("sent", attempts, now, code)
    if _is_final(reply) or now - queued_at >= GIVE_UP_AFTER:
        return Progress("failed", attempts, now, code)
    return Progress("queued", attempts, now + pause(attempts), code)


def _is_final(reply: Reply) -> bool:
    code = reply.code or 0
    return reply.to_the_mail and 500 <= code < 600 and code not in NOT_ABOUT_THE_MAIL


def pause(attempts: int) -> timedelta:
    """1, 2, 4 … seconds, at most 15 minutes."""
    return min(timedelta(seconds=2 ** min(attempts - 1, 20)), LONGEST_PAUSE)
