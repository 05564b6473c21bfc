"""An organisation was added, changed or dissolved (fact)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Slug, Text, Title


class OrganisationRecordedV1(Contract):
    """A whole version of a Dezernat, department, company or partner of the local community, from a time on."""

    TYPE: ClassVar[str] = "project.organisation_recorded.v1"
    KEY: ClassVar[tuple[str, ...]] = ("organisation",)

    organisation: Slug
    version: Annotated[int, Field(ge=1)]
    title: Title
    kind: Literal["dezernat", "department", "office", "company", "research", "community"]
    part_of: Slug | None = None
    status: Literal["active", "dissolved"]
    reason: Text
    valid_from: Instant
    recorded_by: HolderId | None = None
    recorded_at: Instant
