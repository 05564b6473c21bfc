"""The bus's own tables, in the database of each service: settlement, ledger_day, inbox, outbox, quarantine."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    CursorResult,
    Date,
    DateTime,
    Executable,
    Identity,
    Index,
    LargeBinary,
    Text,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

Outcome = Literal["settled", "duplicate", "quarantined"]
Said = tuple[str, str]
"""The identity of an event within its company: CloudEvents source and id."""
NOTIFY_CHANNEL = "oker_outbox"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110, 5.6.2)."""
_CONTROLS = dict.fromkeys((*range(32), 127), " ")
MAX_SAID = 512
"""Characters of a source or id that are kept: as many as an attribute of an event may have."""
MAX_COPY, MAX_COPIED_HEADERS = 800_000, 100_000
"""Bytes of a body, and of its headers, in the copy for QUARANTINE; the broker's limit is 1 MiB for both."""


class Base(SQLModel, registry=registry()):
    """The bus keeps a registry of its own."""


class Settlement(Base, table=True):
    """How one message of one stream ended: written once, in the transaction of its effect.

    ``stored_at``, when the broker stored the message, is part of its identity: a stream that was made anew counts from
    one again, and its messages must not be taken for those that ended before.

    ``event_source`` and ``event_id`` say whose end it was, so that a company learns the outcome of what it sent. Their
    index has the company in front (no other's ids slow it down), the beginning of the id only (PostgreSQL indexes
    2,704 bytes at most, an id may have more), and claims only (nobody asks for facts). Ids that grow with time, as
    most do, are added at its end, so that its cost does not grow with the table.
    """

    __tablename__ = "settlement"
    __table_args__ = (
        Index(
            "settlement_said",
            "partner",
            text("left(event_id, 64)"),
            postgresql_where=text("partner IS NOT NULL"),
        ),
    )

    consumer: str = Field(primary_key=True, sa_type=Text)
    stream: str = Field(primary_key=True, sa_type=Text)
    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    stored_at: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    partner: str | None = Field(default=None, sa_type=Text)
    outcome: str = Field(sa_type=Text)
    read: int = 0
    stored: int = 0
    duplicate: int = 0
    corrected: int = 0
    quarantined: int = 0
    settled_at: datetime = Field(sa_type=DateTime(timezone=True))
    event_source: str | None = Field(default=None, sa_type=Text)
    event_id: str | None = Field(default=None, sa_type=Text(collation="C"))


class LedgerDay(Base, table=True):
    """What became of the messages of one source on one day: settlements, added up in the transaction of each.

    The day is that of Europe/Berlin on which the broker stored the message. Messages that stand in no company's stream
    have the company ``''``, those of unknown origin the source ``''``. ``first`` and ``last`` are sequences.
    """

    __tablename__ = "ledger_day"

    consumer: str = Field(primary_key=True, sa_type=Text)
    stream: str = Field(primary_key=True, sa_type=Text)
    partner: str = Field(primary_key=True, sa_type=Text)
    day: date = Field(primary_key=True, sa_type=Date)
    source: str = Field(primary_key=True, sa_type=Text)
    messages_settled: int = Field(default=0, sa_type=BigInteger)
    messages_duplicate: int = Field(default=0, sa_type=BigInteger)
    messages_quarantined: int = Field(default=0, sa_type=BigInteger)
    read: int = Field(default=0, sa_type=BigInteger)
    stored: int = Field(default=0, sa_type=BigInteger)
    duplicate: int = Field(default=0, sa_type=BigInteger)
    corrected: int = Field(default=0, sa_type=BigInteger)
    quarantined: int = Field(default=0, sa_type=BigInteger)
    erased_stored: int = Field(default=0, sa_type=BigInteger)
    erased_corrected: int = Field(default=0, sa_type=BigInteger)
    first: int | None = Field(default=None, sa_type=BigInteger)
    last: int | None = Field(default=None, sa_type=BigInteger)


class Inbox(Base, table=True):
    """Which events a durable has taken, by the identity of the event."""

    __tablename__ = "inbox"

    consumer: str = Field(primary_key=True, sa_type=Text)
    event_key: UUID = Field(primary_key=True)


class Outbox(Base, table=True):
    """What was announced and is not yet published; the relay deletes a row after its PubAck."""

    __tablename__ = "outbox"

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    key: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    headers: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    body: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), server_default=func.now(), nullable=False))


