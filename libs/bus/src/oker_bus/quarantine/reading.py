"""What was refused, as it is listed and shown."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import HTTPException
from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.store import Quarantine, parts_of, ranges, run
from oker_contracts import Reason

REASONS = {str(reason): reason for reason in Reason}
LIST = """
SELECT id, consumer, stream, sequence, part, stored_at, partner, event_source, event_id, reason, path, detail, contract,
       quarantined_at, mended_at, mended_by, mended_outcome,
       coalesce(bit_count(parts), least(part, 1)) AS readings
FROM quarantine
WHERE id > :after AND (CAST(:partner AS text) IS NULL OR partner = :partner)
  AND (CAST(:reason AS text) IS NULL OR reason = :reason)
  AND (CAST(:state AS text) IS NULL OR (mended_at IS NULL) = (:state = 'open'))
  AND quarantined_at BETWEEN coalesce(CAST(:first AS timestamptz), '-infinity')
    AND coalesce(CAST(:last AS timestamptz), 'infinity')
ORDER BY id LIMIT :most
"""
"""``readings`` is how many a row stands for, 0 where it is the whole message."""


def shown(row: Any) -> dict[str, Any]:
    """A row as it is listed: with what its reason means."""
    reason = REASONS.get(row["reason"])
    return {**row, "meaning": reason.meaning if reason else ""}


async def listed(session: AsyncSession, said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows in the order they came, without their bytes."""
    return [shown(row) for row in (await run(session, text(LIST), said)).mappings()]


async def row_of(session: AsyncSession, id: int, partner: str | None) -> Quarantine:
    """A row.

    Raises:
        HTTPException: 404, there is none, or it is another company's.
    """
    row = (await session.exec(select(Quarantine).where(col(Quarantine.id) == id))).one_or_none()
    if row is None or partner not in (None, row.partner):
        raise HTTPException(404, f"There is no {id} in this quarantine.")
    return row


async def rows_of(session: AsyncSession, row: Quarantine) -> list[Quarantine]:
    """All rows of its message, by part, as they are now."""
    where = [
        col(getattr(Quarantine, name)) == getattr(row, name) for name in ("consumer", "stream", "sequence", "stored_at")
    ]
    query = select(Quarantine).where(*where).order_by(col(Quarantine.part))
    return list((await session.exec(query.execution_options(populate_existing=True))).all())


def first_of(row: Quarantine, rows: Sequence[Quarantine]) -> Quarantine:
    """The row beside which headers and bytes of this row's message stand: the first of the refusals of one moment."""
    return next(r for r in rows if r.quarantined_at == row.quarantined_at and (r.part == 0) == (row.part == 0))


def whole(row: Quarantine, rows: Sequence[Quarantine]) -> dict[str, Any]:
    """A row with headers and bytes of its message, and with what was mended of it."""
    kept = row.model_dump(exclude={"body", "mended_body", "parts"})
    first = first_of(row, rows)
    mended = next((r for r in rows if r.mended_body is not None and r.mended_at == row.mended_at), row)
    kept |= {"headers": first.headers or row.headers, "mended_headers": mended.mended_headers}
    parts = parts_of(row.part, row.parts)
    kept |= {"readings": len(parts) if row.part else 0, "parts": ranges(parts)}
    return shown({**kept, **_bytes("body", first.body), **_bytes("mended_body", mended.mended_body)})


def _bytes(name: str, body: bytes | None) -> dict[str, str | None]:
    """Bytes always in Base64, and as text where they are text."""
    if body is None:
        return {name: None, f"{name}_base64": None}
    try:
        as_text: str | None = body.decode("utf-8")
    except UnicodeDecodeError:
        as_text = None
    return {name: as_text, f"{name}_base64": b64encode(body).decode()}
