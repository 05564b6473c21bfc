"""Quarantine of one service: what was refused can be read, mended and sent again, exactly once."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus import days
from oker_bus.batch import Ended, body_once
from oker_bus.bus import Bus
from oker_bus.edge import Delivery, is_outage
from oker_bus.outcomes import word
from oker_bus.router import RetryLater
from oker_bus.store import Counts, Outcome, Quarantine, Quarantined, Settled, Settlement, quarantine, run
from oker_bus.transaction import Cause, Transaction
from oker_contracts import TYPE_PREFIX, Reason, Refused, catalog, read_envelope
from oker_contracts.base import Slug
from oker_contracts.envelope import STRUCTURED, read_json
from oker_contracts.reading import json_path, reason_of
from oker_identity import Holder, require

log = structlog.get_logger()
MAX_REQUEST = 2_000_000
"""Bytes of a mended message with its headers, as JSON."""
MAX_RESENT = 200
"""Messages that one request sends again; each has a transaction of its own."""
REASONS = {str(reason): reason for reason in Reason}
LIST = """
SELECT id, consumer, stream, sequence, part, stored_at, partner, event_source, event_id, reason, path, detail, contract,
       quarantined_at, mended_at, mended_by, mended_outcome
FROM quarantine
WHERE id > :after AND (CAST(:partner AS text) IS NULL OR partner = :partner)
  AND (CAST(:reason AS text) IS NULL OR reason = :reason)
  AND (CAST(:state AS text) IS NULL OR (mended_at IS NULL) = (:state = 'open'))
  AND quarantined_at BETWEEN coalesce(CAST(:first AS timestamptz), '-infinity')
    AND coalesce(CAST(:last AS timestamptz), 'infinity')
ORDER BY id LIMIT :most
"""
OPEN_MESSAGES = """
SELECT min(id) AS id FROM quarantine
WHERE mended_at IS NULL AND id > :after AND (CAST(:partner AS text) IS NULL OR partner = :partner)
  AND (CAST(:reason AS text) IS NULL OR reason = :reason)
GROUP BY consumer, stream, sequence, stored_at ORDER BY 1 LIMIT :most
"""


class Change(BaseModel):
    """What is mended of a message: its data, or its whole body; and headers.

    Nothing at all sends the same bytes again, since what they lacked may be there now.
    """

    model_config = ConfigDict(extra="forbid")

    data: Any = None
    """the event's data, as JSON"""
    body: str | None = None
    """the body as it should have come, in Base64"""
    headers: dict[str, str] = Field(default={}, max_length=50)
    """those that were missing or wrong, for example ``ce-type``"""


def shown(row: Any) -> dict[str, Any]:
    """A row as it is listed: with what its reason means."""
    reason = REASONS.get(row["reason"])
    return {**row, "meaning": reason.meaning if reason else ""}


