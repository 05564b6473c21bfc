"""Versions: written once, read at two times."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Select, Subquery, func, insert, literal, select, text, true
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


async def latest(session: AsyncSession, ids: Collection[str]) -> dict[str, tuple[int, datetime]]:
    """The last version of each project and when it was recorded, by id."""
    query = (
        select(ENTRY.c.id, func.max(ENTRY.c.version), func.max(ENTRY.c.recorded_at))
        .where(ENTRY.c.kind == "project", ENTRY.c.id == func.any(list(ids)))
        .group_by(ENTRY.c.id)
    )
    return {id: (version, recorded_at) for id, version, recorded_at in await _run(session, query)}


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


async def history(session: AsyncSession, kind: Kind, id: str, known_at: datetime | None = None) -> list[Entry]:
    """All versions of one thing in the order of recording."""
    query = select(*COLUMNS).where(ENTRY.c.kind == kind, ENTRY.c.id == id, *_held(When(None, known_at)))
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


async def active(session: AsyncSession, kind: Kind, as_of: datetime) -> set[str]:
    """The ids of fields, goals or organisations that are neither retired nor dissolved at a time."""
    counting = _counting(kind, When(as_of), light=True)
    return set((await _run(session, select(counting.c.id).where(counting.c.status == "active"))).scalars())


async def projects_by_field(session: AsyncSession, when: When = NOW) -> dict[str, int]:
    """How many projects each field of action has; a field without any is not in it."""
    counting = _counting("project", when, light=True)
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


def _held(when: When) -> list[Any]:
    held = []
    if when.as_of is not None:
        held.append(ENTRY.c.valid_from <= when.as_of)
    if when.known_at is not None:
        held.append(ENTRY.c.recorded_at <= when.known_at)
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
    """The same by what was known once: of each thing, in the order of ids, so that a page ends early."""
    last = ENTRY.alias("last")
    held = (
        select(*columns)
        .where(ENTRY.c.kind == last.c.kind, ENTRY.c.id == last.c.id, *_held(when))
        .order_by(ENTRY.c.valid_from.desc(), ENTRY.c.version.desc())
        .limit(1)
        .lateral("held")
    )
    shown = [last.c.id, *(column for column in held.c if column.name != "id")]
    query = select(*shown).select_from(last.join(held, true()))
    return query.where(last.c.kind == kind, last.c.id > after, last.c.valid_until.is_(None)).subquery()


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
