"""The bus's own tables, in the database of each service: settlement, inbox, outbox, quarantine."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    CursorResult,
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
NOTIFY_CHANNEL = "oker_outbox"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110, 5.6.2)."""
_CONTROLS = dict.fromkeys((*range(32), 127), " ")
MAX_COPY, MAX_COPIED_HEADERS = 800_000, 100_000
"""Bytes of a body, and of its headers, in the copy for QUARANTINE; the broker's limit is 1 MiB for both."""


class Base(SQLModel, registry=registry()):
    """The bus keeps a registry of its own."""


class Settlement(Base, table=True):
    """How one message of one stream ended: written once, in the transaction of its effect.

    ``stored_at``, when the broker stored the message, is part of its identity: a stream that was made anew counts from
    one again, and its messages must not be taken for those that ended before.
    """

    __tablename__ = "settlement"

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
    """What could not be accepted, with the reason, the place and the bytes."""

    __tablename__ = "quarantine"
    __table_args__ = (Index("quarantine_partner", "partner", "quarantined_at"),)

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


metadata = Base.metadata


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for the relay; messages of one key keep their order."""

    key: str
    subject: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Counts:
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


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message, or one reading (``part``) of it, that was refused."""

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

    def outgoing(self, service: str) -> Outgoing:
        """The copy for the stream QUARANTINE: the raw bytes, and the reason in its headers.

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
            "Nats-Msg-Id": f"quarantine/{self.consumer}/{position}",
        }
        if len(self.body) > MAX_COPY:
            headers["Oker-Truncated"] = f"{len(self.body)} bytes; all of them stand in the table of {service}"
        return Outgoing(subject, subject, headers, self.body[:MAX_COPY])


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
    row = {**_flat(settled), **_counts(settled.counts)}
    statement = insert(Settlement).values(row).on_conflict_do_nothing().returning(col(Settlement.sequence))
    return (await run(session, statement)).first() is not None


def _flat(settled: Settled) -> dict[str, Any]:
    names = ("consumer", "stream", "sequence", "stored_at", "partner", "outcome", "settled_at")
    return {name: getattr(settled, name) for name in names}


def _counts(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in Counts.__dataclass_fields__}


async def change_outcome(session: AsyncSession, settled: Settled) -> None:
    """Give the settlement written in this same transaction its outcome."""
    row = await session.get_one(Settlement, (settled.consumer, settled.stream, settled.sequence, settled.stored_at))
    row.outcome = settled.outcome


async def take(session: AsyncSession, consumer: str, key: UUID) -> bool:
    """Claim an event for a durable; ``False`` if it was taken before."""
    statement = insert(Inbox).values(consumer=consumer, event_key=key).on_conflict_do_nothing()
    return (await run(session, statement.returning(col(Inbox.consumer)))).first() is not None


async def quarantine(session: AsyncSession, refusals: Iterable[Quarantined]) -> None:
    """Keep what was refused."""
    for refusal in refusals:
        session.add(Quarantine(**{name: getattr(refusal, name) for name in Quarantined.__dataclass_fields__}))
    await session.flush()


async def write_outbox(session: AsyncSession, outgoing: Sequence[Outgoing]) -> None:
    """Append to the outbox; ids grow in the order of commits within a key.

    The lock of each key is held until the commit: a later transaction on the same key gets a greater id.
    """
    if not outgoing:
        return
    keys = sorted({row.key for row in outgoing})
    locks = text(
        "SELECT pg_advisory_xact_lock(k) FROM (SELECT DISTINCT hashtextextended(key, 7) AS k "
        "FROM unnest(CAST(:keys AS text[])) AS key ORDER BY 1) AS locks"
    )
    await run(session, locks, {"keys": keys})
    rows = [{"key": r.key, "subject": r.subject, "headers": r.headers, "body": r.body} for r in outgoing]
    await run(session, insert(Outbox), rows)
    await run(session, text(f"NOTIFY {NOTIFY_CHANNEL}"))


async def outbox_size(session: AsyncSession) -> int:
    """How many announced messages are not yet published."""
    return int((await run(session, select(func.count()).select_from(Outbox))).scalar_one())
