"""The ledger of one service: how every message it heard has ended, by company, source and day, and its recount."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, HTTPException, Query
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.bus import Bus
from oker_bus.days import COUNTS, DAY, OTHER, READINGS, Erased, erase
from oker_bus.store import run
from oker_contracts.base import Slug
from oker_identity import Holder, require

__all__ = ["Erased", "Recount", "count", "erase", "ledger_api"]

Recount = Callable[[AsyncSession], Awaitable[dict[str, dict[str, int]]]]
MAX_ROWS = 10_000
MAX_SEQUENCES = 100_000
"""Of one look at the settled sequences."""
_NUMBERS = (*COUNTS, *READINGS, "erased_stored", "erased_corrected")
SETTLEMENTS = """
SELECT consumer, stream, nullif(partner, '') AS partner,
       sum(messages_settled + messages_duplicate + messages_quarantined)::bigint AS messages,
       sum(messages_settled + messages_duplicate)::bigint AS messages_settled,
       sum(messages_duplicate)::bigint AS messages_duplicate, sum(messages_quarantined)::bigint AS messages_quarantined,
       min(first) AS first, max(last) AS last,
       sum(read)::bigint AS readings_read, sum(stored)::bigint AS readings_stored,
       sum(duplicate)::bigint AS readings_duplicate, sum(corrected)::bigint AS readings_corrected,
       sum(quarantined)::bigint AS readings_quarantined,
       sum(erased_stored)::bigint AS erased_stored, sum(erased_corrected)::bigint AS erased_corrected
FROM ledger_day WHERE CAST(:partner AS text) IS NULL OR partner = :partner
GROUP BY consumer, stream, partner ORDER BY stream, consumer
"""
READINGS_OF = "coalesce(sum(coalesce(bit_count(parts), 1)) FILTER (WHERE part > 0), 0)::bigint"
"""How many readings rows of quarantine stand for."""
REFUSED = f"""
SELECT coalesce(partner, '') AS partner, {READINGS_OF} AS readings,
       count(DISTINCT (consumer, stream, sequence, stored_at)) AS messages
FROM quarantine WHERE mended_at IS NULL AND (CAST(:partner AS text) IS NULL OR partner = :partner) GROUP BY partner
"""  # noqa: S608
SPLIT = f"""
SELECT nullif(partner, '') AS partner, {{keys}}{", ".join(f"sum({name})::bigint AS {name}" for name in _NUMBERS)}
FROM ledger_day
WHERE (CAST(:partner AS text) IS NULL OR partner = :partner) AND day BETWEEN coalesce(:first, '-infinity'::date)
  AND coalesce(:last, 'infinity'::date) AND (CAST(:source AS text) IS NULL OR source = :source)
GROUP BY partner{{groups}} ORDER BY partner{{groups}} LIMIT :most
"""  # noqa: S608
_TODAY = f"""
FROM (SELECT consumer, stream, min(first) AS first, max(last) AS last FROM ledger_day
      WHERE partner = :partner AND day = :day GROUP BY consumer, stream) AS r
JOIN settlement AS s ON s.consumer = r.consumer AND s.stream = r.stream AND s.sequence BETWEEN r.first AND r.last
  AND coalesce(s.partner, '') = :partner AND {DAY} = :day
"""  # noqa: S608
RECOUNTED_DAY = f"""
SELECT s.consumer, s.stream, coalesce(s.event_source, '') AS source,
       {", ".join(f"count(*) FILTER (WHERE s.outcome = '{name[9:]}') AS {name}" for name in COUNTS)},
       {", ".join(f"coalesce(sum(s.{name}), 0)::bigint AS {name}" for name in READINGS)}
{_TODAY} GROUP BY 1, 2, 3
"""
COUNTED_DAY = f"""
SELECT consumer, stream, source, {", ".join((*COUNTS, *READINGS))} FROM ledger_day
WHERE partner = :partner AND day = :day AND first IS NOT NULL
"""  # noqa: S608
UNEXPLAINED = f"""
SELECT s.consumer, s.stream, s.sequence, s.quarantined, coalesce(q.readings, 0) AS readings
{_TODAY} CROSS JOIN LATERAL (
  SELECT count(*) AS rows, {READINGS_OF} AS readings FROM quarantine AS q
  WHERE q.consumer = s.consumer AND q.stream = s.stream AND q.sequence = s.sequence AND q.stored_at = s.stored_at
    AND q.mended_at IS NULL
) AS q
WHERE (s.outcome = 'quarantined' OR s.quarantined > 0) AND (q.readings <> s.quarantined OR q.rows = 0)
ORDER BY 1, 2, 3 LIMIT 1
"""  # noqa: S608
ORPHAN = """
SELECT q.consumer, q.stream, q.sequence FROM quarantine AS q
WHERE q.mended_at IS NULL AND coalesce(q.partner, '') = :partner AND NOT EXISTS (
  SELECT 1 FROM settlement AS s WHERE s.consumer = q.consumer AND s.stream = q.stream AND s.sequence = q.sequence
    AND s.stored_at = q.stored_at AND (s.outcome = 'quarantined' OR s.quarantined > 0))