class Quarantine(Base, table=True):
    """What could not be accepted, with the reason, the place and the bytes; once mended it is kept as evidence.

    Headers and bytes of a message stand beside the first of its refusals of one moment only, mended ones beside the
    first of those that were mended at one moment. ``parts`` is set where a row stands for several readings, see
    :func:`bitmap`; ``part`` is the lowest of them. ``subject`` is empty in rows that are older than the column.
    """

    __tablename__ = "quarantine"
    __table_args__ = (
        Index("quarantine_id", "id", unique=True),
        Index("quarantine_partner", "partner", "id"),
    )

    consumer: str = Field(primary_key=True, sa_type=Text)
    stream: str = Field(primary_key=True, sa_type=Text)
    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    stored_at: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    part: int = Field(primary_key=True)
    partner: str | None = Field(default=None, sa_type=Text)
    event_source: str | None = Field(default=None, sa_type=Text)
    event_id: str | None = Field(default=None, sa_type=Text)
    reason: str = Field(sa_type=Text)
    path: str = Field(sa_type=Text)
    detail: str = Field(sa_type=Text)
    contract: str | None = Field(default=None, sa_type=Text)
    headers: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    body: bytes = Field(sa_type=LargeBinary)
    quarantined_at: datetime = Field(sa_type=DateTime(timezone=True))
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), nullable=False))
    subject: str = Field(default="", sa_type=Text)
    mended_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    mended_by: str | None = Field(default=None, sa_type=Text)
    mended_outcome: str | None = Field(default=None, sa_type=Text)
    mended_headers: dict[str, str] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    mended_body: bytes | None = Field(default=None, sa_type=LargeBinary)
    parts: bytes | None = Field(default=None, sa_type=LargeBinary)


metadata = Base.metadata


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for the relay; messages of one key keep their order."""

    key: str
    subject: str
    headers: dict[str, str]
    body: bytes


class Counts(NamedTuple):
    """What became of the readings of one message: ``read = stored + duplicate + corrected + quarantined``."""

    read: int = 0
    stored: int = 0
    duplicate: int = 0
    corrected: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """The end of one message."""

    consumer: str
    stream: str
    sequence: int
    stored_at: datetime
    partner: str | None
    outcome: Outcome
    settled_at: datetime
    counts: Counts = field(default_factory=Counts)
    said: Said | None = None
    """Source and id of what was said, as far as they are known."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message, or one reading (``part``) of it, or several (``parts``), that were refused."""

    consumer: str
    stream: str
    sequence: int
    stored_at: datetime
    part: int
    partner: str | None
    reason: str
    path: str
    detail: str
    contract: str | None
    headers: dict[str, str]
    body: bytes
    quarantined_at: datetime
    event_source: str | None = None
    event_id: str | None = None
    subject: str = ""
    parts: bytes | None = None

    def outgoing(self, service: str, mended: str = "") -> Outgoing:
        """The copy for the stream QUARANTINE: the raw bytes, and the reason in its headers.

        Args:
            mended: what became of it at last; a second copy says so.

        What the broker would refuse is left out or cut, or the relay would try for ever; all of it stands in the table.
        """
        position = f"{self.stream}/{self.sequence}/{self.part}"
        subject = f"quarantine.{service}.{self.partner or '_'}"
        headers = {
            **_publishable(self.headers),
            "Oker-Reason": self.reason,
            "Oker-Path": _ascii(self.path),
            "Oker-Detail": _ascii(self.detail),
            "Oker-Contract": _ascii(self.contract or ""),
            "Oker-Position": position,
            "Nats-Msg-Id": f"quarantine/{self.consumer}/{position}" + ("/mended" if mended else ""),
        }
        if mended:
            headers["Oker-Mended"] = mended
        if self.parts:
            headers["Oker-Readings"] = str(len(parts_of(self.part, self.parts)))
        if len(self.body) > MAX_COPY:
            headers["Oker-Truncated"] = f"{len(self.body)} bytes; all of them stand in the table of {service}"
        return Outgoing(subject, subject, headers, self.body[:MAX_COPY])


