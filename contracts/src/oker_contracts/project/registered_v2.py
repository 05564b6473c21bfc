"""A project is in the register (fact)."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Slug, Text, Title


class ProjectRegisteredV2(Contract):
    """The project at the moment of its registration: its version 1."""

    TYPE: ClassVar[str] = "project.registered.v2"
    KEY: ClassVar[tuple[str, ...]] = ("project_id",)

    project_id: Slug
    title: Title
    summary: Text
    fields_of_action: list[Slug]
    goals: list[Slug]
    origin: Literal["catalogue", "proposal", "idea", "unit"]
    state: Literal["idea", "proposed"]
    partner: Slug | None = Field(default=None, description="The company that proposed it.")
    officer: HolderId | None = Field(default=None, description="The responsible Smart-City-Beauftragte.")
    registered_by: HolderId | None = Field(default=None, description="Nobody: an import or a rule did it.")
    registered_at: Instant


def upcast_v1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 knew projects of the catalogue and accepted proposals, all of them proposed."""
    return {**data, "state": "proposed"}
