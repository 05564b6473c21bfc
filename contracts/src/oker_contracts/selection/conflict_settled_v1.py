"""The CDO settled a conflict of competence (fact)."""

from typing import Annotated, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Slug, Text, Title
from oker_contracts.selection.criteria_recorded_v1 import LogLink


class ConflictSettledV1(Contract):
    """Who is competent for what, and why (strategy, 5.1 and 5.2)."""

    TYPE: ClassVar[str] = "selection.conflict_settled.v1"
    KEY: ClassVar[tuple[str, ...]] = ("conflict",)

    conflict: Slug
    title: Title
    parties: Annotated[list[Slug], Field(min_length=1, max_length=50)]
    project_id: Slug | None = None
    decision: Annotated[Text, Field(min_length=1)]
    reason: Annotated[Text, Field(min_length=1)]
    session: Slug | None = None
    settled_by: HolderId
    settled_at: Instant
    log: LogLink
