"""A project as it is shown: a light line in lists, and the whole Projektsteckbrief."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from oker_contracts.project.profile_recorded_v1 import Profile
from project_registry import domain
from project_registry.record import read_profile


@dataclass(frozen=True, slots=True)
class Line:
    """One project in a list."""

    project_id: str
    version: int
    title: str
    state: str
    fields_of_action: list[str]
    goals: list[str]
    department: str | None
    officer: str | None
    partner: str | None
    origin: str
    round_id: str | None
    registered_at: datetime
    valid_from: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Shown(Line):
    """One project with its profile, and why this version was recorded."""

    summary: str
    reason: str
    recorded_by: str | None
    profile: Profile


@dataclass(frozen=True, slots=True)
class Version:
    """One version in the history of a project; ``changed`` names the parts of the profile that differ."""

    version: int
    state: str
    previous_state: str | None
    changed: list[str]
    round_id: str | None
    valid_from: datetime
    recorded_at: datetime
    recorded_by: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence that a gate needs and that is not there."""

    path: str
    sentence_de: str
    sentence_en: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What stands between a project and a state; ``why`` is empty where people may take the step."""

    project_id: str
    state: str
    to: str
    allowed: bool
    why: str
    why_de: str
    missing: list[Evidence]


def line(entry: domain.Entry) -> Line:
    """A project without its content."""
    return Line(**_line(entry))


def shown(entry: domain.Entry) -> Shown:
    """A project with its content."""
    return Shown(
        **_line(entry),
        summary=entry.content.get("summary", ""),
        reason=entry.reason,
        recorded_by=entry.recorded_by,
        profile=read_profile(entry),
    )


def _line(entry: domain.Entry) -> dict[str, Any]:
    same = ("version", "title", "department", "officer", "partner", "round_id", "valid_from", "recorded_at")
    return {
        **{name: getattr(entry, name) for name in same},
        "project_id": entry.id,
        "state": entry.status,
        "fields_of_action": list(entry.fields_of_action),
        "goals": list(entry.goals),
        "origin": entry.origin or "",
        "registered_at": entry.registered_at or entry.recorded_at,
    }


def versions(history: list[domain.Entry]) -> list[Version]:
    """The history of a project, each version held against the one before it."""
    return [_version(entry, before) for before, entry in zip([None, *history], history, strict=False)]


def _version(entry: domain.Entry, before: domain.Entry | None) -> Version:
    same = ("version", "round_id", "valid_from", "recorded_at", "recorded_by", "reason")
    return Version(
        **{name: getattr(entry, name) for name in same},
        state=entry.status,
        previous_state=before.status if before else None,
        changed=domain.changed(before.content if before else {}, entry.content),
    )


def outlook(entry: domain.Entry, to: str, missing: list[domain.Missing]) -> Outlook:
    """Whether a step may be taken, and what it lacks."""
    why_de, why = domain.wrong_step(entry.status, to) or ("", "")
    return Outlook(
        project_id=entry.id,
        state=entry.status,
        to=to,
        allowed=not why and not missing,
        why=why,
        why_de=why_de,
        missing=[Evidence(*evidence) for evidence in missing],
    )
