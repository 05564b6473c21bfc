"""The tables of a service, folded anew from its own stream and held against those it has.

What is compared is one moment. While the table ``outbox`` is locked against writers, which is a matter of
milliseconds, the broker is asked for the last sequence of the stream and the database for a snapshot. Every fact that
was committed by then stands on the stream up to that sequence, or in the outbox of the snapshot, or in both; none that
was committed later does. So the service goes on working, and the comparison is exact.

All happens in one transaction, in a schema of its own; nothing of it stays unless it is asked for.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from uuid import uuid4

import structlog
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout
from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus.bus import connection_options
from oker_bus.connection import Connection, connect
from oker_bus.settings import ServiceSettings
from oker_contracts import Contract, Envelope, Refused, catalog, read_envelope, reader

log = structlog.get_logger()
Fold = Callable[[AsyncSession, Any], Awaitable[None]]
"""Changes tables by one fact, and by nothing besides it and the facts before it."""
BATCH, BATCH_BYTES = 500, 8_000_000
"""What is asked of the broker at once."""
LOCK_SECONDS = 30
MAX_SHOWN = 200
"""Characters of a value that are shown."""


class CannotRebuild(Exception):
    """A fact that cannot be read, or a table that cannot be compared; says which."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One table: how many rows it has, how many were rebuilt, how many of them are not in the other."""

    table: str
    rows: int
    rebuilt: int
    only_here: int
    only_rebuilt: int
    first: str = ""
    """The first row that differs, in words."""

    @property
    def equal(self) -> bool:
        """Whether all rows are the same in all declared columns."""
        return not self.only_here and not self.only_rebuilt


@dataclass(slots=True)
class Rebuilt:
    """What came of it."""

    tables: list[Compared] = field(default_factory=list)
    facts: int = 0
    waiting: int = 0
    """How many of the facts were still in the outbox."""

    @property
    def equal(self) -> bool:
        """Whether every table is."""
        return all(table.equal for table in self.tables)

    def lines(self) -> list[str]:
        """A table for people."""
        head = ("table", "rows", "rebuilt", "equal")
        rows = [(t.table, f"{t.rows}", f"{t.rebuilt}", "yes" if t.equal else "NO") for t in self.tables]
        widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
        shown = ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)) for row in [head, *rows]]
        return [*(line.rstrip() for line in shown), *(t.first for t in self.tables if t.first)]


class Told(NamedTuple):
    """A fact as it was announced: its place, for messages, and its envelope."""

    place: str
    envelope: Envelope


async def rebuild(
    settings: ServiceSettings,
    service: str,
    fold: Mapping[type[Contract], Fold],
    folded: Sequence[Table],
    *,
    into: str | None = None,
) -> Rebuilt:
    """Fold the facts of a service into new tables, and compare them with those there are.

    Args:
        settings: the service's own; it reads its stream with the rights it has.
        fold: what each fact does to the tables; facts that are not named change none.
        folded: the tables that follow from facts, with the columns that are compared.
        into: a schema that is made and keeps the new tables; without it they go with the transaction.

    Raises:
        CannotRebuild: a fact cannot be read or folded; names its place.
    """
    options = {"connect_args": {"command_timeout": None}, "hide_parameters": True}
    engine = create_async_engine(settings.database_url.get_secret_value(), isolation_level="REPEATABLE READ", **options)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        nats = await connect(connection_options(settings, service))
        stack.push_async_callback(nats.close)
        database = await stack.enter_async_context(engine.connect())
        streams = sorted({e.stream for e in catalog().events.values() if e.owner == service and e.kind == "fact"})
        last = await _same_moment(engine, database, nats, streams)
        found = await _rebuild(database, nats, last, fold, folded, into or f"rebuild_{uuid4().hex[:12]}")
        await (database.commit() if into else database.rollback())
        return found


async def _same_moment(
    engine: Any, database: AsyncConnection, nats: Connection, streams: Sequence[str]
) -> dict[str, int]:
    """Take the snapshot of ``database``, and the last sequences of the streams at that moment."""
    async with engine.connect() as writers:
        await writers.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
        await writers.execute(text("LOCK TABLE outbox IN SHARE MODE"))
        await database.execute(text("SELECT 1"))
        jetstream = nats.jetstream(timeout=10)
        last = {stream: int((await jetstream.stream_info(stream)).state.last_seq) for stream in streams}
        await writers.rollback()
    return last


async def _rebuild(
    database: AsyncConnection,
    nats: Connection,
    last: Mapping[str, int],
    fold: Mapping[type[Contract], Fold],
    folded: Sequence[Table],
    schema: str,
) -> Rebuilt:
    here = str((await database.execute(text("SELECT current_schema()"))).scalar_one())
    waiting = await _waiting(database, tuple(last))
    await _make_room(database, here, schema, folded)
    found = Rebuilt(waiting=len(waiting))
    seen: set[str] = set()
    async with AsyncSession(bind=database, expire_on_commit=False) as session:
        for stream in last:
            async for told in read_stream(nats, stream, last[stream]):
                await _fold(session, fold, told)
                seen |= {told.envelope.id} & waiting.keys()
                found.facts += 1
        for told in (told for id, told in waiting.items() if id not in seen):
            await _fold(session, fold, told)
            found.facts += 1
        await session.flush()
        for table in folded:
            found.tables.append(await _compare(database, table, here, schema))
        session.expunge_all()
    log.info("rebuild.compared", facts=found.facts, waiting=found.waiting, equal=found.equal)
    return found


