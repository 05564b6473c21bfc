"""Some of the candidates of a frozen round (fact)."""

from typing import Annotated, ClassVar

from pydantic import Field

from oker_contracts.base import Contract, Part, Sha256, Slug, Title
from oker_contracts.project.profile_recorded_v1 import Euros


class FrozenCandidate(Part):
    """A version of a project."""

    project_id: Slug
    version: Annotated[int, Field(ge=1)]
    title: Title
    fields_of_action: list[Slug]
    costs: dict[Slug, Euros]
    profile_sha256: Sha256


class CandidatesFrozenV1(Contract):
    """Part ``part`` of the candidates, by id; their hash is ``candidates_sha256`` of the round's content."""

    TYPE: ClassVar[str] = "selection.candidates_frozen.v1"
    KEY: ClassVar[tuple[str, ...]] = ("round_id",)

    round_id: Slug
    frozen_sha256: Sha256
    part: Annotated[int, Field(ge=1)]
    candidates: Annotated[list[FrozenCandidate], Field(min_length=1, max_length=1000)]
