"""A sender learns what became of each of its events, by source and id."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from test_days import a_delivery
from test_traps import a_proposal

from oker_bus import Delivery, Event, Reason, Refused, RetryLater, Transaction, batch, outcomes, store
from oker_bus.batch import Ended, Way
from oker_bus.edge import Sessions
from oker_bus.store import Counts
from oker_testkit.bus import TestBus, eventually

Token = Callable[..., dict[str, str]]
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def verkehr(token: Token) -> dict[str, str]:
    return token("verkehr-system", "partner", partner="verkehr")


def asked(id: str, source: str = "/s") -> str:
    return f"/outcomes?source={source}&id={id}"


@pytest.mark.parametrize(
    ("outcome", "counts", "word"),
    [
        ("settled", Counts(2, stored=2), "stored"),
        ("settled", Counts(2, stored=1, corrected=1), "stored"),
        ("settled", Counts(2, corrected=2), "corrected"),
        ("settled", Counts(3, stored=1, duplicate=1, quarantined=1), "partly"),
        ("settled", Counts(), "settled"),
        ("duplicate", Counts(2, duplicate=2), "duplicate"),
        ("quarantined", Counts(2, quarantined=2), "quarantined"),
    ],
)
async def test_the_end_of_an_event_is_said_in_one_word(
    bus: TestBus, http: httpx.AsyncClient, verkehr: dict[str, str], outcome: Any, counts: Counts, word: str
) -> None:
    delivery = a_delivery(7, NOON)
    refused = Refused(Reason.UNIT_MISMATCH, "$.results[0].unit", "It is kept in 'kW'.")
    refusals = [delivery.quarantined(refused, NOON, 1)] if counts.quarantined else []
    async with bus.bus.transaction() as tx:
        await batch.save_ends(tx, [Ended(delivery, outcome, counts, refusals)])

    (end,) = (await http.get(asked("7"), headers=verkehr)).json()

    assert end["outcome"] == word
    assert end["readings"]["read"] == counts.read
    assert (end["stream"], end["sequence"], end["stored_at"]) == ("IN_verkehr", 7, "2026-05-04T12:00:00Z")
    assert end["settled_at"]
    shown = [(r["part"], r["code"], r["path"], r["detail"], r["mended_at"]) for r in end["refusals"]]
    assert shown == [(1, "unit_mismatch", "$.results[0].unit", "It is kept in 'kW'.", None)] * len(refusals)


async def test_an_event_that_was_sent_several_times_has_an_end_each_time(
    bus: TestBus, http: httpx.AsyncClient, verkehr: dict[str, str]
) -> None:
    for _ in range(2):
        await bus.publish(a_proposal(), partner="verkehr", id="ä 1", source="/verkehr/büro")
    await bus.publish(a_proposal(), partner="stadtwerke", id="ä 1", source="/verkehr/büro")
    await bus.settled()

    found = (await http.get("/outcomes", params={"source": "/verkehr/büro", "id": "ä 1"}, headers=verkehr)).json()

    assert [(end["outcome"], end["sequence"]) for end in found] == [("settled", 1), ("duplicate", 2)]


async def test_an_event_that_waits_is_pending(
    bus: TestBus, http: httpx.AsyncClient, verkehr: dict[str, str], heard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In binary and in structured mode, and behind others; but not for a service that does not hear it."""
    monkeypatch.setattr(outcomes, "AT_ONCE", 2)
    others = {"ce-specversion": "1.0", "ce-id": "r-1", "ce-source": "/s", "ce-type": "de.oker.sensor.x.v1"}

    async def wait(event: Event[Any], tx: Transaction) -> None:
        raise RetryLater

    heard.behave = wait
    for number in range(3):
        await bus.publish(a_proposal(), partner="verkehr", id=f"p-{number}", source="/s")
    body = '{"specversion": "1.0", "id": "p-9", "source": "/s", "type": "de.oker.project.proposed.v2", "data": %s}'
    structured = {"Content-Type": "application/cloudevents+json"}
    said = (body % a_proposal().model_dump_json()).encode()
    await bus.publish_raw("ingest.verkehr.project.proposed.v2", said, structured)
    await bus.publish_raw("ingest.verkehr.sensor.x.v1", b"{}", others)

    async def all_heard() -> bool:
        return {"p-0", "p-1", "p-2", "p-9"} <= set(heard.ids)

    await eventually(all_heard, "all are heard")
    second = (await http.get(asked("p-2"), headers=verkehr)).json()
    last = (await http.get(asked("p-9"), headers=verkehr)).json()
    not_heard = await http.get(asked("r-1"), headers=verkehr)
    heard.behave = None
    await bus.settled()

    assert not_heard.status_code == 404
    assert [(end["outcome"], end["sequence"]) for end in (*second, *last)] == [("pending", 3), ("pending", 4)]
    (ended,) = (await http.get(asked("p-2"), headers=verkehr)).json()
    assert ended["outcome"] == "settled"


