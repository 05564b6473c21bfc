"""A project is in the pool that the next round draws from (fact)."""

from typing import ClassVar

from oker_contracts.base import Contract, Instant, Slug, Title


class CandidateListedV1(Contract):
    """The candidate as the board will see it."""

    TYPE: ClassVar[str] = "selection.candidate_listed.v1"
    KEY: ClassVar[tuple[str, ...]] = ("project_id",)

    project_id: Slug
    title: Title
    fields_of_action: list[Slug]
    listed_at: Instant
