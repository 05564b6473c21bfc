"""The idea of a citizen or of staff was taken up or declined (fact)."""

from typing import ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Slug, Text


class IdeaModeratedV1(Contract):
    """What became of an idea. Its text is not here: it may hold what its author did not want to be public."""

    TYPE: ClassVar[str] = "project.idea_moderated.v1"
    KEY: ClassVar[tuple[str, ...]] = ("idea",)

    idea: Slug
    outcome: Literal["accepted", "declined"]
    reason: Text
    project_id: Slug | None = Field(default=None, description="The project that it became.")
    received_at: Instant
    moderated_by: HolderId
    moderated_at: Instant