async def test_an_event_that_nobody_sent_is_not_found_and_the_answer_says_where_it_was_looked_for(
    bus: TestBus, http: httpx.AsyncClient, verkehr: dict[str, str]
) -> None:
    await bus.publish(a_proposal(), partner="stadtwerke", id="p-1", source="/s")
    await bus.settled()

    answer = await http.get(asked("p-1"), headers=verkehr)

    assert answer.status_code == 404
    assert "settlements of selection-scoring and all waiting messages of IN_verkehr." in answer.json()["detail"]


@pytest.mark.parametrize(("limit", "most"), [("MAX_WAITING", 4), ("MAX_WAITING_BYTES", 300), ("SEARCH_SECONDS", 0)])
async def test_a_search_ends_by_number_bytes_and_time_and_says_so(
    bus: TestBus,
    http: httpx.AsyncClient,
    verkehr: dict[str, str],
    heard: Any,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    most: int,
) -> None:
    """One question must not read a million messages, nor megabytes."""
    monkeypatch.setattr(outcomes, "AT_ONCE", 2)
    monkeypatch.setattr(outcomes, limit, most)

    async def wait(event: Event[Any], tx: Transaction) -> None:
        raise RetryLater

    heard.behave = wait
    for number in range(9):
        await bus.publish(a_proposal(), partner="verkehr", id=f"p-{number}", source="/s")

    async def all_heard() -> bool:
        return len(set(heard.ids)) == 9

    await eventually(all_heard, "all are heard")
    answer = await http.get(asked("p-8"), headers=verkehr)
    monkeypatch.undo()
    found = (await http.get(asked("p-8"), headers=verkehr)).json()
    heard.behave = None
    await bus.settled()

    assert answer.status_code == 404
    assert "waiting messages of IN_verkehr. More wait behind them: ask again later." in answer.json()["detail"]
    assert [end["outcome"] for end in found] == ["pending"]


