"""A project may not be chosen any more (fact)."""

from typing import Annotated, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, Instant, Slug


class CandidateDelistedV1(Contract):
    """Its project left the state in which it can be chosen."""

    TYPE: ClassVar[str] = "selection.candidate_delisted.v1"
    KEY: ClassVar[tuple[str, ...]] = ("project_id",)

    project_id: Slug
    version: Annotated[int, Field(ge=1, description="The version of the project's profile that ended it.")]
    state: str
    delisted_at: Instant
