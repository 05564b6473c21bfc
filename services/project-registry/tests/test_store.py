"""The tables read at two times say what the rule says."""

import random
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from builders_project_registry import NOON

from oker_bus import store as bus_store
from oker_bus.edge import Sessions
from oker_bus.store import Outgoing
from oker_testkit.bus import TestBus
from project_registry import domain, store

DAY = timedelta(days=1)


class TakenBack(Exception):
    """The transaction is given up at its end."""


STATES = ("idea", "proposed", "eligible")


def a_history(project: str, chance: random.Random) -> list[domain.Entry]:
    """Versions of one project, each recorded after the one before, many with an earlier beginning."""
    entries, at = [], NOON + chance.randint(0, 5) * DAY
    for version in range(1, chance.randint(2, 8)):
        valid_from = at - chance.choice([0, 0, 1, 3]) * DAY if version > 1 else at
        state = chance.choice(STATES)
        entry = domain.Entry("project", project, version, valid_from, at, None, "", {"v": version}, status=state)
        entries.append(entry)
        at += chance.choice([0, 1, 2]) * DAY
    return entries


@pytest.fixture
async def histories(sessions: Sessions) -> dict[str, list[domain.Entry]]:
    """Forty projects in the tables, written in two goes."""
    chance = random.Random(7)  # noqa: S311
    written = {f"p-{number:02}": a_history(f"p-{number:02}", chance) for number in range(40)}
    async with sessions() as session, session.begin():
        first = [entry for history in written.values() for entry in history[:2]]
        await store.add_entries(session, first)
        await store.add_entries(session, [entry for history in written.values() for entry in history[2:]])
    return written


def counting(
    histories: dict[str, list[domain.Entry]], as_of: datetime, known_at: datetime | None
) -> dict[str, tuple[int, str]]:
    """What counts by the rule: version and state of each project."""
    found = {project: domain.valid(history, as_of, known_at) for project, history in histories.items()}
    return {project: (entry.version, entry.status) for project, entry in found.items() if entry}


@pytest.mark.parametrize("known", [None, 0, 2, 5, 9, 30])
async def test_what_counts_at_two_times_is_the_same_in_sql_and_by_the_rule(
    sessions: Sessions, histories: dict[str, list[domain.Entry]], known: int | None
) -> None:
    known_at = None if known is None else NOON + known * DAY
    async with sessions() as session:
        for day in range(-3, 25):
            as_of = NOON + day * DAY
            when = store.When(as_of, known_at)
            expected = counting(histories, as_of, known_at)
            listed = await store.projects(session, store.Wanted(), when)
            assert {entry.id: (entry.version, entry.status) for entry in listed} == expected
            narrowed = await store.projects(session, store.Wanted(state="eligible"), when)
            assert [e.id for e in narrowed] == sorted(p for p, (_, state) in expected.items() if state == "eligible")
            one = await store.entry(session, "project", "p-07", when)
            assert (one and one.version) == (expected.get("p-07") or (None,))[0]


async def test_without_any_time_the_newest_knowledge_of_now_counts(
    sessions: Sessions, histories: dict[str, list[domain.Entry]]
) -> None:
    expected = counting(histories, NOON + 1000 * DAY, None)
    async with sessions() as session:
        listed = await store.projects(session, store.Wanted())
        contents = await store.profiles(session, list(histories))

    assert {entry.id: (entry.version, entry.status) for entry in listed} == expected
    assert {entry.id: entry.content for entry in contents} == {p: {"v": v} for p, (v, _) in expected.items()}


async def test_pages_of_an_old_list_are_whole(sessions: Sessions, histories: dict[str, list[domain.Entry]]) -> None:
    when = store.When(NOON + 6 * DAY, NOON + 6 * DAY)
    seen: list[str] = []
    async with sessions() as session:
        while page := await store.projects(session, store.Wanted(), when, after=seen[-1] if seen else "", limit=7):
            seen += [entry.id for entry in page]

    assert seen == sorted(counting(histories, NOON + 6 * DAY, NOON + 6 * DAY))


async def test_twenty_thousand_projects_change_in_one_transaction(bus: TestBus) -> None:
    """Each fact has a key of its own, and PostgreSQL has room for some six thousand locks by default."""
    outgoing = [Outgoing(f"project.x.v1.{number}", "x", {}, b"{}") for number in range(20_000)]
    with suppress(TakenBack):
        async with bus.bus.transaction() as tx:
            tx.outgoing.extend(outgoing)
            await tx.write_outbox()
            assert await bus_store.outbox_size(tx.session) == 20_000
            raise TakenBack
