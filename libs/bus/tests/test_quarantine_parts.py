"""Of a message of several readings some may be refused: only these are mended, and no other is stored again."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text
from test_quarantine import CONSUMER, difference, numbers, refused_proposal, unit

from oker_bus import Delivery, Reason, Refused, Transaction, store
from oker_bus.batch import Ended, Way, save_ends
from oker_bus.edge import Sessions
from oker_bus.store import Counts
from oker_testkit.bus import TestBus

__all__ = ["unit"]


class Readings:
    """A lane that takes messages of several readings; the test says how each ends."""

    def __init__(self, bus: TestBus) -> None:
        self.bus, self.parts = bus, ("stored", "quarantined", "quarantined")
        bus.bus.ways[CONSUMER] = Way(self.again)

    async def again(self, delivery: Delivery, tx: Transaction) -> Ended:
        counts = Counts(len(self.parts), *(self.parts.count(name) for name in ("stored", "duplicate", "corrected")))
        refused = [part for part, outcome in enumerate(self.parts, start=1) if outcome == "quarantined"]
        refusals = [delivery.quarantined(Refused(Reason.UNIT_MISMATCH, f"$[{p - 1}]"), tx.now, p) for p in refused]
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
