"""What the edge promises about one message."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from nats.js.errors import BadRequestError
from sqlalchemy import text
from sqlmodel import select
from test_traps import a_project, a_proposal

from oker_bus import Delivery, Event, Reason, Refused, RetryLater, Transaction, edge, store, topology
from oker_contracts import Envelope
from oker_contracts.selection.candidate_listed_v1 import CandidateListedV1
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1
from oker_testkit.bus import TestBus, eventually
from oker_testkit.migrations import differences
from oker_testkit.plugin import PARTNERS


class RoundNotOpen(RetryLater):
    pass


async def test_what_must_wait_comes_again_until_it_fits(bus: TestBus, heard: Any) -> None:
    async def wait_twice(event: Event[Any], tx: Transaction) -> None:
        if len(heard.events) < 3:
            raise RoundNotOpen

    heard.behave = wait_twice
    await bus.publish(a_project())
    await bus.settled()

    assert len(heard.events) == 3
    assert len(await bus.announced(CandidateListedV1)) == 1


async def test_a_refused_message_leaves_no_trace_but_its_quarantine(bus: TestBus, heard: Any) -> None:
    async def refuse(event: Event[Any], tx: Transaction) -> None:
        raise Refused(Reason.PROPOSAL_REFERENCE_UNKNOWN, "$.fields_of_action[0]", "No such field.")

    heard.behave = refuse
    await bus.publish(a_project())
    await bus.settled()

    assert await bus.quarantined() == [("proposal_reference_unknown", "$.fields_of_action[0]")]
    assert await bus.announced(CandidateListedV1) == []
    assert [outcome for _, _, outcome in await bus.settlements()] == ["quarantined"]


async def test_a_message_that_has_ended_stays_as_it_ended_though_it_would_be_refused_by_now(bus: TestBus) -> None:
    """As when it is delivered again after an update that knows its type no longer."""
    where = ("selection-scoring-list-candidates", "PROJECT", 1, None, "project.registered.v1")
    delivery = Delivery(*where, {}, b"", datetime(2026, 1, 15, tzinfo=UTC), 1)
    async with bus.bus.transaction() as tx:
        await store.settle(tx.session, delivery.settled("settled", tx.now))

    assert await bus.bus.edge.settle(delivery, {}) == "settled"
    assert await bus.bus.edge.bury(delivery, Refused(Reason.HANDLER_FAILED)) == "settled"
    assert await bus.quarantined() == []
    assert [outcome for _, _, outcome in await bus.settlements()] == ["settled"]


async def test_a_bug_is_buried_after_its_last_attempt(bus: TestBus, heard: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(edge, "BURY_FAILED_AFTER", 3)

    async def fail(event: Event[Any], tx: Transaction) -> None:
        raise ZeroDivisionError

    heard.behave = fail
    await bus.publish(a_project())
    await bus.settled()

    assert len(heard.events) == 3
    assert await bus.quarantined() == [("handler_failed", "$")]


async def test_an_outage_of_the_database_buries_nothing(bus: TestBus, heard: Any, monkeypatch: Any) -> None:
    """The message is good; it waits until the database is back, however often it comes again meanwhile."""
    monkeypatch.setattr(edge, "BURY_FAILED_AFTER", 1)

    async def be_away(event: Event[Any], tx: Transaction) -> None:
        if len(heard.events) == 1:
            raise ConnectionRefusedError
        if len(heard.events) == 2:
            await store.run(tx.session, text("SELECT pg_terminate_backend(pg_backend_pid())"))
        if len(heard.events) == 3:
            await store.run(tx.session, text("DO $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$"))

    heard.behave = be_away
    await bus.publish(a_project())
    await bus.settled()

    assert len(heard.events) == 4
    assert await bus.quarantined() == []
    assert len(await bus.announced(CandidateListedV1)) == 1


async def test_an_older_version_is_heard_as_the_newest(bus: TestBus, heard: Any) -> None:
    body = b'{"proposal": "alt", "title": "Alt", "field_of_action": "energie"}'
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/x",
        "ce-type": "de.oker.project.proposed.v1",
    }
    await bus.publish_raw("ingest.verkehr.project.proposed.v1", body, headers)
    await bus.settled()

    assert heard.events[0].data.fields_of_action == ["energie"]
    assert heard.events[0].partner == "verkehr"


async def test_a_claim_is_settled_where_the_company_s_stream_holds_it(bus: TestBus, sessions: Any) -> None:
    await bus.publish(a_proposal(), partner="verkehr")
    await bus.settled()

    async with sessions() as session:
        rows = (await session.exec(select(store.Settlement))).all()
    assert [(row.stream, row.sequence, row.partner, row.outcome) for row in rows] == [
        ("IN_verkehr", 1, "verkehr", "settled")
    ]


async def test_a_forged_origin_is_refused_by_the_broker(bus: TestBus) -> None:
    """The header that names a sourced message's origin cannot come from a company."""
    with pytest.raises(BadRequestError, match="source header"):
        await bus.publish_raw("ingest.verkehr.project.x.v1", b"{}", {"Nats-Stream-Source": "IN_stadtwerke 9 > > x y"})


async def test_a_type_that_differs_from_its_subject_is_quarantined(bus: TestBus) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/x",
        "ce-type": "de.oker.project.proposed.v2",
    }
    await bus.publish_raw("ingest.verkehr.project.other.v1", b"{}", headers)
    await bus.settled()

    assert await bus.quarantined() == [("type_mismatch", "ce-type")]


