"""A round went on to its next stage (fact)."""

from typing import ClassVar, Literal

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Sha256, Slug, Text
from oker_contracts.selection.criteria_recorded_v1 import LogLink


class RoundMovedV1(Contract):
    """Opened for assessments, or on to the ballots of the board, or given up."""

    TYPE: ClassVar[str] = "selection.round_moved.v1"
    KEY: ClassVar[tuple[str, ...]] = ("round_id",)

    round_id: Slug
    frozen_sha256: Sha256
    stage: Literal["assessment", "ballot", "cancelled"]
    discuss: list[Slug] = Field(description="Candidates on which the assessments differ much; the first thousand.")
    reason: Text
    moved_by: HolderId
    moved_at: Instant
    log: LogLink
