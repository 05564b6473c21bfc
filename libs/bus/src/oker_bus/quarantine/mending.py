"""Taking what was refused once more: all of it in one transaction, exactly once."""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog
from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus import days
from oker_bus.batch import Ended
from oker_bus.bus import Bus
from oker_bus.edge import Delivery, is_outage, sqlstate, storable
from oker_bus.outcomes import word
from oker_bus.quarantine.reading import REASONS, first_of, row_of, rows_of
from oker_bus.router import RetryLater
from oker_bus.store import (
    Counts,
    Outcome,
    Quarantine,
    Quarantined,
    Settled,
    Settlement,
    bitmap,
    parts_of,
    quarantine,
    run,
)
from oker_bus.transaction import Cause, Transaction
from oker_contracts import TYPE_PREFIX, Reason, Refused, catalog, read_envelope
from oker_contracts.envelope import STRUCTURED

log = structlog.get_logger()
MAX_RESENT = 200
"""Messages that one request sends again; each has a transaction of its own."""
UNIQUE_VIOLATION = "23505"
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


def delivery_of(row: Quarantine, first: Quarantine, change: Change) -> Delivery:
    """The message as it would be delivered, at its place and under its company, with what is mended.

    Args:
        first: the row beside which its headers and bytes stand.

    Raises:
        Refused: the data stands in a body that cannot be read, so that only the whole body can be mended.
    """
    headers, body = dict(first.headers or row.headers), first.body
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

    Of two who mend at once the second waits for the first at the settlement, and finds the rows as that one left them.

    Args:
        by: who mends, as the token names them.

    Raises:
        Refused: it is refused again, for this reason; nothing was changed.
        HTTPException: 404 or 409 with a sentence; nothing was changed.
    """
    async with bus.transaction() as tx:
        row = await row_of(tx.session, id, partner)
        settlement = await _settlement(tx.session, row)
        rows = await rows_of(tx.session, row)
        if row.mended_at is not None:
            raise HTTPException(409, f"{id} is mended already, by {row.mended_by}: {row.mended_outcome}.")
        way = bus.ways.get(row.consumer)
        if way is None:
            raise HTTPException(409, f"{bus.service} does not hear {row.consumer} here; it cannot be taken again.")
        delivery = delivery_of(row, first_of(row, rows), change)
        tx.cause = Cause(f"{row.stream}/{row.sequence}/mended/{id}", tx.now.isoformat(), row.partner)
        end = await way.again(delivery, tx)
        mended = await _move(tx, [r for r in rows if r.mended_at is None], settlement, end)
        _mark(tx, mended, delivery, by, changed=bool(change.model_fields_set & {"data", "body", "headers"}))
        answer = _answer(row, mended, end)
    log.info("quarantine.mended", consumer=row.consumer, stream=row.stream, sequence=row.sequence, by=by, **answer)
    return answer


Mended = list[tuple[Quarantine, str]]
"""Rows, and what became of the readings that each stands for."""


def _mark(tx: Transaction, mended: Mended, delivery: Delivery, by: str, *, changed: bool) -> None:
    """Say in the rows what became of them, and in the stream; headers and bytes stand beside the first only."""
    for at, (row, outcome) in enumerate(mended):
        row.mended_at, row.mended_by, row.mended_outcome = tx.now, by, outcome
        if changed and at == 0:
            row.mended_headers = {storable(name): storable(value) for name, value in delivery.headers.items()}
            row.mended_body = delivery.body
        headers, body = (delivery.headers, delivery.body) if at == 0 else ({}, b"")
        tx.quarantine(replace(_refusal(row), headers=headers, body=body), outcome)


def _answer(row: Quarantine, mended: Mended, end: Ended) -> dict[str, Any]:
    outcome = next((outcome for part, outcome in mended if part.id == row.id), "quarantined")
    refused = sum(len(parts_of(refusal.part, refusal.parts)) for refusal in end.refusals)
    return {"id": row.id, "outcome": outcome, "mended": [part.id for part, _ in mended], "refused": refused}


async def _settlement(session: AsyncSession, row: Quarantine) -> Settlement:
    """The end of a row's message, locked: whoever mends any of it changes these counts."""
    key = (row.consumer, row.stream, row.sequence, row.stored_at)
    found = await session.get(Settlement, key, with_for_update=True, populate_existing=True)
    if found is None:
        raise HTTPException(409, f"How {row.stream}/{row.sequence} ended is no longer known; send it as a new event.")
    return found


