"""HTTP: a company sends CloudEvents and reads its own; the unit and the auditor read all."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from oker_bus import Bus
from oker_contracts import TYPE_PREFIX, Envelope, Reason, Refused, event_key, read_envelope, reader
from oker_identity import Holder, require

from sensor_ingest import store
from sensor_ingest.domain import Device

MAX_BODY = 900_000
"""Bytes of one event."""
Reads = Annotated[Holder, Depends(require("partner", "unit", "auditor"))]


def build(bus: Bus) -> APIRouter:
    """The API of sensor-ingest."""
    router = APIRouter()

    @router.post("/events", status_code=202, tags=["intake"])
    async def take_event(
        request: Request, holder: Annotated[Holder, Depends(require("partner"))]
    ) -> JSONResponse:
        """Take one CloudEvent (binary or structured mode). 202 means: stored by the broker, under this id."""
        envelope = _claim(dict(request.headers), await _body(request))
        partner = _company(holder)
        name = envelope.type.removeprefix(TYPE_PREFIX)
        headers = envelope.headers() | {"Nats-Msg-Id": event_key(partner, envelope.source, envelope.id).hex}
        ack = await bus.jetstream.publish(f"ingest.{partner}.{name}", envelope.data, headers=headers)
        taken = {"id": envelope.id, "source": envelope.source, "stream": ack.stream, "sequence": ack.seq}
        return JSONResponse({**taken, "duplicate": bool(ack.duplicate)}, 202)

    @router.get("/devices", tags=["devices"])
    async def devices(holder: Reads) -> list[dict[str, Any]]:
        """A company sees its own devices, the unit and the auditor see all."""
        async with bus.sessions() as session:
            found = await store.devices_of(session, holder.partner)
        return [_shown(device) for device in found]

    @router.get("/devices/{partner}/{device}/{property}/observations", tags=["devices"])
    async def observations(
        partner: str,
        device: str,
        property: str,
        holder: Reads,
        known_at: datetime | None = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    ) -> list[dict[str, Any]]:
        """The values that count, newest first; ``known_at`` asks what counted by what was known then."""
        if holder.partner not in (None, partner):
            raise HTTPException(404, f"{partner} has no device {device!r} with {property!r}.")
        async with bus.sessions() as session:
            found = (await store.devices(session, {(partner, device)})).get((partner, device))
            if found is None or property not in found.datastreams:
                raise HTTPException(404, f"{partner} has no device {device!r} with {property!r}.")
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
    place = {"type": "Point", "coordinates": device.location} if device.location else None
    return {
        "partner": device.partner,
        "device": device.device,
        "name": device.name,
        "codec": device.codec,
        "location": place,
        "datastreams": streams,
    }
