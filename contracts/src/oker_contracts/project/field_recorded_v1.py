"""A field of action was added, changed, retired or made a focus (fact)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from oker_contracts.base import Contract, HolderId, Instant, Part, Slug, Text, Title

Said = Annotated[str, StringConstraints(min_length=1, max_length=10_000, strip_whitespace=True, pattern=r"^[^\x00]*$")]
"""Text that says something."""


class Focus(Part):
    """A Handlungsschwerpunkt: why, and what it does to the next round (strategy, 4.3)."""

    reason: Said
    effect_on: Literal["budget", "timing"]
    effect: Said


class FieldRecordedV1(Contract):
    """A whole version of a field of action, from a time on."""

    TYPE: ClassVar[str] = "project.field_recorded.v1"
    KEY: ClassVar[tuple[str, ...]] = ("field",)

    field: Slug
    version: Annotated[int, Field(ge=1)]
    title: Title
    position: int
    status: Literal["active", "retired"]
    focus: Focus | None = None
    reason: Text
    valid_from: Instant
    recorded_by: HolderId | None = None
    recorded_at: Instant
