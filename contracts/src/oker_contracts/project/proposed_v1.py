"""A company proposes a project (claim); replaced by version 2."""

from typing import ClassVar

from pydantic import Field

from oker_contracts.base import Contract, Slug, Text, Title


class ProjectProposedV1(Contract):
    """Knows a single field of action only."""

    TYPE: ClassVar[str] = "project.proposed.v1"

    proposal: Slug
    title: Title
    summary: Text = ""
    field_of_action: Slug
    goals: list[Slug] = Field(default=[])
