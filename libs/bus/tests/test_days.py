"""The ledger by company, source and day: added up with each settlement, and never twice."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import text
from test_traps import a_project, a_proposal

from oker_bus import Delivery, batch, days, ledger, store
from oker_bus.batch import Ended
from oker_bus.edge import Sessions
from oker_bus.store import Counts
from oker_testkit.bus import TestBus

DAY = date(2026, 5, 4)


def a_delivery(sequence: int, stored_at: datetime, *, source: str = "/s", partner: str = "verkehr") -> Delivery:
    headers = {"ce-specversion": "1.0", "ce-id": f"{sequence}", "ce-source": source, "ce-type": "x"}
    where = ("project-registry-claims", f"IN_{partner}", sequence, partner)
    return Delivery(*where, "ingest.verkehr.project.x.v1", headers, b"{}", stored_at, deliveries=1)


async def rows(sessions: Sessions, *names: str) -> list[tuple[Any, ...]]:
    """These columns of the ledger, in the order of its key."""
    async with sessions() as session:
        query = f"SELECT {', '.join(names)} FROM ledger_day ORDER BY consumer, stream, partner, day, source"  # noqa: S608
        return [tuple(row) for row in (await store.run(session, text(query))).all()]


async def test_the_city_s_day_counts_also_when_its_clocks_change(bus: TestBus, sessions: Sessions) -> None:
    """On 25 October 2026 Braunschweig goes from UTC+2 to UTC+1: that day has 25 hours, from 22:00 to 23:00 UTC."""
    moments = [
        datetime(2026, 10, 24, 21, 59, 59, tzinfo=UTC),
        datetime(2026, 10, 24, 22, 0, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC),
        datetime(2026, 10, 25, 23, 0, tzinfo=UTC),
    ]
    async with bus.bus.transaction() as tx:
        await batch.save_ends(tx, [Ended(a_delivery(n, at), "settled") for n, at in enumerate(moments, start=1)])

    assert await rows(sessions, "day", "messages_settled", "first", "last") == [
        (date(2026, 10, 24), 1, 1, 1),
        (date(2026, 10, 25), 4, 2, 5),
        (date(2026, 10, 26), 1, 6, 6),
    ]


async def test_messages_and_readings_are_counted_by_company_source_and_day(bus: TestBus, sessions: Sessions) -> None:
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    ends = [
        Ended(a_delivery(1, noon), "settled", Counts(3, stored=1, corrected=1, quarantined=1)),
        Ended(a_delivery(2, noon), "duplicate", Counts(2, duplicate=2)),
        Ended(a_delivery(3, noon, source="/other"), "quarantined"),
    ]
    async with bus.bus.transaction() as tx:
        await batch.save_ends(tx, ends)
    async with bus.bus.transaction() as tx:
        await batch.save_ends(tx, [Ended(a_delivery(4, noon), "settled", Counts(1, stored=1))])

    names = ("source", "messages_settled", "messages_duplicate", "messages_quarantined")
    assert await rows(sessions, *names) == [("/other", 0, 0, 1), ("/s", 2, 1, 0)]
    names = ("read", "stored", "duplicate", "corrected", "quarantined")
    assert await rows(sessions, *names) == [(0, 0, 0, 0, 0), (6, 2, 2, 1, 1)]


async def test_a_message_that_is_handled_alone_is_counted_as_one_of_a_batch(bus: TestBus, sessions: Sessions) -> None:
    await bus.publish(a_proposal(), partner="verkehr", id="p-1", source="/verkehr/office")
    await bus.publish(a_proposal(), partner="verkehr", id="p-1", source="/verkehr/office")
    await bus.publish_raw("ingest.verkehr.project.x.v1", b"{", {"ce-source": "/verkehr/office", "ce-id": "p-2"})
    await bus.publish(a_project())
    await bus.settled()

    names = ("partner", "source", "messages_settled", "messages_duplicate", "messages_quarantined")
    assert await rows(sessions, *names) == [("verkehr", "/verkehr/office", 1, 1, 1), ("", "/test", 1, 0, 0)]


async def test_a_settled_message_that_comes_again_is_not_counted_again(
    bus: TestBus, sessions: Sessions, service: Any
) -> None:
    await bus.publish(a_proposal(), partner="verkehr")
    await bus.settled()
    msg = await bus.jetstream.get_msg("IN_verkehr", seq=1)
    async with sessions() as session:
        stored_at = (await store.run(session, text("SELECT stored_at FROM settlement"))).scalar_one()
    again = a_delivery(1, stored_at)._replace(subject=msg.subject, headers=msg.headers, body=msg.data)

    outcome = await bus.bus.edge.settle(again, service.router.handlers[again.consumer])

    assert outcome == "duplicate"
    assert await rows(sessions, "messages_settled", "messages_duplicate") == [(1, 0)]


async def test_sources_without_number_are_counted_together(
    bus: TestBus, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A company that sends each message from another source cannot fill the ledger; nothing goes uncounted."""
    for module, name in ((batch, "_SETTLE"), (days, "_ADD")):
        monkeypatch.setattr(module, name, getattr(module, name).replace(f"{days.MAX_SOURCES}", "2"))
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    for sequence, source in enumerate(["/a", "/b", "/c", "/a", "/d", "/c"], start=1):
        async with bus.bus.transaction() as tx:
            await batch.save_ends(tx, [Ended(a_delivery(sequence, noon, source=source), "settled")])

    assert await rows(sessions, "source", "messages_settled") == [("(other)", 3), ("/a", 2), ("/b", 1)]
    async with sessions() as session:
        assert (await ledger.recount_day(session, "verkehr", DAY)).difference is None