async def test_the_largest_message_with_the_longest_headers_still_gets_into_quarantine(bus: TestBus) -> None:
    """The copy carries reason and path besides; it must fit, or the relay would stand still for ever."""
    headers = {f"x-{number}": "y" * 3_000 for number in range(20)} | {"Oker-Reason": "forged"}
    await bus.publish_raw("ingest.verkehr.project.x.v1", b"z" * 980_000, headers)
    await bus.publish(a_project())
    await bus.settled()

    copy = await bus.jetstream.get_msg("QUARANTINE", seq=1)
    assert (copy.headers["Oker-Reason"], len(copy.data)) == ("body_too_large", store.MAX_COPY)
    assert copy.headers["Oker-Truncated"].startswith("980000 bytes")
    assert await bus.announced(CandidateListedV1)


async def test_a_full_stream_holds_up_its_own_announcements_only(bus: TestBus) -> None:
    """What cannot go to QUARANTINE waits in the outbox; facts on other streams get on, and nothing is lost."""
    config = (await bus.jetstream.stream_info("QUARANTINE")).config
    await bus.jetstream.update_stream(config.evolve(max_bytes=100))
    await bus.publish_raw("project.profile_recorded.v1.x", b"{", {"ce-id": "1"})
    await bus.publish(a_project())

    async def listed() -> bool:
        return bool(await bus.announced(CandidateListedV1))

    await eventually(listed, "the fact behind the refused copy is published")
    await bus.jetstream.update_stream(config)
    await bus.settled()
    assert (await bus.jetstream.stream_info("QUARANTINE")).state.messages == 1


async def test_a_stream_that_was_made_anew_counts_from_one_and_loses_nothing(bus: TestBus, heard: Any) -> None:
    """Its sequences were settled before, its messages were not."""
    await bus.publish(a_project("a"))
    await bus.settled()
    await bus.jetstream.delete_stream("PROJECT")
    async for _ in topology.apply(bus.jetstream, None, PARTNERS):
        pass
    await bus.publish(a_project("b"))

    async def both() -> bool:
        return [event.data.project_id for event in heard.events] == ["a", "b"]

    await eventually(both, "the first message of the new stream is handled")


async def test_only_a_gateway_may_say_what_is_the_gateways(bus: TestBus) -> None:
    """A company reaches ingest.<partner>.<name>, never the gateway's place."""
    said = MqttMessageReceivedV1(topic="a/b", payload=b"", received_at=datetime(2026, 1, 1, tzinfo=UTC))
    headers = Envelope("1", "/x", "de.oker.sensor.mqtt_message_received.v1", None, b"").headers()
    delivery = Delivery(
        consumer="sensor-ingest-claims",
        stream="IN_verkehr",
        sequence=1,
        partner="verkehr",
        subject=f"ingest.verkehr.{said.TYPE}",
        headers=headers,
        body=said.model_dump_json().encode(),
        stored_at=datetime(2026, 1, 1, tzinfo=UTC),
        deliveries=1,
    )

    with pytest.raises(Refused, match="type_not_claimable"):
        delivery.envelope()
    assert delivery._replace(subject=f"ingest.verkehr.gateway.{said.TYPE}").envelope().id == "1"


async def test_announcements_of_one_key_keep_their_order(bus: TestBus) -> None:
    for number in range(30):
        async with bus.bus.transaction() as tx:
            title = f"{number}"
            tx.announce(CandidateListedV1(project_id="a", title=title, fields_of_action=[], listed_at=tx.now))
    await bus.settled()

    assert [c.title for c in await bus.announced(CandidateListedV1)] == [f"{n}" for n in range(30)]


async def test_who_announces_on_a_key_waits_for_the_commit_of_who_came_first(bus: TestBus) -> None:
    def listed(project: str, title: str, tx: Transaction) -> CandidateListedV1:
        return CandidateListedV1(project_id=project, title=title, fields_of_action=[], listed_at=tx.now)

    async def announce_second() -> None:
        async with bus.bus.transaction() as tx:
            for project in ("c", "b", "a"):
                tx.announce(listed(project, "second", tx))

    async def somebody_waits() -> bool:
        here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        query = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND {here}"  # noqa: S608
        async with bus.bus.sessions() as session:
            return bool((await store.run(session, text(query))).scalar_one())

    async with bus.bus.transaction() as first:
        for project in ("a", "b"):
            first.announce(listed(project, "first", first))
        await first.write_outbox()
        second = asyncio.create_task(announce_second())
        await eventually(somebody_waits, "the second waits")
    await second
    await bus.settled()

    told = await bus.announced(CandidateListedV1)
    assert [c.title for c in told if c.project_id == "a"] == ["first", "second"]
    assert [c.title for c in told if c.project_id == "b"] == ["first", "second"]


async def test_a_repeated_attempt_announces_under_the_same_id(bus: TestBus, heard: Any) -> None:
    seen: list[str] = []

    async def note_and_fail_once(event: Event[Any], tx: Transaction) -> None:
        listed = CandidateListedV1(project_id="b", title="b", fields_of_action=[], listed_at=tx.now)
        seen.append(tx.announce(listed))
        if len(seen) == 1:
            raise ZeroDivisionError

    heard.behave = note_and_fail_once
    await bus.publish(a_project())
    await bus.settled()

    assert seen[0] == seen[1]
    events = await bus.events(CandidateListedV1)
    assert {event.causationid for event in events} == {heard.ids[0]}
    assert len({event.id for event in events}) == 2


async def test_the_tables_are_what_the_models_say(database_url: str) -> None:
    assert await differences(database_url, store.metadata) == []
