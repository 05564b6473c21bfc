"""A project is in the register (fact)."""

from typing import ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Slug, Text, Title


class ProjectRegisteredV1(Contract):
    """The whole project at the moment of its registration."""

    TYPE: ClassVar[str] = "project.registered.v1"
    KEY: ClassVar[tuple[str, ...]] = ("project_id",)

    project_id: Slug
    title: Title
    summary: Text
    fields_of_action: list[Slug]
    goals: list[Slug]
    origin: Literal["catalogue", "proposal"]
    partner: Slug | None = Field(default=None, description="The company that proposed it.")
    officer: HolderId | None = Field(default=None, description="The responsible Smart-City-Beauftragte.")
    registered_at: Instant
