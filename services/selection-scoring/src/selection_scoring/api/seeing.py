"""Assessments as the board sees them: how far they lie apart, and what was said."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel

from oker_bus import Bus
from oker_contracts.base import Slug
from oker_decision.model import Tally
from oker_identity import Holder, require
from selection_scoring import store
from selection_scoring.api.answers import found
from selection_scoring.api.counting import assessed, far_apart, short_of_assessments
from selection_scoring.domain.rounds import ASSESSMENTS, Round

Reader = Annotated[Holder, Depends(require("cdo", "unit", "board", "officer", "auditor"))]
TOLD_WHO = frozenset({"cdo", "unit", "auditor"})


class Spread(BaseModel):
    """What the assessments of one candidate say together; recused ones are left out."""

    project_id: str
    count: int
    means: dict[str, str]
    least: dict[str, int]
    greatest: dict[str, int]
    discussed: bool
    short: bool
    """Whether there are fewer than the candidate needs: those who are recused from it are not waited for."""


class SpreadWithComments(Spread):
    """The same, with each assessment; who gave it is told to CDO, unit and auditors only."""

    assessments: list[dict[str, Any]]


def build(bus: Bus) -> APIRouter:
    """The routes of those who read assessments."""
    told = Seeing(bus)
    api = APIRouter()
    api.add_api_route("/rounds/{round_id}/assessments", told.every)
    api.add_api_route("/rounds/{round_id}/assessments/{project_id}", told.one)
    return api


@dataclass(frozen=True, slots=True)
class Seeing:
    """Assessments of a round."""

    bus: Bus

    async def every(
        self,
        round_id: Slug,
        holder: Reader,
        after: Slug | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[Spread]:
        """The spread of each candidate, by id; the next page comes ``after`` the last one seen."""
        async with self.bus.sessions() as session:
            round = found(await store.rounds.find(session, round_id))
            _may_see(round, holder)
            names = await store.rounds.candidate_ids(session, round_id)
            page = [name for name in names if after is None or name > after][:limit]
            tallies = await assessed(session, round, page) if page else {}
            short = await short_of_assessments(session, round, page, tallies)
        return [_spread(round, name, tallies.get(name), name in short) for name in page]

    async def one(self, round_id: Slug, project_id: Slug, holder: Reader) -> SpreadWithComments:
        """The assessments of one candidate, with their comments."""
        async with self.bus.sessions() as session:
            round = found(await store.rounds.find(session, round_id))
            _may_see(round, holder)
            if not await store.rounds.has_candidate(session, round_id, project_id):
                raise HTTPException(404, "The round has no such candidate.")
            tallies = await assessed(session, round, [project_id])
            short = bool(await short_of_assessments(session, round, [project_id], tallies))
            said = await store.judgements.said_of(session, round_id, ASSESSMENTS, project_id)
            recused = {
                row["holder"]
                for row in await store.judgements.recusals(session, round_id)
                if row["project_id"] == project_id
            }
        names = bool(holder.roles & TOLD_WHO)
        rows = [
            {
                **({"assessor": row.voter} if names else {}),
                "scores": dict(zip(round.criteria, row.scores, strict=True)),
                "comment": row.comment,
                "version": row.version,
                "counts": row.voter not in recused,
            }
            for row in said
        ]
        return SpreadWithComments(
            **_spread(round, project_id, tallies.get(project_id), short).model_dump(), assessments=rows
        )


def _may_see(round: Round, holder: Holder) -> None:
    """Who is still to judge sees nothing before the assessments are over, so that nobody follows the others."""
    if round.stage == "archived":
        raise HTTPException(404, "This round had no assessments.")
    if round.stage in ("frozen", "assessment") and not holder.roles & TOLD_WHO:
        raise HTTPException(403, "The assessments are shown to you when the board begins to vote.")


def _spread(round: Round, project_id: str, tally: Tally | None, short: bool) -> Spread:
    count = tally.count if tally else 0
    sums: Sequence[int] = tally.sums if tally else ()
    named = list(zip(round.criteria, sums, strict=False))
    return Spread(
        project_id=project_id,
        count=count,
        means={criterion: str(Fraction(points, count)) for criterion, points in named},
        least=dict(zip(round.criteria, tally.least if tally else (), strict=False)),
        greatest=dict(zip(round.criteria, tally.greatest if tally else (), strict=False)),
        discussed=tally is not None and far_apart(round, tally),
        short=short,
    )
