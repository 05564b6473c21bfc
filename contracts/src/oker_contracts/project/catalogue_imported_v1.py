"""Fields of action, goals and the catalogue of projects were imported (fact)."""

from typing import ClassVar, Literal

from oker_contracts.base import Contract, Instant, Part, Slug, Title


class FieldOfAction(Part):
    """One Handlungsfeld (strategy, 4.3)."""

    field: Slug
    title: Title


class StrategicGoal(Part):
    """One strategic goal (strategy, 4.2)."""

    goal: Slug
    title: Title
    group: Literal["ambition", "role", "orientation"]


class CatalogueImportedV1(Contract):
    """All that stands in the catalogue besides the projects, which are announced one by one."""

    TYPE: ClassVar[str] = "project.catalogue_imported.v1"
    KEY: ClassVar[tuple[str, ...]] = ("catalogue",)

    catalogue: Slug
    fields_of_action: list[FieldOfAction]
    goals: list[StrategicGoal]
    projects: list[Slug]
    imported_at: Instant
