"""HTTP: a company sends CloudEvents and reads its own; the unit and the auditor read all."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime

from oker_bus import Bus
from oker_contracts import Envelope, Reason, Refused, read_envelope, reader
from oker_contracts.base import DeviceId, PropertyName, Slug
from oker_identity import Holder, require
from sensor_ingest import gateway, store
from sensor_ingest.domain import Device

MAX_BODY = 900_000
"""Bytes of one event."""
Reads = Annotated[Holder, Depends(require("partner", "unit", "auditor"))]
Moment = Annotated[AwareDatetime, Query(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))]


def build(bus: Bus) -> APIRouter:
    """The API of sensor-ingest."""
    router = APIRouter()

    @router.post("/events", status_code=202, tags=["intake"])
    async def take_event(request: Request, holder: Annotated[Holder, Depends(require("partner"))]) -> JSONResponse:
        """Take one CloudEvent (binary or structured mode). 202 means: stored by the broker, under this id."""
        claim = _claim(dict(request.headers), await _body(request))
        try:
            stream, sequence = await gateway.hand_in(bus.jetstream, _company(holder), claim)
        except gateway.IntakeClosed:
            sentence = "Not taken: the broker does not confirm. Send it again under the same id."
            raise HTTPException(503, sentence, {"Retry-After": "5"}) from None
        return JSONResponse({"id": claim.id, "source": claim.source, "stream": stream, "sequence": sequence}, 202)

    @router.get("/devices", tags=["devices"])
    async def devices(holder: Reads) -> list[dict[str, Any]]:
        """A company sees its own devices, the unit and the auditor see all."""
        async with bus.sessions() as session:
            found = await store.devices_of(session, holder.partner)
        return [_shown(device) for device in found]

    @router.get("/devices/{partner}/{device}/{property}/observations", tags=["devices"])
    async def observations(
        partner: Annotated[Slug, Path()],
        device: Annotated[DeviceId, Path()],
        property: Annotated[PropertyName, Path()],
        holder: Reads,
        known_at: Moment | None = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    ) -> list[dict[str, Any]]:
        """The values that count, newest first; ``known_at`` asks what counted by what was known then."""
        missing = HTTPException(404, f"{partner} has no device {device!r} with {property!r}.")
        if holder.partner not in (None, partner):
            raise missing
        async with bus.sessions() as session:
            found = (await store.devices(session, {(partner, device)})).get((partner, device))
            if found is None or property not in found.datastreams:
                raise missing
            stream = found.datastreams[property]
            rows = await store.observations(session, stream.id, known_at, limit)
        return [{**row, "unit": stream.unit} for row in rows]

    return router


async def _body(request: Request) -> bytes:
    """Read the body, but never more than the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refused(Reason.BODY_TOO_LARGE, "$", f"One event has {MAX_BODY} bytes at most.")
    return bytes(body)


def _claim(headers: dict[str, str], body: bytes) -> Envelope:
    """Check all that can be checked without the platform's knowledge, so that the sender hears it at once."""
    envelope = read_envelope(headers, body)
    entry = reader().entry(envelope.type)
    if entry.kind != "claim" or "partners" not in entry.producers:
        raise Refused(Reason.TYPE_NOT_CLAIMABLE, "ce-type")
    reader().data(entry, envelope.data)
    return envelope


def _company(holder: Holder) -> str:
    if holder.partner is None:
        raise HTTPException(403, "The token names no company.")
    return holder.partner


def _shown(device: Device) -> dict[str, Any]:
    streams = [
        {"property": s.property, "unit": s.unit, "dataset": s.dataset, "observed_property": s.observed_property}
        for s in device.datastreams.values()
    ]
    return {
        "partner": device.partner,
        "device": device.device,
        "name": device.name,
        "codec": device.codec,
        "location": {"type": "Point", "coordinates": device.location} if device.location else None,
        "datastreams": streams,
    }
