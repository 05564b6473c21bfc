"""Fields of action, strategic goals, projects and proposals (strategy, 4.2 to 4.4)."""

import tomllib
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

LONGEST_ID = 63
DIGEST = 8

Group = Literal["ambition", "role", "orientation"]
Origin = Literal["catalogue", "proposal"]


@dataclass(frozen=True, slots=True)
class FieldOfAction:
    """One Handlungsfeld."""

    field: str
    title: str


@dataclass(frozen=True, slots=True)
class StrategicGoal:
    """One strategic goal in its group: Anspruch (ambition), Rolle (role) or Ausrichtung (orientation)."""

    goal: str
    title: str
    group: Group


@dataclass(frozen=True, slots=True)
class Project:
    """One project of the register."""

    project_id: str
    title: str
    summary: str
    fields_of_action: tuple[str, ...]
    goals: tuple[str, ...]
    origin: Origin
    registered_at: datetime
    partner: str | None = None
    officer: str | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a company proposed; ``name`` is the company's own name of it."""

    project_id: str
    partner: str
    name: str
    title: str
    summary: str
    fields_of_action: tuple[str, ...]
    goals: tuple[str, ...]
    received_at: datetime
    accepted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The catalogue of one edition of the strategy."""

    catalogue: str
    fields_of_action: tuple[FieldOfAction, ...]
    goals: tuple[StrategicGoal, ...]
    projects: tuple[Project, ...]

    @property
    def assignments(self) -> int:
        """How many lines table 3 has: a project counts once for each of its fields."""
        return sum(len(project.fields_of_action) for project in self.projects)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a proposal cannot be accepted as it stands, and where in the message."""

    path: str
    sentence: str


def read_catalogue(text: str, now: datetime) -> Catalogue:
    """Read ``catalogue.toml``; its projects count as registered at ``now``."""
    said = tomllib.loads(text)
    return Catalogue(
        catalogue=said["catalogue"],
        fields_of_action=tuple(FieldOfAction(**row) for row in said["fields_of_action"]),
        goals=tuple(StrategicGoal(**row) for row in said["goals"]),
        projects=tuple(_project(row, now) for row in said["projects"]),
    )


def _project(row: dict[str, Any], now: datetime) -> Project:
    return Project(
        project_id=row["project"],
        title=row["title"],
        summary="",
        fields_of_action=tuple(row["fields_of_action"]),
        goals=(),
        origin="catalogue",
        registered_at=now,
    )


def new_projects(catalogue: Catalogue, registered: Collection[str]) -> list[Project]:
    """The projects of the catalogue that are not in the register yet."""
    return [project for project in catalogue.projects if project.project_id not in registered]


def proposal_id(partner: str, name: str, taken: Collection[str]) -> str:
    """The project id of a proposal: ``<partner>-<name>``, 63 characters at most.

    Where that is too long or already the id of something else (company ``a-b`` with ``c``, company ``a`` with
    ``b-c``), it ends with a digest of both parts instead, so that no company can take another's place.
    """
    plain = f"{partner}-{name}"
    if len(plain) <= LONGEST_ID and plain not in taken:
        return plain
    digest = sha256(f"{partner}\x00{name}".encode()).hexdigest()[:DIGEST]
    return f"{plain[: LONGEST_ID - DIGEST - 1].rstrip('-')}-{digest}"


def unknown_reference(proposal: Proposal, fields: Collection[str], goals: Collection[str]) -> Fault | None:
    """The first field of action or goal that the catalogue (``fields``, ``goals``) does not have."""
    for index, field in enumerate(proposal.fields_of_action):
        if field not in fields:
            return Fault(f"$.fields_of_action[{index}]", "The catalogue has no such field of action.")
    for index, goal in enumerate(proposal.goals):
        if goal not in goals:
            return Fault(f"$.goals[{index}]", "The catalogue has no such strategic goal.")
    return None


def unreadable_text(proposal: Proposal) -> Fault | None:
    """A title or summary with control characters; a table cannot hold U+0000, no list can show the rest."""
    for path, said, allowed in (("$.title", proposal.title, ""), ("$.summary", proposal.summary, "\t\n\r")):
        if any(unicodedata.category(sign) == "Cc" and sign not in allowed for sign in said):
            return Fault(path, "The text has control characters.")
    return None


def same_proposal(proposal: Proposal, known: Proposal) -> bool:
    """Whether both say the same, whenever they were received and whatever became of them."""
    return proposal == replace(
        known,
        project_id=proposal.project_id,
        received_at=proposal.received_at,
        accepted_at=proposal.accepted_at,
    )


def accept(proposal: Proposal, officer: str, now: datetime) -> tuple[Proposal, Project]:
    """Accept a proposal: it becomes a project with its responsible officer (S5.2-1)."""
    project = Project(
        project_id=proposal.project_id,
        title=proposal.title,
        summary=proposal.summary,
        fields_of_action=proposal.fields_of_action,
        goals=proposal.goals,
        origin="proposal",
        registered_at=now,
        partner=proposal.partner,
        officer=officer,
    )
    return replace(proposal, accepted_at=now), project
