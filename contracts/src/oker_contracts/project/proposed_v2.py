"""A company proposes a project (claim)."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, Slug, Text, Title


class ProjectProposedV2(Contract):
    """A project may belong to several fields of action (strategy, 4.3)."""

    TYPE: ClassVar[str] = "project.proposed.v2"

    proposal: Slug = Field(description="The company's own name of the proposal.")
    title: Title
    summary: Text = ""
    fields_of_action: Annotated[list[Slug], Field(min_length=1, max_length=10)]
    goals: list[Slug] = Field(default=[], max_length=9)


def upcast_v1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 named one field of action, version 2 lists them."""
    rest = {name: value for name, value in data.items() if name != "field_of_action"}
    return {**rest, "fields_of_action": [data["field_of_action"]]}
