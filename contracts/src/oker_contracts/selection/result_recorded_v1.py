"""Some lines of the computed result of a round (fact)."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, Sha256, Slug


class ResultRecordedV1(Contract):
    """Part ``part`` of the result's lines, by rank; plain objects, so that their hash stays their own."""

    TYPE: ClassVar[str] = "selection.result_recorded.v1"
    KEY: ClassVar[tuple[str, ...]] = ("round_id",)

    round_id: Slug
    frozen_sha256: Sha256
    result_sha256: Sha256
    part: Annotated[int, Field(ge=1)]
    lines: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=250)]