async def _waiting(database: AsyncConnection, streams: Sequence[str]) -> dict[str, Told]:
    """What was announced and may not be on its stream yet, by the event's id, in order."""
    subjects = [subject for stream in streams for subject in catalog().streams[stream].subjects]
    rows = await database.execute(text("SELECT id, subject, headers, body FROM outbox ORDER BY id"))
    told = [
        Told(f"outbox {row.id}", read_envelope(_headers(row.headers), bytes(row.body)))
        for row in rows
        if any(row.subject.startswith(subject.removesuffix(">")) for subject in subjects)
    ]
    return {row.envelope.id: row for row in told}


def _headers(said: Any) -> dict[str, str]:
    return dict(json.loads(said) if isinstance(said, str) else said)


async def _make_room(database: AsyncConnection, here: str, schema: str, folded: Sequence[Table]) -> None:
    """Empty tables with the names and columns of the originals; from here on these names mean them alone."""
    named = _quoted(schema)
    await database.execute(text(f"CREATE SCHEMA {named}"))
    for table in folded:
        name = _quoted(table.name)
        await database.execute(text(f"CREATE TABLE {named}.{name} (LIKE {_quoted(here)}.{name} INCLUDING ALL)"))
    await database.execute(text(f"SET LOCAL search_path TO {named}"))


async def read_stream(nats: Connection, stream: str, last: int) -> AsyncIterator[Told]:
    """All messages of a stream up to a sequence, in order, without a consumer (NATS ADR-31, batched direct get).

    Raises:
        CannotRebuild: the broker falls silent, or a message is no event.
    """
    following = 1
    while following <= last:
        messages = await _batch(nats, stream, following)
        if not messages:
            return
        for sequence, headers, body in messages:
            if sequence > last:
                return
            place = f"{stream} {sequence}"
            try:
                yield Told(place, read_envelope(headers, body))
            except Refused as refused:
                raise CannotRebuild(f"{place} is no event: {refused.reason} at {refused.path}") from None
            following = sequence + 1


async def _batch(nats: Connection, stream: str, first: int) -> list[tuple[int, dict[str, str], bytes]]:
    """Sequence, headers and body of some messages from ``first`` on; none, if there are none."""
    inbox = nats.new_inbox()
    answers = await nats.subscribe(inbox, max_msgs=0)
    wanted = {"seq": first, "batch": BATCH, "max_bytes": BATCH_BYTES}
    found: list[tuple[int, dict[str, str], bytes]] = []
    try:
        await nats.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(wanted).encode(), reply=inbox)
        while True:
            msg = await answers.next_msg(timeout=10)
            headers = dict(msg.headers or {})
            if "Nats-Sequence" not in headers:
                return found
            found.append((int(headers["Nats-Sequence"]), headers, msg.data))
    except (NatsTimeout, NoRespondersError) as error:
        raise CannotRebuild(f"the broker does not hand out {stream} from {first} on ({type(error).__name__})") from None
    finally:
        await answers.unsubscribe()


async def _fold(session: AsyncSession, fold: Mapping[type[Contract], Fold], told: Told) -> None:
    try:
        fact = reader().data(reader().entry(told.envelope.type), told.envelope.data)
    except Refused as refused:
        raise CannotRebuild(f"{told.place} cannot be read: {refused.reason} at {refused.path}") from None
    if handle := fold.get(type(fact)):
        try:
            await handle(session, fact)
        except Exception as error:
            raise CannotRebuild(f"{told.place}, {fact.TYPE}, cannot be folded: {error!r}"[:500]) from error


async def _compare(database: AsyncConnection, table: Table, here: str, schema: str) -> Compared:
    columns = ", ".join(_quoted(column.name) for column in table.columns)
    original, rebuilt = (f"{_quoted(name)}.{_quoted(table.name)}" for name in (here, schema))
    only_here = f"SELECT {columns} FROM {original} EXCEPT ALL SELECT {columns} FROM {rebuilt}"  # noqa: S608
    only_rebuilt = f"SELECT {columns} FROM {rebuilt} EXCEPT ALL SELECT {columns} FROM {original}"  # noqa: S608

    async def count(of: str) -> int:
        return int((await database.execute(text(f"SELECT count(*) FROM ({of}) AS t"))).scalar_one())  # noqa: S608

    compared = Compared(
        table.name,
        rows=await count(f"SELECT FROM {original}"),
        rebuilt=await count(f"SELECT FROM {rebuilt}"),
        only_here=await count(only_here),
        only_rebuilt=await count(only_rebuilt),
    )
    if compared.equal:
        return compared
    return replace(compared, first=await _first_difference(database, table, only_here, only_rebuilt))


async def _first_difference(database: AsyncConnection, table: Table, only_here: str, only_rebuilt: str) -> str:
    """The row with the least key that differs, and in which column."""
    key = [column.name for column in table.primary_key.columns]
    order = ", ".join(_quoted(name) for name in key)
    rows: list[dict[str, Any]] = []
    for of in (only_here, only_rebuilt):
        found = await database.execute(text(f"SELECT * FROM ({of}) AS t ORDER BY {order} LIMIT 1"))  # noqa: S608
        rows.append(dict(found.mappings().first() or {}))
    here, rebuilt = rows
    places = [tuple(row[name] for name in key) for row in rows if row]
    if here and rebuilt and places[0] == places[1]:
        name = next(name for name in here if here[name] != rebuilt[name])
        values = f"{_shown(here[name])} here, {_shown(rebuilt[name])} by the facts"
        return f"{_place(table, key, here)}: {name} is {values}"
    if here and (not rebuilt or places[0] < places[1]):
        return f"{_place(table, key, here)}: follows from no fact"
    return f"{_place(table, key, rebuilt)}: is missing here"


def _place(table: Table, key: Sequence[str], row: Mapping[Any, Any]) -> str:
    return f"{table.name} ({', '.join(f'{name}={_shown(row[name])}' for name in key)})"


def _shown(value: Any) -> str:
    return repr(value)[:MAX_SHOWN]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
