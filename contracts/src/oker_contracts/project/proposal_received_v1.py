"""A proposal of a company waits for acceptance (fact)."""

from typing import ClassVar

from oker_contracts.base import Contract, Instant, Slug, Text, Title


class ProposalReceivedV1(Contract):
    """The proposal as it will be decided upon."""

    TYPE: ClassVar[str] = "project.proposal_received.v1"
    KEY: ClassVar[tuple[str, ...]] = ("project_id",)

    project_id: Slug
    partner: Slug
    proposal: Slug
    title: Title
    summary: Text
    fields_of_action: list[Slug]
    goals: list[Slug]
    received_at: Instant
