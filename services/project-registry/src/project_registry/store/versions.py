"""Versions: written once, read at two times."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Select, Subquery, exists, func, insert, literal, select, text, tuple_
from sqlmodel.ext.asyncio.session import AsyncSession

from project_registry.domain import LIVING, Entry, Kind
from project_registry.store.base import ENTRY, EntryRow

COLUMNS = [ENTRY.c[name] for name in EntryRow.model_fields if name != "valid_until"]
NEXT = text("""
UPDATE entry SET valid_until = ordered.next FROM (
    SELECT kind, id, version, lead(valid_from) OVER (PARTITION BY id ORDER BY valid_from, version) AS next
    FROM entry WHERE kind = :kind AND id = ANY(:ids)
) AS ordered
WHERE entry.kind = ordered.kind AND entry.id = ordered.id AND entry.version = ordered.version
    AND entry.valid_until IS DISTINCT FROM ordered.next
""")


@dataclass(frozen=True, slots=True)
class When:
    """At which two times something is read; left out: now, and by all that is known."""

    as_of: datetime | None = None
    known_at: datetime | None = None


NOW = When()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which projects; what is left out does not narrow."""

    field: str | None = None
    goal: str | None = None
    state: str | None = None
    department: str | None = None
    text: str | None = None
    """Part of the title, in any case."""


async def add_entries(session: AsyncSession, entries: Sequence[Entry]) -> None:
    """Write versions, any number at once; origin, company and registration of a project are those of its version 1."""
    if not entries:
        return
    births = await _births(session, entries)
    rows = [_columns(entry) | births.get(entry.id, {}) for entry in entries]
    await _run(session, insert(ENTRY), rows)
    for kind in sorted({entry.kind for entry in entries}):
        ids = sorted({entry.id for entry in entries if entry.kind == kind})
        await _run(session, NEXT, {"kind": kind, "ids": ids})


async def _births(session: AsyncSession, entries: Iterable[Entry]) -> dict[str, dict[str, Any]]:
    later = [entry.id for entry in entries if entry.kind == "project" and entry.version > 1]
    if not later:
        return {}
    first = (ENTRY.c.kind == "project") & (ENTRY.c.version == 1) & (ENTRY.c.id == func.any(later))
    query = select(ENTRY.c.id, ENTRY.c.origin, ENTRY.c.partner, ENTRY.c.registered_at).where(first)
    return {row.id: dict(row._mapping) for row in await _run(session, query)}


async def newest(session: AsyncSession, kind: Kind, id: str) -> Entry | None:
    """The version that was recorded last."""
    query = select(*COLUMNS).where(ENTRY.c.kind == kind, ENTRY.c.id == id).order_by(ENTRY.c.version.desc()).limit(1)
    return _first(await _run(session, query))


class Latest(NamedTuple):
    """The greatest of each over all versions of a project."""

    version: int
    recorded_at: datetime
    valid_from: datetime


async def latest(session: AsyncSession, ids: Collection[str]) -> dict[str, Latest]:
    """The last version of each project by id, when it was recorded, and since when the version holds that counts."""
    greatest = [func.max(ENTRY.c[name]) for name in Latest._fields]
    wanted = (ENTRY.c.kind == "project") & (ENTRY.c.id == func.any(list(ids)))
    rows = await _run(session, select(ENTRY.c.id, *greatest).where(wanted).group_by(ENTRY.c.id))
    return {id: Latest(*said) for id, *said in rows}


async def entry(session: AsyncSession, kind: Kind, id: str, when: When) -> Entry | None:
    """The version of one thing that counts at a time; ``when`` names at least ``as_of``."""
    query = (
        select(*COLUMNS)
        .where(ENTRY.c.kind == kind, ENTRY.c.id == id, *_held(when))
        .order_by(ENTRY.c.valid_from.desc(), ENTRY.c.version.desc())
        .limit(1)
    )
    return _first(await _run(session, query))


async def entries(session: AsyncSession, kind: Kind, when: When) -> list[Entry]:
    """What counts of all things of a kind, by id."""
    counting = _counting(kind, when)
    rows = await _run(session, select(counting).order_by(counting.c.id))
    return [_entry(row) for row in rows]


async def history(session: AsyncSession, kind: Kind, id: str, when: When = NOW) -> list[Entry]:
    """The versions of one thing in the order of recording: those that hold from ``as_of`` or before, known then."""
    query = select(*COLUMNS).where(ENTRY.c.kind == kind, ENTRY.c.id == id, *_held(when))
    return [_entry(row) for row in await _run(session, query.order_by(ENTRY.c.version))]


async def projects(
    session: AsyncSession,
    wanted: Wanted,
    when: When = NOW,
    *,
    after: str = "",
    limit: int | None = None,
    light: bool = True,
) -> list[Entry]:
    """Projects by id; a line each, unless ``light`` is false: then with their content.

    Args:
        after: the id behind which the page begins.
    """
    counting = _counting("project", when, after=after, light=light)
    query = _narrowed(select(counting), counting, wanted).order_by(counting.c.id)
    return [_entry(row) for row in await _run(session, query.limit(limit))]


async def profiles(session: AsyncSession, ids: Collection[str]) -> list[Entry]:
    """The versions of these projects that count now, with their content, by id."""
    counting = _counting("project", NOW)
    query = select(counting).where(counting.c.id == func.any(list(ids))).order_by(counting.c.id)
    return [_entry(row) for row in await _run(session, query)]