async def _move(tx: Transaction, open: list[Quarantine], settlement: Settlement, end: Ended) -> Mended:
    """Give the settlement its new end, and the ledger with it; returns what is mended, with its outcome."""
    before = _settled(settlement)
    said = before.said
    if open[0].part == 0:
        outcome, counts = end.outcome, end.counts
        if outcome == "quarantined":
            raise _again(end.refusals[0])
        mended = [(open[0], word(outcome, counts))]
        if not all(said or ()):  # who it is was not readable until now
            said = end.said or end.delivery.said() or said
        await quarantine(tx.session, end.refusals)
        for refusal in end.refusals:
            tx.quarantine(refusal)
    else:
        mended = await _apart(tx.session, _parts(open, before.counts, end))
        counts = _counted(before.counts, mended)
        outcome = "duplicate" if counts.duplicate == counts.read else "settled"
    settlement.outcome = outcome
    settlement.event_source, settlement.event_id = said or (None, None)
    for name in Counts._fields:
        setattr(settlement, name, getattr(counts, name))
    await days.add(tx, [replace(before, outcome=outcome, counts=counts, said=said)], [before])
    return mended


def _parts(open: list[Quarantine], before: Counts, end: Ended) -> list[tuple[Quarantine, dict[str, list[int]]]]:
    """Of a message of which some readings were refused, those that are accepted now: by row and by outcome.

    The others were accepted before and come out as duplicates, or are refused for having been changed: no matter. But
    none of them may be stored once more, under another time or id.
    """
    if len(end.parts) != before.read:
        if end.refusals and not end.parts:
            raise _again(end.refusals[0])
        sentence = f"The message has {before.read} readings; keep their number and their order."
        raise Refused(Reason.FIELD_VALUE_INVALID, "$", sentence)
    refused = {part: row for row in open for part in parts_of(row.part, row.parts)}
    for part, outcome in enumerate(end.parts, start=1):
        if part not in refused and outcome in ("stored", "corrected"):
            sentence = f"Reading {part} was accepted before and would be stored again; leave it and its time alone."
            raise Refused(Reason.FIELD_VALUE_INVALID, "$", sentence)
    found: dict[int, tuple[Quarantine, dict[str, list[int]]]] = {}
    for part, row in sorted(refused.items()):
        _, outcomes = found.setdefault(row.part, (row, {}))
        outcomes.setdefault(end.parts[part - 1], []).append(part)
    changed = [(row, outcomes) for row, outcomes in found.values() if set(outcomes) != {"quarantined"}]
    if not changed:
        raise _again(next(r for r in end.refusals if not refused.keys().isdisjoint(parts_of(r.part, r.parts))))
    return changed


async def _apart(session: AsyncSession, changed: list[tuple[Quarantine, dict[str, list[int]]]]) -> Mended:
    """A row whose readings ended in different ways becomes a row for each; the lowest reading keeps its row."""
    mended: Mended = []
    for row, outcomes in changed:
        for outcome, parts in outcomes.items():
            own = row
            if parts[0] != row.part:
                own = Quarantine(**row.model_dump(exclude={"id", "part", "parts", "headers", "body"}), headers={})
                own.part, own.body = parts[0], b""
                session.add(own)
            own.parts = bitmap(parts) if len(parts) > 1 else None
            if outcome != "quarantined":
                mended.append((own, outcome))
    await session.flush()
    return mended


def _counted(before: Counts, mended: Mended) -> Counts:
    ended: Counter[str] = Counter()
    for row, outcome in mended:
        ended[outcome] += len(parts_of(row.part, row.parts))
    moved = {name: getattr(before, name) + ended[name] for name in ("stored", "duplicate", "corrected")}
    return before._replace(quarantined=before.quarantined - ended.total(), **moved)


def _again(refusal: Quarantined) -> Refused:
    return Refused(REASONS[refusal.reason], refusal.path, refusal.detail)


def _settled(row: Settlement) -> Settled:
    outcome: Outcome = row.outcome  # type: ignore[assignment]
    counts = Counts(*(getattr(row, name) for name in Counts._fields))
    said = (row.event_source or "", row.event_id or "") if row.event_source or row.event_id else None
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
        if sqlstate(error) == UNIQUE_VIOLATION:
            raise HTTPException(409, "It was taken elsewhere at this moment; nothing was changed, try again.") from None
        raise Refused(Reason.HANDLER_FAILED) from None


async def resend_all(bus: Bus, partner: str | None, reason: str | None, after: int, by: str) -> dict[str, Any]:
    """Take the next open messages once more, each in its own transaction.

    ``still_refused`` counts readings of the mended messages that were refused again; ``next`` is where to go on.
    """
    said = {"partner": partner, "reason": reason, "after": after, "most": MAX_RESENT}
    async with bus.sessions() as session:
        ids = list((await run(session, text(OPEN_MESSAGES), said)).scalars())
    mended, still, refused = 0, 0, []
    for id in ids:
        try:
            answer = await attempt(bus, id, partner, by, Change())
            mended, still = mended + len(answer["mended"]), still + answer["refused"]
        except Refused as error:
            refused.append({"id": id, "code": str(error.reason), "path": error.path, "detail": error.detail})
        except HTTPException as error:
            refused.append({"id": id, "code": str(error.status_code), "path": "", "detail": error.detail})
    return {
        "taken": len(ids),
        "mended": mended,
        "refused": refused,
        "still_refused": still,
        "next": ids[-1] if len(ids) == MAX_RESENT else None,
    }
