"""A project may be chosen in the next round (fact)."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, Instant, Sha256, Slug, Title
from oker_contracts.project.profile_recorded_v1 import Euros

NO_PROFILE = "0" * 64


class CandidateListedV2(Contract):
    """The candidate as a round will freeze it: a version of its project."""

    TYPE: ClassVar[str] = "selection.candidate_listed.v2"
    KEY: ClassVar[tuple[str, ...]] = ("project_id",)

    project_id: Slug
    version: Annotated[int, Field(ge=1, description="The version of the project's profile.")]
    title: Title
    fields_of_action: list[Slug]
    costs: dict[Slug, Euros] = Field(description="Planned cost by budget line, all years together.")
    profile_sha256: Sha256 = Field(description="SHA-256 of the profile's canonical JSON (RFC 8785).")
    listed_at: Instant


def upcast_v1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 knew neither versions nor costs."""
    return {**data, "version": 1, "costs": {}, "profile_sha256": NO_PROFILE}