async def test_what_has_ended_behind_one_that_waits_long_is_passed_over(
    bus: TestBus, http: httpx.AsyncClient, verkehr: dict[str, str], heard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or one message that waits would hide all that come a while after it."""
    monkeypatch.setattr(outcomes, "AT_ONCE", 2)
    monkeypatch.setattr(outcomes, "MAX_WAITING", 6)

    async def wait(event: Event[Any], tx: Transaction) -> None:
        if event.id in ("p-0", "p-20"):
            raise RetryLater

    heard.behave = wait
    for number in range(21):
        await bus.publish(a_proposal(), partner="verkehr", id=f"p-{number}", source="/s")

    async def others_ended() -> bool:
        return len(await bus.settlements()) == 19 and "p-20" in heard.ids

    await eventually(others_ended, "all but two have ended")
    found = (await http.get(asked("p-20"), headers=verkehr)).json()
    heard.behave = None
    await bus.settled()

    assert [(end["outcome"], end["sequence"]) for end in found] == [("pending", 21)]


async def test_of_an_event_with_many_refusals_some_are_shown_and_all_are_counted(
    bus: TestBus, http: httpx.AsyncClient, verkehr: dict[str, str]
) -> None:
    why = [(part, Refused(Reason.UNIT_MISMATCH, f"$[{part}]")) for part in range(1, 501)]
    async with bus.bus.transaction() as tx:
        for number in (1, 2):
            delivery = a_delivery(number, NOON)
            refusals = batch.refusals_of(delivery, why, tx.now)
            await batch.save_ends(tx, [Ended(delivery, "quarantined", Counts(500, quarantined=500), refusals)])

    wanted = [{"source": "/s", "id": id} for id in ("1", "2")]
    many = (await http.post("/outcomes", json=wanted, headers=verkehr)).json()
    (one,) = (await http.get(asked("1"), headers=verkehr)).json()

    assert [len(found["ends"][0]["refusals"]) for found in many] == [outcomes.MAX_REFUSALS_OF_MANY] * 2
    assert many[0]["ends"][0]["readings"]["quarantined"] == 500
    assert sum(refusal["readings"] for refusal in one["refusals"]) == 500
    assert one["refusals"][-1]["readings"] > 1


async def test_many_are_asked_for_at_once(bus: TestBus, http: httpx.AsyncClient, verkehr: dict[str, str]) -> None:
    for id in ("p-1", "p-2", "p-1"):
        await bus.publish(a_proposal(), partner="verkehr", id=id, source="/s")
    await bus.publish_raw("ingest.verkehr.project.proposed.v2", b"{", {"ce-id": "p-3", "ce-source": "/s"})
    await bus.settled()

    wanted = [{"source": "/s", "id": id} for id in ("p-3", "p-1", "p-0", "p-1\x00")]
    found = (await http.post("/outcomes", json=wanted, headers=verkehr)).json()

    assert [(one["id"], one["outcome"]) for one in found][:3] == [
        ("p-3", "quarantined"),
        ("p-1", "settled"),
        ("p-0", "unknown"),
    ]
    assert [end["outcome"] for end in found[1]["ends"]] == ["settled", "duplicate"]
    assert found[0]["ends"][0]["refusals"][0]["code"] == "attribute_missing"
    too_many = await http.post("/outcomes", json=wanted * 251, headers=verkehr)
    assert too_many.status_code == 422


async def test_a_company_learns_the_outcome_of_its_own_events_only(
    bus: TestBus, http: httpx.AsyncClient, token: Token, verkehr: dict[str, str]
) -> None:
    await bus.publish(a_proposal(), partner="stadtwerke", id="p-1", source="/s")
    await bus.settled()
    unit = token("unit-1", "unit")

    assert (await http.get(asked("p-1") + "&partner=stadtwerke", headers=verkehr)).status_code == 403
    assert (await http.get(asked("p-1"), headers=verkehr)).status_code == 404
    assert (await http.get(asked("p-1"), headers=unit)).status_code == 422
    assert (await http.get(asked("p-1") + "&partner=stadtwerke", headers=unit)).status_code == 200
    assert (await http.get(asked("p-1") + "&partner=*", headers=unit)).status_code == 422
    assert (await http.get(asked("p-1"), headers=token("m-1", "board"))).status_code == 403


async def test_the_reading_in_a_message_is_asked_for_by_its_own_name(
    bus: TestBus, http: httpx.AsyncClient, verkehr: dict[str, str]
) -> None:
    """What came over MQTT has no id that its sender knows; the reading inside has."""
    inside = ("/lorawan/70b3", "dedup-1")
    async with bus.bus.transaction() as tx:
        await batch.save_ends(tx, [Ended(a_delivery(1, NOON), "settled", Counts(1, stored=1), said=inside)])

    assert (await http.get(asked("dedup-1", "/lorawan/70b3"), headers=verkehr)).json()[0]["outcome"] == "stored"
    assert (await http.get(asked("1"), headers=verkehr)).status_code == 404


async def test_an_id_of_any_length_and_script_can_be_kept_and_found(
    bus: TestBus, http: httpx.AsyncClient, verkehr: dict[str, str]
) -> None:
    """PostgreSQL indexes 2,704 bytes; an id and a source of 512 characters of four bytes have more."""
    id, source = "\U0001d54f" * 512, "\U0001d550" * 512
    await bus.publish(a_proposal(), partner="verkehr", id=id, source=source)
    await bus.settled()

    (end,) = (await http.post("/outcomes", json=[{"source": source, "id": id}], headers=verkehr)).json()

    assert end["outcome"] == "settled"


async def test_the_lookup_reads_no_table_from_end_to_end(bus: TestBus, sessions: Sessions) -> None:
    said = "SELECT 'c', 'IN_verkehr', n, now(), 'verkehr', 'settled', 0, 0, 0, 0, 0, now(), '/s', 'reading-' || n"
    async with sessions() as session, session.begin():
        await store.run(session, text(f"INSERT INTO settlement {said} FROM generate_series(1, 20000) AS n"))
        await store.run(session, text("ANALYZE settlement"))
        explain = text("EXPLAIN " + outcomes.FOUND)
        asks = {"partner": "verkehr", "sources": ["/s"], "ids": ["reading-777"], "most": 10}
        plan = "\n".join((await store.run(session, explain, asks)).scalars())

    assert "settlement_said" in plan
    assert "Seq Scan" not in plan


async def test_whose_a_waiting_message_is_its_service_says(
    bus: TestBus, http: httpx.AsyncClient, verkehr: dict[str, str], heard: Any
) -> None:
    async def wait(event: Event[Any], tx: Transaction) -> None:
        raise RetryLater

    def said(delivery: Delivery) -> store.Said | None:
        return "/lorawan/70b3", delivery.headers["ce-id"]

    heard.behave = wait
    bus.bus.ways["project-registry-claims"] = Way(bus.bus.ways["project-registry-claims"].again, said)
    await bus.publish(a_proposal(), partner="verkehr", id="p-1", source="/s")
    (end,) = (await http.get(asked("p-1", "/lorawan/70b3"), headers=verkehr)).json()
    heard.behave = None
    await bus.settled()

    assert end["outcome"] == "pending"


async def test_the_same_id_of_another_source_is_another_event(
    bus: TestBus, http: httpx.AsyncClient, verkehr: dict[str, str]
) -> None:
    await bus.publish(a_proposal(), partner="verkehr", id="1", source="/a")
    await bus.settled()

    assert (await http.get(asked("1", "/a"), headers=verkehr)).status_code == 200
    assert (await http.get(asked("1", "/b"), headers=verkehr)).status_code == 404


async def test_what_ends_while_it_is_looked_for_is_found(
    bus: TestBus, http: httpx.AsyncClient, verkehr: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither among the ends, a moment ago, nor among what waits, now."""
    search = outcomes._search

    async def end_meanwhile(*args: Any) -> Any:
        async with bus.bus.transaction() as tx:
            await batch.save_ends(tx, [Ended(a_delivery(1, NOON), "settled")])
        return await search(*args)

    monkeypatch.setattr(outcomes, "_search", end_meanwhile)

    assert (await http.get(asked("1"), headers=verkehr)).json()[0]["outcome"] == "settled"
