"""``/quarantine`` of a service."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import ValidationError

from oker_bus.bodies import read_body
from oker_bus.bus import Bus
from oker_bus.quarantine.mending import Change, attempt, resend_all
from oker_bus.quarantine.reading import listed, row_of, rows_of, whole
from oker_contracts import Refused
from oker_contracts.base import Slug
from oker_contracts.envelope import read_json
from oker_contracts.reading import json_path, reason_of
from oker_identity import Holder, require

MAX_REQUEST = 2_000_000
"""Bytes of a mended message with its headers, as JSON."""
Reads = Annotated[Holder, Depends(require("unit", "partner", "auditor"))]
Mends = Annotated[Holder, Depends(require("unit", "partner"))]
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
Code = Annotated[str | None, Query(pattern=r"^[a-z_]{1,64}$", description="A code of docs/reasons.md.")]
After = Annotated[int, Query(ge=0, le=2**63 - 1, description="Go on after this id.")]


def quarantine_api(bus: Bus) -> APIRouter:
    """``/quarantine``: a company sees and mends its own, the unit all; the auditor reads."""
    router = APIRouter(prefix="/quarantine", tags=["quarantine"])

    @router.get("")
    async def rows(
        holder: Reads,
        partner: Slug | None = None,
        reason: Code = None,
        first: Annotated[datetime | None, Query(alias="from")] = None,
        last: Annotated[datetime | None, Query(alias="until")] = None,
        state: Literal["open", "mended"] | None = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        after: After = 0,
    ) -> list[dict[str, Any]]:
        """What was refused, the oldest first; go on with ``after=<the last id>``."""
        said = {"partner": holder.partner or partner, "reason": reason, "first": first, "last": last}
        async with bus.sessions() as session:
            return await listed(session, {**said, "state": state, "after": after, "most": limit})

    @router.get("/{id}")
    async def row(id: Id, holder: Reads) -> dict[str, Any]:
        """One refusal with the headers and the bytes of its message."""
        async with bus.sessions() as session:
            found = await row_of(session, id, holder.partner)
            return whole(found, await rows_of(session, found))

    @router.post("/resend")
    async def resend_many(
        holder: Mends, partner: Slug | None = None, reason: Code = None, after: After = 0
    ) -> dict[str, Any]:
        """Take up to 200 open messages once more; go on with ``after=<next>``."""
        return await resend_all(bus, holder.partner or partner, reason, after, holder.id)

    @router.post("/{id}/resend")
    async def resend(id: Id, holder: Mends) -> dict[str, Any]:
        """Take the same bytes once more, for example after the device was declared."""
        return await attempt(bus, id, holder.partner, holder.id, Change())

    @router.post("/{id}/mend")
    async def mend_one(id: Id, request: Request, holder: Mends) -> dict[str, Any]:
        """Take the message once more with other data, body or headers; see ``Change``."""
        return await attempt(bus, id, holder.partner, holder.id, await _change(request))

    return router


async def _change(request: Request) -> Change:
    said = read_json(await read_body(request, MAX_REQUEST, "A mended message"))
    try:
        return Change.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(reason_of(first["type"]), json_path(first["loc"]), first["msg"][:200]) from None
