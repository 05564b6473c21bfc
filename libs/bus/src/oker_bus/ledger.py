"""The ledger of one service: how every message it heard has ended, counted from its tables."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.bus import Bus
from oker_bus.store import run
from oker_identity import Holder, require

Recount = Callable[[AsyncSession], Awaitable[dict[str, dict[str, int]]]]
SETTLEMENTS = """
SELECT consumer, stream, partner, count(*) AS messages,
       count(*) FILTER (WHERE outcome <> 'quarantined') AS messages_settled,
       count(*) FILTER (WHERE outcome = 'quarantined') AS messages_quarantined,
       min(sequence) AS first, max(sequence) AS last,
       coalesce(sum(read), 0) AS readings_read, coalesce(sum(stored), 0) AS readings_stored,
       coalesce(sum(duplicate), 0) AS readings_duplicate, coalesce(sum(corrected), 0) AS readings_corrected,
       coalesce(sum(settlement.quarantined), 0) AS readings_quarantined
FROM settlement GROUP BY consumer, stream, partner ORDER BY stream, consumer
"""
REFUSED = """
SELECT coalesce(partner, '') AS partner, count(*) FILTER (WHERE part > 0) AS readings,
       count(DISTINCT (consumer, stream, sequence)) AS messages
FROM quarantine GROUP BY partner
"""


async def count(session: AsyncSession, recount: Recount | None) -> dict[str, Any]:
    """All settlements by durable, stream and company; quarantine rows; readings counted anew from the tables."""
    settlements = [dict(row) for row in (await run(session, text(SETTLEMENTS))).mappings()]
    refused = {row["partner"]: dict(row) for row in (await run(session, text(REFUSED))).mappings()}
    recounted = await recount(session) if recount else {}
    return {"settlements": settlements, "quarantine": refused, "recounted": recounted}


def ledger_api(bus: Bus, recount: Recount | None) -> APIRouter:
    """``GET /ledger`` for the auditor and the unit."""
    router = APIRouter(tags=["ledger"])

    @router.get("/ledger")
    async def ledger(_: Annotated[Holder, Depends(require("auditor", "unit"))]) -> dict[str, Any]:
        async with bus.sessions() as session, session.begin():
            await run(session, text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            return await count(session, recount)

    return router
