"""Network servers call: the HTTP integration of ChirpStack v4, and the webhooks of The Things Stack v3.

They try once by default: what they are refused is gone. So what a company's network server says is kept, readable or
not: it is handed in and answered with 202, and what cannot be read goes to quarantine with its bytes, where it can be
mended. The answer names at once what is wrong. Refused are only requests that could never be kept: too large, or empty.
"""

from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import JSONResponse

from oker_bus import Bus
from oker_bus.bodies import read_body
from oker_contracts import TYPE_PREFIX, Envelope, Reason, Refused
from oker_contracts.sensor.webhook_received_v1 import WebhookReceivedV1
from oker_identity import Holder, require
from sensor_ingest import gateway, lorawan
from sensor_ingest.gateway import IntakeClosed
from sensor_ingest.lorawan import Network, NetworkEvent

Speaks = Annotated[Holder, Depends(require("partner"))]


def build(bus: Bus) -> APIRouter:
    """``POST /lorawan/…``"""
    router = APIRouter()

    @router.post("/lorawan/chirpstack", status_code=202, tags=["intake"])
    async def chirpstack(
        request: Request, holder: Speaks, event: Annotated[str, Query(pattern=r"^[a-z_]{1,40}$")]
    ) -> JSONResponse:
        """The HTTP integration of ChirpStack v4, encoded as JSON; it adds ``?event=up`` to the URL itself."""
        return await _take(bus, request, holder, "chirpstack", event)

    @router.post("/lorawan/things-stack", status_code=202, tags=["intake"])
    async def things_stack(request: Request, holder: Speaks) -> JSONResponse:
        """Webhooks of The Things Stack v3 in the format JSON; all messages may come to this one path."""
        return await _take(bus, request, holder, "things-stack", "")

    return router


async def _take(bus: Bus, request: Request, holder: Holder, network: Network, event: str) -> JSONResponse:
    if holder.partner is None:
        raise HTTPException(403, "The token names no company.")
    body = await _body(request)
    claim, heard = claim_of(holder.partner, network, event, body, datetime.now(UTC))
    try:
        place = await gateway.hand_in(bus.jetstream, holder.partner, claim)
    except IntakeClosed as closed:
        raise HTTPException(503, closed.sentence, {"Retry-After": str(closed.retry_after)}) from None
    outcome = f"/outcomes?{urlencode(said_by(claim, heard))}"
    answer: dict[str, Any] = {"id": claim.id, "source": claim.source, "stream": place.stream}
    answer |= {"sequence": place.sequence, "outcome": outcome}
    if isinstance(heard, Refused):
        answer["refused"] = {"code": str(heard.reason), "path": heard.path, "detail": heard.detail}
    return JSONResponse(answer, 202, {"Location": outcome})


async def _body(request: Request) -> bytes:
    body = await read_body(request, lorawan.MAX_BODY, "A message")
    if not body:
        raise Refused(Reason.BODY_EMPTY)
    return body


def claim_of(
    partner: str, network: Network, event: str, body: bytes, at: datetime
) -> tuple[Envelope, NetworkEvent | Refused]:
    """The claim that a request is; and what it says, or why it will be refused.

    A network server that tries again says the same event: the claim has the same id. What cannot be read is known by
    its bytes, within a minute.
    """
    heard = _read(network, event, body, at)
    unread = f"{sha256(body).hexdigest()[:32]}-{at:%Y%m%dT%H%MZ}"
    said = WebhookReceivedV1(network=network, event=event, payload=b64encode(body), received_at=at)
    claim = Envelope(
        id=unread if isinstance(heard, Refused) else f"{heard.hardware}-{heard.id}",
        source=f"/oker/webhook/{partner}/{network}",
        type=TYPE_PREFIX + WebhookReceivedV1.TYPE,
        time=at,
        data=said.model_dump_json().encode(),
    )
    return claim, heard


def _read(network: Network, event: str, body: bytes, at: datetime) -> NetworkEvent | Refused:
    try:
        return lorawan.read_webhook(network, event, body, at)
    except Refused as refused:
        return refused


def said_by(claim: Envelope, heard: NetworkEvent | Refused) -> dict[str, str]:
    """The identity under which the outcome is found: the event's own, the same over any intake."""
    if isinstance(heard, Refused):
        return {"source": claim.source, "id": claim.id}
    return {"source": heard.source, "id": heard.id}