async def test_what_is_erased_leaves_its_counts(bus: TestBus, sessions: Sessions) -> None:
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    said = Counts(5, stored=3, corrected=2)
    async with bus.bus.transaction() as tx:
        await batch.save_ends(tx, [Ended(a_delivery(1, noon), "settled", said)])

    async def recount(_session: Any) -> dict[str, dict[str, int]]:
        return {"verkehr": {"stored": 1, "corrected": 1}}

    async with sessions() as session:
        before = await ledger.recount_all(session, "verkehr", recount)
    for corrected in (1, 0):
        async with bus.bus.transaction() as tx:
            erased = [ledger.Erased(DAY, 1, corrected), ledger.Erased(DAY, 0, 0)]
            await ledger.erase(tx, "project-registry-claims", "verkehr", erased)
    async with sessions() as session:
        after = await ledger.recount_all(session, "verkehr", recount)
        counted = await ledger.count(session, recount)

    assert before.difference == "3 readings stored ≠ 1 recounted from the tables + 0 erased"
    assert after.difference is None
    (row,) = counted["settlements"]
    assert (row["readings_stored"], row["erased_stored"], row["erased_corrected"]) == (3, 2, 1)


async def test_rows_are_locked_in_the_order_of_their_key_so_that_replicas_cannot_deadlock(
    bus: TestBus, sessions: Sessions
) -> None:
    """Whoever waits for a row holds those before it and none behind it, in whatever order the messages came."""
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    sources = ["/f", "/b", "/d", "/a", "/c", "/e", "/g"]

    async def settle(first: int) -> None:
        async with bus.bus.transaction() as tx:
            ends = [
                Ended(a_delivery(first + place, noon, source=source), "settled") for place, source in enumerate(sources)
            ]
            await batch.save_ends(tx, ends)

    await settle(1)
    async with sessions() as session:
        await store.run(session, text("SELECT 1 FROM ledger_day WHERE source = '/d' FOR UPDATE"))
        waiting = asyncio.create_task(settle(101))
        free = await _free_while_one_waits(sessions)
        await session.rollback()
    await waiting

    assert free == ["/e", "/f", "/g"]
    assert await rows(sessions, "messages_settled") == [(2,)] * 7


async def _free_while_one_waits(sessions: Sessions) -> list[str]:
    """The sources whose rows nobody has locked, once a transaction waits."""
    async with sessions() as session, asyncio.timeout(10):
        waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not (await store.run(session, waits)).scalar_one():
            await session.rollback()
        free = text("SELECT source FROM ledger_day ORDER BY source FOR UPDATE SKIP LOCKED")
        return list((await store.run(session, free)).scalars())
