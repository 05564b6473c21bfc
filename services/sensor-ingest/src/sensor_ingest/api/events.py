"""Intake over HTTP: a company sends CloudEvents, one by one or as a batch."""

import asyncio
import json
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse

from oker_bus import Bus
from oker_bus.bodies import read_body
from oker_contracts import Envelope, Reason, Refused, read_envelope, reader
from oker_contracts.envelope import STRUCTURED, read_json
from oker_identity import Holder, require
from sensor_ingest import gateway
from sensor_ingest.gateway import IntakeClosed, Place

SERVICE = "sensor-ingest"
BATCH = "application/cloudevents-batch+json"
MAX_BODY = 900_000
"""Bytes of one event."""
MAX_BATCH, MAX_ITEMS = 5_000_000, 1_000
"""Bytes and events of one batch."""
SLICE = 25
"""Events of a batch that are read before other work gets its turn."""
_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"


def build(bus: Bus) -> APIRouter:
    """``POST /events``"""
    router = APIRouter()

    @router.post("/events", status_code=202, tags=["intake"])
    async def take_events(request: Request, holder: Annotated[Holder, Depends(require("partner"))]) -> JSONResponse:
        """Take one CloudEvent (binary or structured mode), or a batch of up to 1,000.

        202 means: stored by the broker, under this id. A batch of which only some were taken answers 207, with a
        status for each of its events.
        """
        company = company_of(holder)
        if media_type(request) == BATCH:
            return await _take_batch(bus, company, await read_body(request, MAX_BATCH, "A batch"))
        claim = _claim(dict(request.headers), await read_body(request, MAX_BODY, "One event"))
        place = await gateway.hand_in_all(bus.jetstream, company, [claim])
        if isinstance(place[0], IntakeClosed):
            raise closed_answer(place[0])
        answer = taken_answer(claim, place[0])
        return JSONResponse(answer, 202, {"Location": answer["outcome"]} if "outcome" in answer else None)

    return router


def media_type(request: Request) -> str:
    """The type of the body, without parameters."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def _claim(headers: dict[str, str], body: bytes) -> Envelope:
    """Check all that can be checked without the platform's knowledge, so that the sender hears it at once."""
    if len(body) > MAX_BODY:
        raise Refused(Reason.BODY_TOO_LARGE, "$", f"One event has {MAX_BODY} bytes at most.")
    envelope = read_envelope(headers, body)
    entry = reader().entry(envelope.type)
    if entry.kind != "claim" or "partners" not in entry.producers:
        raise Refused(Reason.TYPE_NOT_CLAIMABLE, "ce-type")
    reader().data(entry, envelope.data)
    return envelope


def company_of(holder: Holder) -> str:
    """The company that speaks.

    Raises:
        HTTPException: 403, the token names none.
    """
    if holder.partner is None:
        raise HTTPException(403, "The token names no company.")
    return holder.partner


def taken_answer(claim: Envelope, place: Place) -> dict[str, Any]:
    """What is told of a claim that the broker holds, and where to ask what became of it: here, or elsewhere."""
    said = {"id": claim.id, "source": claim.source, "stream": place.stream, "sequence": place.sequence}
    outcome = f"/outcomes?{urlencode({'source': claim.source, 'id': claim.id})}"
    owner = reader().entry(claim.type).owner
    if owner == SERVICE:
        return {**said, "outcome": outcome}
    return {**said, "taken_by": owner, "detail": f"What became of it is said by {owner}: ask there for {outcome}"}


def closed_answer(closed: IntakeClosed) -> HTTPException:
    """503, and when to try again."""
    return HTTPException(503, closed.sentence, {"Retry-After": str(closed.retry_after)})


# a batch (CloudEvents JSON format, 4)


@dataclass(frozen=True, slots=True)
class Item:
    """One event of a batch: read, or refused."""

    claim: Envelope | None
    refused: Refused | None = None


async def _take_batch(bus: Bus, company: str, body: bytes) -> JSONResponse:
    """Each event on its own: what is right goes in although others are wrong."""
    items = []
    for number, raw in enumerate(_split(body)):
        items.append(_item(raw))
        if number % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    claims = [item.claim for item in items if item.claim]
    places = await gateway.hand_in_all(bus.jetstream, company, claims)
    each = iter(places)
    answers = [_answer(index, item, next(each) if item.claim else None) for index, item in enumerate(items)]
    wait = max((place.retry_after for place in places if isinstance(place, IntakeClosed)), default=0)
    return _batch_response(answers, wait)


def _split(body: bytes) -> list[bytes]:
    """The events of a batch as they were written.

    Raises:
        Refused: the body is no JSON, no list, or has too many events.
    """
    said = read_json(body)
    if not isinstance(said, list):
        raise Refused(Reason.FIELD_TYPE_WRONG, "$", "A batch of CloudEvents is a JSON list.")
    if len(said) > MAX_ITEMS:
        raise Refused(Reason.BODY_TOO_LARGE, "$", f"A batch has {MAX_ITEMS} events at most.")
    text, at = body.decode(), body.index(b"[")
    raw = []
    for _ in said:
        start = _next(text, at + 1)
        _, end = _DECODER.raw_decode(text, start)
        raw.append(text[start:end].encode())
        at = _next(text, end)
    return raw


def _next(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _item(raw: bytes) -> Item:
    try:
        return Item(_claim({"content-type": STRUCTURED}, raw))
    except Refused as refused:
        return Item(None, refused)


def _answer(index: int, item: Item, place: "Place | IntakeClosed | None") -> dict[str, Any]:
    """What became of one event: taken (202), refused (422), or not taken and to be sent again (503)."""
    if item.claim is None or place is None:
        refused = item.refused or Refused(Reason.HANDLER_FAILED)
        said = {"code": str(refused.reason), "path": refused.path, "detail": refused.detail}
        return {"index": index, "status": 422, **said}
    if isinstance(place, IntakeClosed):
        named = {"id": item.claim.id, "source": item.claim.source}
        return {"index": index, "status": 503, **named, "detail": place.sentence}
    return {"index": index, "status": 202, **taken_answer(item.claim, place)}


def _batch_response(answers: list[dict[str, Any]], wait: int) -> JSONResponse:
    """The status of all if they share one: 202, 422 or 503; else 207 (RFC 4918), or 503 where none was taken."""
    found = {answer["status"] for answer in answers}
    status = 202 if found <= {202} else 207 if 202 in found else max(found)
    counted = {name: sum(a["status"] == code for a in answers) for name, code in COUNTED}
    headers = {"Retry-After": str(wait)} if wait else None
    return JSONResponse({**counted, "items": answers}, status, headers)


COUNTED = (("taken", 202), ("refused", 422), ("not_taken", 503))