ORDER BY 1, 2, 3 LIMIT 1
"""
TOTALS = """
SELECT r.consumer, r.stream, r.counted, (SELECT count(*) FROM settlement AS s WHERE s.consumer = r.consumer
  AND s.stream = r.stream AND coalesce(s.partner, '') = :partner) AS found
FROM (SELECT consumer, stream, sum(messages_settled + messages_duplicate + messages_quarantined)::bigint AS counted
      FROM ledger_day WHERE partner = :partner GROUP BY 1, 2) AS r ORDER BY 1, 2
"""
SEQUENCES = """
SELECT min(sequence) AS first, max(sequence) AS last, min(sequence) FILTER (WHERE times > 1) AS twice
FROM (SELECT sequence, times, sequence - row_number() OVER (ORDER BY sequence) AS range
      FROM (SELECT sequence, count(*) AS times FROM settlement WHERE consumer = :consumer AND stream = :stream
            AND sequence BETWEEN :first AND :last AND stored_at >= :since GROUP BY sequence) AS settled) AS ranged
GROUP BY range ORDER BY 1
"""
Reads = Annotated[Holder, Depends(require("auditor", "unit", "partner"))]
Recounts = Annotated[Holder, Depends(require("auditor", "unit"))]


async def count(session: AsyncSession, recount: Recount | None, partner: str | None = None) -> dict[str, Any]:
    """All settlements by durable, stream and company; open quarantine rows; readings counted anew from the tables."""
    said = {"partner": partner}
    settlements = [dict(row) for row in (await run(session, text(SETTLEMENTS), said)).mappings()]
    refused = {row["partner"]: dict(row) for row in (await run(session, text(REFUSED), said)).mappings()}
    recounted = await recount(session) if recount else {}
    own = {name: found for name, found in recounted.items() if partner in (None, name)}
    return {"settlements": settlements, "quarantine": refused, "recounted": own}


async def split(session: AsyncSession, by: list[str], **said: Any) -> dict[str, Any]:
    """The ledger by company and by the keys named: source, day."""
    groups = "".join(f", {key}" for key in by)
    keys = "".join(f"{key}, " for key in by)
    query = text(SPLIT.format(keys=keys, groups=groups))
    rows = [dict(row) for row in (await run(session, query, {**said, "most": MAX_ROWS + 1})).mappings()]
    return {"rows": rows[:MAX_ROWS], "more": len(rows) > MAX_ROWS}


class Checked(NamedTuple):
    """What was held against each other, how many there were, and the first difference as a sentence."""

    settlements: int
    readings: int
    difference: str | None


async def recount_day(session: AsyncSession, partner: str, day: date) -> Checked:
    """Hold the ledger of a company's day against its settlements, and these against quarantine."""
    said = {"partner": partner, "day": day}
    counted = _by_place((await run(session, text(COUNTED_DAY), said)).mappings())
    found = _by_place((await run(session, text(RECOUNTED_DAY), said)).mappings())
    if any(source == OTHER for _, _, source in counted):
        counted, found = _without_source(counted), _without_source(found)
    settlements = sum(sum(row[: len(COUNTS)]) for row in found.values())
    readings = sum(row[len(COUNTS)] for row in found.values())
    difference = _first_difference(counted, found, day)
    if difference is None:
        row = (await run(session, text(UNEXPLAINED), said)).mappings().first()
        difference = _unexplained(row) if row else None
    return Checked(settlements, readings, difference)


Place = tuple[str, str, str]


def _by_place(rows: Any) -> dict[Place, tuple[int, ...]]:
    return {
        (row["consumer"], row["stream"], row["source"]): tuple(row[name] for name in (*COUNTS, *READINGS))
        for row in rows
    }


def _without_source(rows: dict[Place, tuple[int, ...]]) -> dict[Place, tuple[int, ...]]:
    """A day with more sources than get rows of their own is compared as a whole."""
    whole: dict[Place, tuple[int, ...]] = {}
    for (consumer, stream, _), numbers in rows.items():
        before = whole.get((consumer, stream, ""), (0,) * len(numbers))
        whole[consumer, stream, ""] = tuple(map(sum, zip(before, numbers, strict=True)))
    return whole


def _first_difference(counted: dict[Place, Any], found: dict[Place, Any], day: date) -> str | None:
    nothing = (0,) * len((*COUNTS, *READINGS))
    for place in sorted(counted.keys() | found.keys()):
        said, seen = counted.get(place, nothing), found.get(place, nothing)
        for name, here, there in zip((*COUNTS, *READINGS), said, seen, strict=True):
            if here != there:
                consumer, stream, source = place
                what = name.replace("messages_", "messages ") if name in COUNTS else f"readings {name}"
                of = f" of source {source!r}" if source else ""
                return f"{consumer} on {stream}, {day}{of}: the ledger says {here} {what}, the settlements {there}"
    return None


