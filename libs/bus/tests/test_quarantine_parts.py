"""Of a message of several readings some may be refused: only these are mended, and no other is stored again."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from test_quarantine import CONSUMER, _until_one_waits, difference, numbers, refused_proposal, unit

from oker_bus import Delivery, Reason, Refused, Transaction, store
from oker_bus.batch import MAX_ROWS, Ended, Way, refusals_of, save_ends
from oker_bus.edge import Sessions
from oker_bus.store import Counts, bitmap, parts_of, ranges
from oker_testkit.bus import TestBus, messages

__all__ = ["unit"]


class Readings:
    """A lane that takes messages of several readings; the test says how each ends."""

    def __init__(self, bus: TestBus) -> None:
        self.bus, self.parts = bus, ("stored", "quarantined", "quarantined")
        self.reasons = [Reason.UNIT_MISMATCH]
        bus.bus.ways[CONSUMER] = Way(self.again)

    async def again(self, delivery: Delivery, tx: Transaction) -> Ended:
        counts = Counts(len(self.parts), *(self.parts.count(name) for name in ("stored", "duplicate", "corrected")))
        refused = [part for part, outcome in enumerate(self.parts, start=1) if outcome == "quarantined"]
        why = [(part, Refused(self.reasons[part % len(self.reasons)], f"$[{part - 1}]")) for part in refused]
        refusals = refusals_of(delivery, why, tx.now)
        outcome = "quarantined" if len(refused) == len(self.parts) else "settled"
        counts = Counts(counts.read, counts.stored, counts.duplicate, counts.corrected, len(refused))
        return Ended(delivery, outcome, counts, refusals, None, self.parts)  # type: ignore[arg-type]

    async def settle(self) -> None:
        where = (CONSUMER, "IN_verkehr", 1, "verkehr", "ingest.verkehr.project.x.v1")
        async with self.bus.bus.transaction() as tx:
            delivery = Delivery(*where, {"ce-id": "r-1", "ce-source": "/s"}, b"[1, 2, 3]", tx.now, 1)
            await save_ends(tx, [await self.again(delivery, tx)])


async def readings(sessions: Sessions) -> tuple[int, ...]:
    """read, stored, duplicate, corrected, quarantined"""
    async with sessions() as session:
        query = text("SELECT sum(read), sum(stored), sum(duplicate), sum(corrected), sum(quarantined) FROM ledger_day")
        return tuple(int(number) for number in (await store.run(session, query)).one())


async def test_of_a_message_only_the_refused_readings_move(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str]
) -> None:
    """Those that were accepted come out as duplicates, and count as what they were."""
    lane = Readings(bus)
    await lane.settle()
    before = await readings(sessions)

    lane.parts = ("duplicate", "stored", "quarantined")
    first = await http.post("/quarantine/2/resend", headers=unit)
    between = await readings(sessions)
    lane.parts = ("duplicate", "duplicate", "corrected")
    second = await http.post("/quarantine/2/resend", headers=unit)

    assert (before, between, await readings(sessions)) == ((3, 1, 0, 0, 2), (3, 2, 0, 0, 1), (3, 2, 0, 1, 0))
    assert first.json() == {"id": 2, "outcome": "quarantined", "mended": [1], "refused": 1}
    assert second.json() == {"id": 2, "outcome": "corrected", "mended": [2], "refused": 0}
    assert await numbers(sessions) == {"settled": 1, "duplicate": 0, "quarantined": 0}
    assert (await http.get("/quarantine/2", headers=unit)).json()["body"] == "[1, 2, 3]"
    assert await difference(sessions) is None


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (("stored", "stored", "stored"), "Reading 1 was accepted before"),
        (("duplicate", "stored"), "keep their number"),
        (("duplicate", "quarantined", "quarantined"), ""),
    ],
)
async def test_a_mended_message_cannot_store_again_what_was_accepted(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str], parts: Any, sentence: str
) -> None:
    lane = Readings(bus)
    await lane.settle()

    lane.parts = parts
    answer = await http.post("/quarantine/1/mend", headers=unit, json={"data": []})

    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]
    assert await readings(sessions) == (3, 1, 0, 0, 2)
    assert await difference(sessions) is None


async def test_of_a_message_that_was_refused_whole_a_reading_may_still_be_refused(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str], heard: Any
) -> None:
    """Its device was unknown; now it is known, and one of its units is wrong: that one goes into quarantine."""
    await refused_proposal(bus, heard)
    lane = Readings(bus)
    lane.parts = ("stored", "quarantined", "stored")

    answer = await http.post("/quarantine/1/resend", headers=unit)

    assert answer.json() == {"id": 1, "outcome": "partly", "mended": [1], "refused": 1}
    assert await readings(sessions) == (3, 2, 0, 0, 1)
    open = (await http.get("/quarantine?state=open", headers=unit)).json()
    assert [(row["part"], row["reason"]) for row in open] == [(2, "unit_mismatch")]
    assert (await http.get(f"/quarantine/{open[0]['id']}", headers=unit)).json()["body"].startswith("{")
    assert await difference(sessions) is None


async def test_a_message_of_which_nothing_can_be_accepted_stays_where_it_is(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str], heard: Any
) -> None:
    await refused_proposal(bus, heard)
    lane = Readings(bus)
    lane.parts = ("quarantined", "quarantined")

    answer = await http.post("/quarantine/1/resend", headers=unit)

    assert (answer.status_code, answer.json()["code"], answer.json()["path"]) == (422, "unit_mismatch", "$[0]")
    assert await numbers(sessions) == {"settled": 0, "duplicate": 0, "quarantined": 1}
    assert [row["id"] for row in (await http.get("/quarantine", headers=unit)).json()] == [1]
    assert await difference(sessions) is None


# many refusals of one message

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
DELIVERY = Delivery(CONSUMER, "IN_verkehr", 1, "verkehr", "ingest.verkehr.x", {"ce-id": "1"}, b"[]", NOON, 1)
REASONS = [Reason.UNIT_MISMATCH, Reason.DEVICE_UNKNOWN, Reason.TIME_IN_FUTURE]
some_parts = st.sets(st.integers(1, 300), min_size=1)


@given(st.dictionaries(st.integers(1, 300), st.sampled_from(REASONS)))
def test_each_refused_reading_stands_in_one_row_under_its_reason_and_rows_are_few(refused: dict[int, Reason]) -> None:
    why = [(part, Refused(reason, f"$[{part}]")) for part, reason in sorted(refused.items())]

    rows = refusals_of(DELIVERY, why, NOON)

    stand = [(part, row.reason) for row in rows for part in parts_of(row.part, row.parts)]
    assert sorted(stand) == sorted((part, str(reason)) for part, reason in refused.items())
    assert len(rows) <= MAX_ROWS + len(REASONS)
    assert [bool(row.body or row.headers) for row in rows] == [True, *[False] * (len(rows) - 1)][: len(rows)]
    assert all(row.path == f"$[{row.part}]" and row.part == parts_of(row.part, row.parts)[0] for row in rows)


@given(some_parts)
def test_a_set_of_readings_is_kept_as_bits(parts: set[int]) -> None:
    assert parts_of(min(parts), bitmap(parts)) == sorted(parts)


@pytest.mark.parametrize(
    ("numbers", "said"), [([], ""), ([4], "4"), ([1, 3, 4, 5, 9], "1, 3-5, 9"), (list(range(21, 1001)), "21-1000")]
)
def test_readings_are_named_as_one_writes_them(numbers: list[int], said: str) -> None:
    assert ranges(numbers) == said


async def test_a_row_for_many_readings_says_how_many_and_which_and_the_ledger_counts_each(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str]
) -> None:
    lane = Readings(bus)
    lane.parts = ("stored",) + ("quarantined",) * 1000
    await lane.settle()
    await bus.settled()

    rows = (await http.get("/quarantine", headers=unit)).json()
    last = (await http.get(f"/quarantine/{rows[-1]['id']}", headers=unit)).json()
    copies = [dict(msg.headers) async for msg in messages(bus.jetstream, "QUARANTINE")]

    assert [row["readings"] for row in rows] == [1] * MAX_ROWS + [1000 - MAX_ROWS]
    assert (last["parts"], last["path"], last["body"]) == (f"{MAX_ROWS + 2}-1001", f"$[{MAX_ROWS + 1}]", "[1, 2, 3]")
    assert last["headers"]["ce-id"] == "r-1"
    assert [copy.get("Oker-Readings") for copy in copies] == [None] * MAX_ROWS + [str(1000 - MAX_ROWS)]
    assert await readings(sessions) == (1001, 1, 0, 0, 1000)
    assert (await http.get("/ledger", headers=unit)).json()["quarantine"]["verkehr"]["readings"] == 1000
    assert await difference(sessions) is None


async def test_the_ledger_notices_when_a_row_stands_for_fewer_readings_than_were_refused(
    bus: TestBus, sessions: Sessions
) -> None:
    lane = Readings(bus)
    lane.parts = ("quarantined",) * 100
    await lane.settle()
    async with sessions() as session, session.begin():
        await store.run(session, text("UPDATE quarantine SET parts = set_bit(parts, 60, 0) WHERE parts IS NOT NULL"))

    assert "100 readings were refused, 99 are in quarantine" in (await difference(sessions) or "")


@pytest.mark.parametrize("asked", [1, 22])
async def test_readings_that_share_a_row_are_mended_each_for_itself(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str], asked: int
) -> None:
    """Whichever row is named: all that can be accepted now is, and the row of what cannot stays open."""
    lane = Readings(bus)
    lane.reasons = REASONS[:2]
    lane.parts = ("quarantined",) * 100
    await lane.settle()

    lane.parts = ("quarantined",) * 20 + ("quarantined", "stored", "corrected", "duplicate") * 20
    first = await http.post(f"/quarantine/{asked}/resend", headers=unit)
    between = await readings(sessions)
    open = (await http.get("/quarantine?state=open", headers=unit)).json()
    found = await difference(sessions)
    lane.parts = ("stored",) * 21 + ("duplicate", "duplicate", "duplicate", "stored") * 19 + ("duplicate",) * 3
    second = await http.post(f"/quarantine/{open[-1]['id']}/resend", headers=unit)

    assert (first.status_code, first.json()["refused"]) == (200, 40)
    assert (between, found) == ((100, 20, 20, 20, 40), None)
    assert sum(row["readings"] for row in open) == 40
    assert second.json()["outcome"] == "stored"
    assert await readings(sessions) == (100, 60, 20, 20, 0)
    assert (await http.get("/quarantine?state=open", headers=unit)).json() == []
    assert await difference(sessions) is None


async def test_what_was_mended_of_a_shared_row_is_told_by_its_outcome(
    bus: TestBus, http: httpx.AsyncClient, unit: dict[str, str]
) -> None:
    lane = Readings(bus)
    lane.parts = ("quarantined",) * 30
    await lane.settle()

    lane.parts = ("stored",) * 24 + ("corrected",) * 3 + ("quarantined",) * 3
    await http.post("/quarantine/1/resend", headers=unit)

    rows = (await http.get("/quarantine", headers=unit)).json()
    shared = [row for row in rows if row["part"] > MAX_ROWS]
    shown = [(await http.get(f"/quarantine/{row['id']}", headers=unit)).json() for row in shared]
    told = [(row["parts"], row["mended_outcome"], row["body"]) for row in shown]
    assert told == [("21-24", "stored", "[1, 2, 3]"), ("25-27", "corrected", "[1, 2, 3]"), ("28-30", None, "[1, 2, 3]")]


async def test_a_mended_body_is_kept_once_and_shown_for_each(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str]
) -> None:
    """Otherwise a large event of which hundreds were refused is hundreds of times larger once it is mended."""
    lane = Readings(bus)
    lane.parts = ("quarantined",) * 40
    await lane.settle()
    lane.parts = ("stored",) * 40
    large = ["x" * 60_000]

    answer = await http.post("/quarantine/3/mend", headers=unit, json={"data": large, "headers": {"x-nul": "\x00"}})
    await bus.settled()

    assert answer.status_code == 200, answer.text
    async with sessions() as session:
        query = text("SELECT count(mended_body), count(mended_headers), sum(length(mended_body)) FROM quarantine")
        assert tuple((await store.run(session, query)).one()) == (1, 1, 60_004)
    for id in (1, 3, 21):
        shown = (await http.get(f"/quarantine/{id}", headers=unit)).json()
        assert (shown["mended_outcome"], len(shown["mended_body"])) == ("stored", 60_004)
        assert shown["mended_headers"]["ce-id"] == "r-1"
    copies = [len(msg.data or b"") async for msg in messages(bus.jetstream, "QUARANTINE")]
    assert (sum(copies), max(copies)) == (60_004 + len(b"[1, 2, 3]"), 60_004)


async def test_of_two_who_mend_different_rows_of_one_message_the_second_sees_what_the_first_left(
    bus: TestBus, http: httpx.AsyncClient, sessions: Sessions, unit: dict[str, str]
) -> None:
    """Also a row that the first has split off meanwhile."""
    lane = Readings(bus)
    lane.parts = ("quarantined",) * 100
    await lane.settle()
    begun, go_on = asyncio.Event(), asyncio.Event()
    plain = lane.again

    async def slowly(delivery: Delivery, tx: Transaction) -> Ended:
        begun.set()
        await go_on.wait()
        return await plain(delivery, tx)

    bus.bus.ways[CONSUMER] = Way(slowly)
    lane.parts = ("quarantined",) * 20 + ("stored",) * 40 + ("quarantined",) * 40
    first = asyncio.create_task(http.post("/quarantine/21/resend", headers=unit))
    await begun.wait()
    second = asyncio.create_task(http.post("/quarantine/1/resend", headers=unit))
    await _until_one_waits(sessions)

    async def rest(delivery: Delivery, tx: Transaction) -> Ended:
        lane.parts = ("stored",) * 20 + ("duplicate",) * 40 + ("stored",) * 40
        return await plain(delivery, tx)

    bus.bus.ways[CONSUMER] = Way(rest)
    go_on.set()

    assert [(await first).status_code, (await second).status_code] == [200, 200]
    assert await readings(sessions) == (100, 100, 0, 0, 0)
    assert await difference(sessions) is None
