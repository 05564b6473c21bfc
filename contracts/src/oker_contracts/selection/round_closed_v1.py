"""A round was closed and its result computed (fact)."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, HolderId, Instant, Sha256, Slug
from oker_contracts.selection.criteria_recorded_v1 import LogLink


class RoundClosedV1(Contract):
    """What was counted, as hashes, and what follows from it. The board decides after that."""

    TYPE: ClassVar[str] = "selection.round_closed.v1"
    KEY: ClassVar[tuple[str, ...]] = ("round_id",)

    round_id: Slug
    frozen_sha256: Sha256
    judgements: Annotated[int, Field(ge=0)] = Field(description="How many assessments, ballots, counts and recusals.")
    judgements_sha256: Sha256 = Field(
        description="SHA-256 of the sha256 of all versions of them, as lower case hexadecimal text, sorted and joined."
    )
    complete_voters: Annotated[int, Field(ge=0)] = Field(description="Members who scored every candidate, or recused.")
    result_sha256: Sha256 = Field(
        description="SHA-256 of the canonical JSON (RFC 8785) of the result without its sentences."
    )
    parts: Annotated[int, Field(ge=1)] = Field(description="How many events hold the lines of the result.")
    summary: dict[str, Any] = Field(description="The result without its lines: stability and portfolio.")
    closed_by: HolderId
    closed_at: Instant
    log: LogLink