def _unexplained(row: Any) -> str:
    where = f"{row['consumer']} on {row['stream']}, sequence {row['sequence']}"
    if row["readings"] != row["quarantined"]:
        return f"{where}: {row['quarantined']} readings were refused, {row['readings']} are in quarantine"
    return f"{where}: the message was refused, and is not in quarantine"


async def recount_all(session: AsyncSession, partner: str, recount: Recount | None) -> Checked:
    """Hold the totals of a company against the tables: settlements, quarantine, and what the service keeps."""
    totals = (await run(session, text(TOTALS), {"partner": partner})).mappings().all()
    settlements = sum(row["found"] for row in totals)
    for row in totals:
        if row["counted"] != row["found"]:
            where = f"{row['consumer']} on {row['stream']}"
            sentence = f"{where}: the ledger says {row['counted']} messages, there are {row['found']} settlements"
            return Checked(settlements, 0, sentence)
    orphan = (await run(session, text(ORPHAN), {"partner": partner})).mappings().first()
    if orphan:
        where = f"{orphan['consumer']} on {orphan['stream']}, sequence {orphan['sequence']}"
        return Checked(settlements, 0, f"{where}: is in quarantine, and no settlement says that it was refused")
    return await _recount_kept(session, partner, recount, settlements)


async def _recount_kept(session: AsyncSession, partner: str, recount: Recount | None, settlements: int) -> Checked:
    if recount is None:
        return Checked(settlements, 0, None)
    rows = (await run(session, text(SETTLEMENTS), {"partner": partner})).mappings().all()
    found = (await recount(session)).get(partner, {})
    kept = sum(found.get(name, 0) for name in ("stored", "corrected"))
    for name in ("stored", "corrected"):
        said, erased = (sum(row[key] for row in rows) for key in (f"readings_{name}", f"erased_{name}"))
        there = found.get(name, 0)
        if said != there + erased:
            sentence = f"{said} readings {name} ≠ {there} recounted from the tables + {erased} erased"
            return Checked(settlements, kept, sentence)
    return Checked(settlements, kept, None)


async def sequences(session: AsyncSession, said: Mapping[str, Any]) -> dict[str, Any]:
    """Which sequences of a stream a durable has settled, as ranges; and the first that it has settled twice."""
    rows = (await run(session, text(SEQUENCES), said)).mappings().all()
    twice = next((row["twice"] for row in rows if row["twice"] is not None), None)
    return {"ranges": [[row["first"], row["last"]] for row in rows], "twice": twice}


def ledger_api(bus: Bus, recount: Recount | None) -> APIRouter:
    """``GET /ledger`` for the auditor and the unit, and for a company its own; the recount for the former."""
    router = APIRouter(tags=["ledger"])

    @router.get("/ledger")
    async def ledger(
        holder: Reads,
        by: Annotated[str | None, Query(pattern="^(source|day)(,(source|day))?$")] = None,
        partner: Slug | None = None,
        source: str | None = None,
        first: Annotated[date | None, Query(alias="from")] = None,
        last: Annotated[date | None, Query(alias="until")] = None,
    ) -> dict[str, Any]:
        """Totals and the recount; with ``by=source,day`` rows by company and these keys, days being those of Berlin."""
        whose = _whose(holder, partner)
        async with bus.sessions() as session, session.begin():
            await _look_once(session)
            if by is None:
                return await count(session, recount, whose)
            keys = list(dict.fromkeys(by.split(",")))
            return await split(session, keys, partner=whose, source=source, first=first, last=last)

    @router.get("/ledger/recount")
    async def recounted(_: Recounts, partner: str, day: date | None = None) -> dict[str, Any]:
        """The first difference between the ledger and the tables: of one day, or of the totals."""
        async with bus.sessions() as session, session.begin():
            await _look_once(session)
            if day is not None:
                return (await recount_day(session, partner, day))._asdict()
            return (await recount_all(session, partner, recount))._asdict()

    @router.get("/ledger/sequences")
    async def settled_sequences(
        _: Recounts, consumer: str, stream: str, first: int, last: int, since: datetime
    ) -> dict[str, Any]:
        """The settled sequences of a stream that was made at ``since``, as ranges."""
        if not 0 <= last - first < MAX_SEQUENCES:
            raise HTTPException(422, f"first and last span {MAX_SEQUENCES} sequences at most.")
        said = {"consumer": consumer, "stream": stream, "first": first, "last": last, "since": since}
        async with bus.sessions() as session:
            return await sequences(session, said)

    return router


def _whose(holder: Holder, asked: str | None) -> str | None:
    """The company whose rows are shown; ``None`` for all."""
    if holder.partner is not None and asked not in (None, holder.partner):
        raise HTTPException(403, f"You speak for {holder.partner} and see its ledger only.")
    return holder.partner or asked


async def _look_once(session: AsyncSession) -> None:
    """All statements see one moment."""
    await run(session, text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
