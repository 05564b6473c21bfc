"""Sets of selection criteria: recorded in versions, never changed."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, HTTPException, Response

from oker_bus import Bus, Transaction
from oker_contracts.base import Slug
from oker_contracts.selection.criteria_recorded_v1 import CriteriaRecordedV1
from oker_identity import Holder, require
from selection_scoring import store
from selection_scoring.api.answers import refuse
from selection_scoring.api.asked import AskedCriteria
from selection_scoring.domain import criteria
from selection_scoring.fold import record
from selection_scoring.log import UNLINKED, linked

log = structlog.get_logger()
AnyHolder = Depends(require())
Recorder = Annotated[Holder, Depends(require("unit", "cdo"))]


def build(bus: Bus) -> APIRouter:
    """The routes of criteria sets."""
    sets = Sets(bus)
    api = APIRouter()
    api.add_api_route("/criteria-sets", sets.every, dependencies=[AnyHolder])
    api.add_api_route("/criteria-sets/{set}/versions", sets.record, methods=["POST"], status_code=201)
    api.add_api_route("/criteria-sets/{set}/versions", sets.versions, dependencies=[AnyHolder])
    return api


@dataclass(frozen=True, slots=True)
class Sets:
    """Sets of criteria as people see them."""

    bus: Bus

    async def every(self) -> list[dict[str, Any]]:
        """All versions of all sets."""
        async with self.bus.transaction() as tx:
            await seed(tx)
            return await store.criteria.every(tx.session)

    async def versions(self, set: Slug) -> list[dict[str, Any]]:
        """All versions of one set, the oldest first."""
        async with self.bus.transaction() as tx:
            await seed(tx)
            known = await store.criteria.every(tx.session, set)
        if not known:
            raise HTTPException(404, "There is no set of this name.")
        return known

    async def record(self, set: Slug, body: AskedCriteria, holder: Recorder, response: Response) -> dict[str, Any]:
        """Record the next version of a set; what its newest version says already changes nothing: 200."""
        asked = body.model_dump(exclude={"reason"})
        refuse(criteria.fault(asked["criteria"], body.scale_min, body.scale_max))
        asked["criteria"] = [{**row, "weight": str(Fraction(row["weight"]))} for row in asked["criteria"]]
        async with self.bus.transaction() as tx:
            await seed(tx)
            await store.log.last_entry(tx.session)
            newest = await store.criteria.find(tx.session, set)
            if newest is not None and all(newest[name] == value for name, value in asked.items()):
                response.status_code = 200
                return newest
            version = newest["version"] + 1 if newest else 1
            said: dict[str, Any] = {"set": set, "version": version, "reason": body.reason, "recorded_by": holder.id}
            fact = await linked(tx, CriteriaRecordedV1(**asked, **said, recorded_at=tx.now, log=UNLINKED))
            await record(tx, fact)
            known = await store.criteria.find(tx.session, set)
        log.info("criteria.recorded", set=set, version=version)
        return known or {}


async def seed(tx: Transaction) -> None:
    """Record the criteria of the strategy, if nobody has needed them before."""
    if await store.criteria.find(tx.session, criteria.STRATEGY, 1) is not None:
        return
    await store.log.last_entry(tx.session)
    if await store.criteria.find(tx.session, criteria.STRATEGY, 1) is not None:
        return
    least, most = criteria.SCALE
    fact = CriteriaRecordedV1(
        set=criteria.STRATEGY,
        version=1,
        title="Auswahlkriterien der Smart-City-Strategie 2020",
        criteria=[dict(row) for row in criteria.FOUR_CRITERIA],  # type: ignore[misc]
        scale_min=least,
        scale_max=most,
        reason="Smart-City-Strategie der Stadt Braunschweig, Kapitel 4.4.",
        recorded_by=None,
        recorded_at=tx.now,
        log=UNLINKED,
    )
    await record(tx, await linked(tx, fact))