async def listed(session: AsyncSession, said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows in the order they came, without their bytes."""
    return [shown(row) for row in (await run(session, text(LIST), said)).mappings()]


async def message_of(
    session: AsyncSession, id: int, partner: str | None, *, lock: bool = False
) -> tuple[Quarantine, list[Quarantine]]:
    """A row, and all rows of its message.

    Raises:
        HTTPException: 404, there is none, or it is another company's.
    """
    row = (await session.exec(select(Quarantine).where(col(Quarantine.id) == id))).one_or_none()
    if row is None or partner not in (None, row.partner):
        raise HTTPException(404, f"There is no {id} in this quarantine.")
    where = [col(getattr(Quarantine, name)) == getattr(row, name) for name in ("consumer", "stream", "sequence")]
    query = select(Quarantine).where(*where, col(Quarantine.stored_at) == row.stored_at).order_by(col(Quarantine.part))
    query = query.execution_options(populate_existing=True)
    rows = (await session.exec(query.with_for_update() if lock else query)).all()
    return next(found for found in rows if found.id == id), list(rows)


def body_of(row: Quarantine, rows: Sequence[Quarantine]) -> bytes:
    """The bytes of a row's message: they stand beside the first of the refusals of one moment."""
    return next((r.body for r in rows if r.body and r.quarantined_at == row.quarantined_at), row.body)


def delivery_of(row: Quarantine, body: bytes, change: Change) -> Delivery:
    """The message as it would be delivered, at its place and under its company, with what is mended.

    Raises:
        Refused: the data stands in a body that cannot be read, so that only the whole body can be mended.
    """
    headers = dict(row.headers)
    if change.body is not None:
        body = _base64(change.body)
    elif "data" in change.model_fields_set:
        headers = _in_binary_mode(headers, body, change.headers)
        body = json.dumps(change.data).encode()
    named = {name.lower() for name in change.headers}
    headers = {name: value for name, value in headers.items() if name.lower() not in named} | change.headers
    subject = row.subject or _subject(headers, row.partner)
    where = (row.consumer, row.stream, row.sequence, row.partner)
    return Delivery(*where, subject, headers, body, row.stored_at, deliveries=1)


def _base64(said: str) -> bytes:
    try:
        return b64decode(said, validate=True)
    except ValueError:
        raise Refused(Reason.FIELD_VALUE_INVALID, "$.body", "Not Base64 (RFC 4648).") from None


def _in_binary_mode(headers: dict[str, str], body: bytes, mended: Mapping[str, str]) -> dict[str, str]:
    """Headers for a body that is the data alone; a structured event is taken apart for that."""
    lower = {name.lower(): value for name, value in headers.items()}
    if lower.get("content-type", "").split(";")[0].strip().lower() != STRUCTURED:
        return headers
    if {"ce-id", "ce-source", "ce-type", "ce-specversion"} <= {name.lower() for name in mended}:
        return {"content-type": "application/json"}
    try:
        return read_envelope(headers, body).headers()
    except Refused as refused:
        sentence = "The structured event cannot be read; mend its whole body."
        raise Refused(refused.reason, refused.path, sentence) from None


def _subject(headers: Mapping[str, str], partner: str | None) -> str:
    """Where a message must have been published whose row does not say so."""
    lower = {name.lower(): value for name, value in headers.items()}
    type = lower.get("ce-type", "")
    entry = catalog().find(type)
    if entry and partner:
        return entry.claim_subject(partner)
    name = type.removeprefix(TYPE_PREFIX)
    return f"ingest.{partner}.{name}" if partner else name


async def mend(bus: Bus, id: int, partner: str | None, by: str, change: Change) -> dict[str, Any]:
    """Take a refused message once more, and move it in the ledger: all of it in one transaction, or nothing.

    Of two who mend at once the second waits for the first, and finds the row mended.

    Args:
        by: who mends, as the token names them.

    Raises:
        Refused: it is refused again, for this reason; nothing was changed.
        HTTPException: 404 or 409 with a sentence; nothing was changed.
    """
    async with bus.transaction() as tx:
        row, rows = await message_of(tx.session, id, partner, lock=True)
        if row.mended_at is not None:
            raise HTTPException(409, f"{id} is mended already, by {row.mended_by}: {row.mended_outcome}.")
        way = bus.ways.get(row.consumer)
        if way is None:
            raise HTTPException(409, f"{bus.service} does not hear {row.consumer} here; it cannot be taken again.")
        settlement = await _settlement(tx.session, row)
        delivery = delivery_of(row, body_of(row, rows), change)
        tx.cause = Cause(f"{row.stream}/{row.sequence}/mended/{id}", tx.now.isoformat(), row.partner)
        end = await way.again(delivery, tx)
        mended = await _move(tx, [r for r in rows if r.mended_at is None], settlement, end)
        for part, outcome in mended:
            part.mended_at, part.mended_by, part.mended_outcome = tx.now, by, outcome
            if change.model_fields_set & {"data", "body", "headers"}:
                part.mended_headers, part.mended_body = dict(delivery.headers), delivery.body
            tx.quarantine(replace(_refusal(part), headers=delivery.headers, body=delivery.body), outcome)
        answer = _answer(row, mended, end)
    log.info("quarantine.mended", consumer=row.consumer, stream=row.stream, sequence=row.sequence, by=by, **answer)
    return answer


def _answer(row: Quarantine, mended: list[tuple[Quarantine, str]], end: Ended) -> dict[str, Any]:
    outcome = next((outcome for part, outcome in mended if part.id == row.id), "quarantined")
    return {"id": row.id, "outcome": outcome, "mended": [part.id for part, _ in mended], "refused": len(end.refusals)}


async def _settlement(session: AsyncSession, row: Quarantine) -> Settlement:
    found = await session.get(Settlement, (row.consumer, row.stream, row.sequence, row.stored_at))
    if found is None:
        raise HTTPException(409, f"How {row.stream}/{row.sequence} ended is no longer known; send it as a new event.")
    return found


async def _move(
    tx: Transaction, open: list[Quarantine], settlement: Settlement, end: Ended
) -> list[tuple[Quarantine, str]]:
    """Give the settlement its new end, and the ledger with it; returns what is mended, with its outcome."""
    before = _settled(settlement)
    whole = open[0].part == 0
    if whole:
        outcome, counts = end.outcome, end.counts
        if outcome == "quarantined":
            raise _again(end.refusals[0])
        mended = [(open[0], word(outcome, counts))]
        refusals = body_once(end.refusals)
        await quarantine(tx.session, refusals)
        for refusal in refusals:
            tx.quarantine(refusal)
    else:
        mended = _parts(open, before.counts, end)
        counts = _counted(before.counts, [outcome for _, outcome in mended])
        outcome = "duplicate" if counts.duplicate == counts.read else "settled"
    settlement.outcome = outcome
    for name in Counts._fields:
        setattr(settlement, name, getattr(counts, name))
    await days.add(tx, [replace(before, outcome=outcome, counts=counts)], [before])
    return mended


def _parts(open: list[Quarantine], before: Counts, end: Ended) -> list[tuple[Quarantine, str]]:
    """Of a message of which some readings were refused, those that are accepted now.

    The others were accepted before and come out as duplicates, or are refused for having been changed: no matter. But
    none of them may be stored once more, under another time or id.
    """
    if len(end.parts) != before.read:
        if end.refusals and not end.parts:
            raise _again(end.refusals[0])
        sentence = f"The message has {before.read} readings; keep their number and their order."
        raise Refused(Reason.FIELD_VALUE_INVALID, "$", sentence)
    refused = {row.part: row for row in open}
    for part, outcome in enumerate(end.parts, start=1):
        if part not in refused and outcome in ("stored", "corrected"):
            sentence = f"Reading {part} was accepted before and would be stored again; leave it and its time alone."
            raise Refused(Reason.FIELD_VALUE_INVALID, "$", sentence)
    mended = [(row, end.parts[part - 1]) for part, row in refused.items() if end.parts[part - 1] != "quarantined"]
    if not mended:
        raise _again(next(refusal for refusal in end.refusals if refusal.part in refused))
    return mended


def _counted(before: Counts, outcomes: list[str]) -> Counts:
    moved = {name: getattr(before, name) + outcomes.count(name) for name in ("stored", "duplicate", "corrected")}
    return before._replace(quarantined=before.quarantined - len(outcomes), **moved)


def _again(refusal: Quarantined) -> Refused:
    return Refused(REASONS[refusal.reason], refusal.path, refusal.detail)


def _settled(row: Settlement) -> Settled:
    outcome: Outcome = row.outcome  # type: ignore[assignment]
    counts = Counts(*(getattr(row, name) for name in Counts._fields))
    said = (row.event_source or "", row.event_id or "")
    where = (row.consumer, row.stream, row.sequence, row.stored_at, row.partner)
    return Settled(*where, outcome, row.settled_at, counts, said)


def _refusal(row: Quarantine) -> Quarantined:
    return Quarantined(**{name: getattr(row, name) for name in Quarantined.__dataclass_fields__})


async def attempt(bus: Bus, id: int, partner: str | None, by: str, change: Change) -> dict[str, Any]:
    """:func:`mend`, and what goes wrong in the service's own way as an answer.

    Raises:
        Refused: it is refused again; ``handler_failed`` if the service failed on it.
        HTTPException: 404, 409 or 503 with a sentence.
    """
    try:
        return await mend(bus, id, partner, by, change)
    except (Refused, HTTPException):
        raise
    except RetryLater as error:
        raise HTTPException(409, f"What it needs is not there yet ({type(error).__name__}); try later.") from None
    except Exception as error:
        log.exception("quarantine.not_mended", id=id, error=type(error).__name__)
        if is_outage(error):
            raise HTTPException(503, "The database is away; nothing was changed, try later.") from None
        raise Refused(Reason.HANDLER_FAILED) from None


async def resend_all(bus: Bus, partner: str | None, reason: str | None, after: int, by: str) -> dict[str, Any]:
    """Take the next open messages once more, each in its own transaction; ``next`` is where to go on."""
    said = {"partner": partner, "reason": reason, "after": after, "most": MAX_RESENT}
    async with bus.sessions() as session:
        ids = list((await run(session, text(OPEN_MESSAGES), said)).scalars())
    mended, refused = 0, []
    for id in ids:
        try:
            mended += len((await attempt(bus, id, partner, by, Change()))["mended"])
        except Refused as error:
            refused.append({"id": id, "code": str(error.reason), "path": error.path, "detail": error.detail})
        except HTTPException as error:
            refused.append({"id": id, "code": str(error.status_code), "path": "", "detail": error.detail})
    return {
        "taken": len(ids),
        "mended": mended,
        "refused": refused,
        "next": ids[-1] if len(ids) == MAX_RESENT else None,
    }


Reads = Annotated[Holder, Depends(require("unit", "partner", "auditor"))]
Mends = Annotated[Holder, Depends(require("unit", "partner"))]


def quarantine_api(bus: Bus) -> APIRouter:
    """``/quarantine``: a company sees and mends its own, the unit all; the auditor reads."""
    router = APIRouter(prefix="/quarantine", tags=["quarantine"])

    @router.get("")
    async def rows(
        holder: Reads,
        partner: Slug | None = None,
        reason: str | None = None,
        first: Annotated[datetime | None, Query(alias="from")] = None,
        last: Annotated[datetime | None, Query(alias="until")] = None,
        state: Literal["open", "mended"] | None = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        after: int = 0,
    ) -> list[dict[str, Any]]:
        """What was refused, the oldest first; go on with ``after=<the last id>``."""
        said = {"partner": holder.partner or partner, "reason": reason, "first": first, "last": last}
        async with bus.sessions() as session:
            return await listed(session, {**said, "state": state, "after": after, "most": limit})

    @router.get("/{id}")
    async def row(id: int, holder: Reads) -> dict[str, Any]:
        """One refusal with the headers and the bytes of its message."""
        async with bus.sessions() as session:
            found, rows = await message_of(session, id, holder.partner)
        return _whole(found, body_of(found, rows))

    @router.post("/resend")
    async def resend_many(
        holder: Mends, partner: Slug | None = None, reason: str | None = None, after: int = 0
    ) -> dict[str, Any]:
        """Take up to 200 open messages once more; go on with ``after=<next>``."""
        return await resend_all(bus, holder.partner or partner, reason, after, holder.id)

    @router.post("/{id}/resend")
    async def resend(id: int, holder: Mends) -> dict[str, Any]:
        """Take the same bytes once more, for example after the device was declared."""
        return await attempt(bus, id, holder.partner, holder.id, Change())

    @router.post("/{id}/mend")
    async def mend_one(id: int, request: Request, holder: Mends) -> dict[str, Any]:
        """Take the message once more with other data, body or headers; see ``Change``."""
        return await attempt(bus, id, holder.partner, holder.id, await _change(request))

    return router


async def _change(request: Request) -> Change:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_REQUEST:
            raise Refused(Reason.BODY_TOO_LARGE, "$", f"A mended message has {MAX_REQUEST} bytes at most.")
    said = read_json(bytes(body))
    try:
        return Change.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(reason_of(first["type"]), json_path(first["loc"]), first["msg"][:200]) from None


def _whole(row: Quarantine, body: bytes) -> dict[str, Any]:
    left_out = {"body", "mended_body"}
    whole = {name: value for name, value in row.model_dump().items() if name not in left_out}
    return shown({**whole, **_bytes("body", body), **_bytes("mended_body", row.mended_body)})


def _bytes(name: str, body: bytes | None) -> dict[str, str | None]:
    """Bytes always in Base64, and as text where they are text."""
    if body is None:
        return {name: None, f"{name}_base64": None}
    try:
        as_text: str | None = body.decode("utf-8")
    except UnicodeDecodeError:
        as_text = None
    return {name: as_text, f"{name}_base64": b64encode(body).decode()}
