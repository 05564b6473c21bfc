"""The catalogue of the strategy: fields of action, strategic goals, projects (strategy, 4.2 and 4.3)."""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

Group = Literal["ambition", "role", "orientation"]


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
class CatalogueProject:
    """One project of table 3."""

    project_id: str
    title: str
    fields_of_action: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The catalogue of one edition of the strategy."""

    catalogue: str
    fields_of_action: tuple[FieldOfAction, ...]
    goals: tuple[StrategicGoal, ...]
    projects: tuple[CatalogueProject, ...]

    @property
    def assignments(self) -> int:
        """How many lines table 3 has: a project counts once for each of its fields."""
        return sum(len(project.fields_of_action) for project in self.projects)


def read_catalogue(text: str) -> Catalogue:
    """Read ``catalogue.toml``."""
    said = tomllib.loads(text)
    return Catalogue(
        catalogue=said["catalogue"],
        fields_of_action=tuple(FieldOfAction(**row) for row in said["fields_of_action"]),
        goals=tuple(StrategicGoal(**row) for row in said["goals"]),
        projects=tuple(_project(row) for row in said["projects"]),
    )


def _project(row: dict[str, Any]) -> CatalogueProject:
    return CatalogueProject(row["project"], row["title"], tuple(row["fields_of_action"]))


def new_projects(catalogue: Catalogue, registered: Collection[str]) -> list[CatalogueProject]:
    """The projects of the catalogue that are not in the register yet."""
    return [project for project in catalogue.projects if project.project_id not in registered]