async def profiles_of_round(session: AsyncSession, round_id: str) -> list[Entry]:
    """The projects that are in a round now."""
    counting = _counting("project", NOW)
    query = select(counting).where(counting.c.round_id == round_id, counting.c.status == "in_selection")
    return [_entry(row) for row in await _run(session, query.order_by(counting.c.id))]


async def ids(session: AsyncSession, kind: Kind) -> set[str]:
    """The ids of all things of a kind."""
    query = select(ENTRY.c.id).where(ENTRY.c.kind == kind, ENTRY.c.version == 1)
    return set((await _run(session, query)).scalars())


async def active(session: AsyncSession, kind: Kind, as_of: datetime, known_at: datetime | None = None) -> set[str]:
    """The ids of fields, goals or organisations that are neither retired nor dissolved at a time."""
    counting = _counting(kind, When(as_of, known_at), light=True)
    return set((await _run(session, select(counting.c.id).where(counting.c.status == "active"))).scalars())


async def projects_by_field(session: AsyncSession, when: When = NOW) -> dict[str, int]:
    """How many projects each field of action has; a field without any is not in it."""
    counting = _counting("project", when, light=True) if when.known_at is None else _all_known("project", when)
    field = func.unnest(counting.c.fields_of_action)
    rows = await _run(session, select(field, func.count()).group_by(field))
    return dict(rows.all())


async def living_projects(session: AsyncSession, departments: Collection[str] | None = None) -> dict[str, list[str]]:
    """The ids of the projects that each department must answer for; of some departments or of all that have any."""
    counting = _counting("project", NOW, light=True)
    query = select(counting.c.department, func.array_agg(counting.c.id)).where(
        counting.c.department.is_not(None), counting.c.status.in_(sorted(LIVING))
    )
    if departments is not None:
        query = query.where(counting.c.department == func.any(list(departments)))
    rows = await _run(session, query.group_by(counting.c.department))
    return dict(rows.all())


def _held(when: When, table: Any = ENTRY) -> list[Any]:
    held = []
    if when.as_of is not None:
        held.append(table.c.valid_from <= when.as_of)
    if when.known_at is not None:
        held.append(table.c.recorded_at <= when.known_at)
    return held


def _counting(kind: Kind, when: When, *, after: str = "", light: bool = False) -> Subquery:
    """The versions that count. A project never holds from a time to come, so the last one counts now."""
    columns = [column for column in COLUMNS if not (light and column.name in ("content", "reason"))]
    if when.known_at is not None:
        return _known(kind, when, after, columns)
    until = ENTRY.c.valid_until
    open_end = until.is_(None) if when.as_of is None else until.is_(None) | (until > when.as_of)
    return select(*columns).where(ENTRY.c.kind == kind, ENTRY.c.id > after, *_held(when), open_end).subquery()


def _known(kind: Kind, when: When, after: str, columns: list[Any]) -> Subquery:
    """The same by what was known once: versions that no later one replaced by then.

    What narrows a list is held against each version first, and only what is left against the others of its thing.
    """
    later = ENTRY.alias("later")
    replaced = exists().where(
        later.c.kind == ENTRY.c.kind,
        later.c.id == ENTRY.c.id,
        tuple_(later.c.valid_from, later.c.version) > tuple_(ENTRY.c.valid_from, ENTRY.c.version),
        *_held(when, later),
    )
    return select(*columns).where(ENTRY.c.kind == kind, ENTRY.c.id > after, *_held(when), ~replaced).subquery()


def _all_known(kind: Kind, when: When) -> Subquery:
    """The same of all things at once, which one pass over them all finds sooner; without content."""
    order = (ENTRY.c.id, ENTRY.c.valid_from.desc(), ENTRY.c.version.desc())
    query = select(ENTRY.c.id, ENTRY.c.fields_of_action).distinct(ENTRY.c.id)
    return query.where(ENTRY.c.kind == kind, *_held(when)).order_by(*order).subquery()


def _narrowed(query: Select[Any], counting: Subquery, wanted: Wanted) -> Select[Any]:
    if wanted.field is not None:
        query = query.where(literal(wanted.field) == func.any(counting.c.fields_of_action))
    if wanted.goal is not None:
        query = query.where(literal(wanted.goal) == func.any(counting.c.goals))
    if wanted.state is not None:
        query = query.where(counting.c.status == wanted.state)
    if wanted.department is not None:
        query = query.where(counting.c.department == wanted.department)
    if wanted.text is not None:
        query = query.where(counting.c.title.icontains(wanted.text, autoescape=True))
    return query


def _columns(entry: Entry) -> dict[str, Any]:
    lists = {"fields_of_action": list(entry.fields_of_action), "goals": list(entry.goals)}
    return {**{name: getattr(entry, name) for name in entry.__slots__}, **lists}


def _first(rows: Iterable[Any]) -> Entry | None:
    return next((_entry(row) for row in rows), None)


def _entry(row: Any) -> Entry:
    said = {"content": {}, "reason": "", **row._mapping}
    said["kind"] = cast(Kind, said["kind"])
    said["fields_of_action"] = tuple(said["fields_of_action"])
    said["goals"] = tuple(said["goals"])
    return Entry(**said)


async def _run(session: AsyncSession, statement: Any, parameters: Any = None) -> Any:
    return await (await session.connection()).execute(statement, parameters)