def bitmap(parts: Iterable[int]) -> bytes:
    """A set of parts (1, 2, …) as bits, part 1 being the lowest of the first byte: a thousand take 125 bytes."""
    numbers = list(parts)
    bits = bytearray((max(numbers) + 7) // 8)
    for number in numbers:
        bits[(number - 1) // 8] |= 1 << (number - 1) % 8
    return bytes(bits)


def parts_of(part: int, parts: bytes | None) -> list[int]:
    """The readings that a row stands for, in order; ``[0]`` is the message itself."""
    if parts is None:
        return [part]
    return [8 * at + bit + 1 for at, byte in enumerate(parts) if byte for bit in range(8) if byte >> bit & 1]


def ranges(numbers: Sequence[int]) -> str:
    """Numbers in order as one writes them: ``1, 3-7``."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def _publishable(headers: dict[str, str]) -> dict[str, str]:
    """Those of a stranger's headers that may be said again; names that the broker or we ourselves obey may not."""
    room = MAX_COPIED_HEADERS
    kept = {}
    for name, said in headers.items():
        value = _ascii(said)
        room -= len(name) + len(value)
        if _HEADER_NAME.fullmatch(name) and not name.lower().startswith(("nats-", "oker-")) and room > 0:
            kept[name] = value
    return kept


def _ascii(value: str) -> str:
    return value.encode("ascii", "backslashreplace").decode().translate(_CONTROLS)


async def run(session: AsyncSession, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
    """Run a statement of SQLAlchemy Core in the session's transaction."""
    return await (await session.connection()).execute(statement, parameters)


async def settle(session: AsyncSession, settled: Settled) -> bool:
    """Write the end of a message; ``False`` if it had ended before, and nothing was written."""
    row = {**_flat(settled), **_counts(settled.counts), **_said(settled.said)}
    statement = insert(Settlement).values(row).on_conflict_do_nothing().returning(col(Settlement.sequence))
    return (await run(session, statement)).first() is not None


def _flat(settled: Settled) -> dict[str, Any]:
    names = ("consumer", "stream", "sequence", "stored_at", "partner", "outcome", "settled_at")
    return {name: getattr(settled, name) for name in names}


def _said(said: Said | None) -> dict[str, str | None]:
    source, id = said or (None, None)
    return {"event_source": source, "event_id": id}


def _counts(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in Counts._fields}


async def change_outcome(session: AsyncSession, settled: Settled) -> None:
    """Give the settlement written in this same transaction its outcome."""
    row = await session.get_one(Settlement, (settled.consumer, settled.stream, settled.sequence, settled.stored_at))
    row.outcome = settled.outcome


async def outcome_of(session: AsyncSession, settled: Settled) -> Outcome:
    """How a message that is known to have ended did end."""
    row = await session.get_one(Settlement, (settled.consumer, settled.stream, settled.sequence, settled.stored_at))
    outcome: Outcome = row.outcome  # type: ignore[assignment]
    return outcome


async def take(session: AsyncSession, consumer: str, key: UUID) -> bool:
    """Claim an event for a durable; ``False`` if it was taken before."""
    statement = insert(Inbox).values(consumer=consumer, event_key=key).on_conflict_do_nothing()
    return (await run(session, statement.returning(col(Inbox.consumer)))).first() is not None


async def quarantine(session: AsyncSession, refusals: Iterable[Quarantined]) -> None:
    """Keep what was refused."""
    names = tuple(Quarantined.__dataclass_fields__)
    if rows := [{name: getattr(refusal, name) for name in names} for refusal in refusals]:
        await run(session, insert(Quarantine), rows)


LOCK_KEYS = """
SELECT pg_advisory_xact_lock(k)
FROM (
  SELECT DISTINCT -1 - (hashtextextended(key, 7) & 1023) AS k FROM unnest($1::text[]) AS key ORDER BY 1
) AS locks
"""
"""Keys share 1,024 locks, taken in one order. All databases of a server together have room for some 6,400 by default
(``max_locks_per_transaction`` × ``max_connections``): 10,000 keys could not have a lock each, and two services may
write that many at a time. Keys that share a lock wait for each other now and then, and lose nothing."""
APPEND = f"""
WITH appended AS (
  INSERT INTO outbox (key, subject, headers, body)
  SELECT key, subject, headers::jsonb, body FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
    WITH ORDINALITY AS o(key, subject, headers, body, position) ORDER BY position
) SELECT pg_notify('{NOTIFY_CHANNEL}', '')
"""  # noqa: S608


async def write_outbox(raw: Any, outgoing: Sequence[Outgoing]) -> None:
    """Append to the outbox; ids grow in the order of commits within a key.

    The lock of each key is held until the commit: a later transaction on the same key gets a greater id. One key has
    one lock always, so that this holds although keys share them.

    Args:
        raw: the asyncpg connection of the transaction.
    """
    await raw.execute(LOCK_KEYS, sorted({row.key for row in outgoing}))
    rows = [(o.key, o.subject, json.dumps(o.headers), o.body) for o in outgoing]
    await raw.execute(APPEND, *zip(*rows, strict=True))


async def outbox_size(session: AsyncSession) -> int:
    """How many announced messages are not yet published."""
    return int((await run(session, select(func.count()).select_from(Outbox))).scalar_one())
