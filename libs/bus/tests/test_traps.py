"""Ten traps of this stack, each of which loses, doubles or blocks messages unless the bus avoids it."""

import time
from datetime import UTC, datetime
from typing import Any

from nats.js.errors import NotFoundError
from sqlalchemy import text

from oker_bus import Event, Transaction, open_bus, store, topology
from oker_bus.bus import connection_options
from oker_bus.settings import ServiceSettings
from oker_contracts.project.profile_recorded_v1 import Profile, ProfileRecordedV1
from oker_contracts.project.proposed_v2 import ProjectProposedV2
from oker_contracts.selection.candidate_listed_v1 import CandidateListedV1
from oker_testkit.bus import TestBus, eventually
from oker_testkit.plugin import PARTNERS, Servers
from oker_testkit.servers import free_port, start_nats

CONSUMER = "selection-scoring-list-candidates"


def a_project(project_id: str = "uvm") -> ProfileRecordedV1:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    return ProfileRecordedV1(
        project_id=project_id,
        version=2,
        state="eligible",
        previous_state="proposed",
        profile=Profile(title="Umweltorientiertes Verkehrsmanagement", fields_of_action=["mobilitaet"]),
        reason="",
        valid_from=since,
        recorded_at=since,
    )


def a_proposal(proposal: str = "zaehlung") -> ProjectProposedV2:
    return ProjectProposedV2(proposal=proposal, title="Besucherzählung", fields_of_action=["mobilitaet"])


def failing(times: int, moments: list[float] | None = None) -> Any:
    """A handler that fails ``times`` times, like a bug would."""
    left = [times]

    async def behave(event: Event[Any], tx: Transaction) -> None:
        if moments is not None:
            moments.append(time.monotonic())
        if left[0]:
            left[0] -= 1
            raise ZeroDivisionError

    return behave


async def test_a_message_whose_handler_fails_comes_again_and_is_handled_once(bus: TestBus, heard: Any) -> None:
    """Trap 1: FastStream's default acknowledgement policy ends a message at the first exception."""
    heard.behave = failing(2)

    await bus.publish(a_project())
    await bus.settled()

    assert len(heard.events) == 3
    assert [c.project_id for c in await bus.announced(CandidateListedV1)] == ["uvm"]


async def test_redelivery_pauses_and_the_pause_grows(bus: TestBus, heard: Any) -> None:
    """Trap 2: NACK_ON_ERROR delivers again at once, five times in eight milliseconds."""
    moments: list[float] = []
    heard.behave = failing(2, moments)

    await bus.publish(a_project())
    await bus.settled()

    first, second = moments[1] - moments[0], moments[2] - moments[1]
    assert first > 0.15
    assert second > first


async def test_a_running_service_leaves_the_streams_as_they_are(
    jetstream: Any, settings: ServiceSettings, service: Any
) -> None:
    """Trap 3: a stream declared through FastStream is rewritten at start, its limits are lost."""
    before = (await jetstream.stream_info("PROJECT")).config

    async with open_bus(settings, service.router):
        after = (await jetstream.stream_info("PROJECT")).config

    assert after == before
    assert after.duplicate_window == topology.DEDUP_SECONDS


async def test_a_deleted_durable_makes_the_service_unready_and_it_recovers(bus: TestBus, heard: Any) -> None:
    """Trap 4: without its durable the pull loop spins silently while a ping stays healthy."""
    await bus.jetstream.delete_consumer("PROJECT", CONSUMER)

    async def complaint() -> bool:
        return "is missing on PROJECT" in (await bus.bus.failing()).get(f"{CONSUMER} on PROJECT", "")

    await eventually(complaint, "the service says that its durable is missing")
    requests_before = bus.bus.nats.stats["out_msgs"]
    async for _ in topology.apply(bus.jetstream, None, PARTNERS):
        pass
    await bus.publish(a_project())

    async def ready() -> bool:
        return not await bus.bus.failing()

    await eventually(ready, "the service is ready again")
    await bus.settled()
    assert heard.events
    assert bus.bus.nats.stats["out_msgs"] - requests_before < 200


async def test_a_durable_is_never_made_by_the_service(bus: TestBus) -> None:
    """Trap 4, other half: nats-py makes a missing durable with bad defaults if it may."""
    await bus.jetstream.delete_consumer("PROJECT", CONSUMER)

    async def noticed() -> bool:
        return f"{CONSUMER} on PROJECT" in await bus.bus.failing()

    await eventually(noticed, "the missing durable is noticed")
    try:
        await bus.jetstream.consumer_info("PROJECT", CONSUMER)
        made = True
    except NotFoundError:
        made = False
    assert not made


async def test_the_service_lives_through_a_restart_of_the_broker(
    servers: Servers, settings: ServiceSettings, service: Any, heard: Any, tmp_path: Any
) -> None:
    """Trap 5: once the reconnect attempts are used up the pull loop spins without yielding."""
    port = free_port()
    config = tmp_path / "nats.conf"
    config.write_text(
        f'port: {port}\nhost: 127.0.0.1\njetstream {{ store_dir: "{tmp_path}/js", max_file_store: 1TB }}\n'
    )
    server = start_nats(config, port, tmp_path / "nats.log", {})
    alone = settings.model_copy(update={"nats_url": server.url})
    assert connection_options(alone, "x")["max_reconnect_attempts"] == -1
    import nats

    admin = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.2)
    js = admin.jetstream(timeout=10)
    async for _ in topology.apply(js, None, PARTNERS):
        pass
    try:
        async with open_bus(alone, service.router) as running:
            server.stop()

            async def cut() -> bool:
                return "nats" in await running.failing()

            await eventually(cut, "the service says that the broker is gone")
            server = start_nats(config, port, tmp_path / "nats.log", {})

            async def back() -> bool:
                return admin.is_connected and not await running.failing()

            await eventually(back, "the service is ready again")
            test_bus = TestBus(running, js, admin, PARTNERS)
            await test_bus.publish(a_project())
            await test_bus.settled()
            assert await test_bus.announced(CandidateListedV1)
    finally:
        await admin.close()
        server.stop()


async def test_an_undecodable_body_is_quarantined_with_its_bytes_and_harms_no_neighbour(
    bus: TestBus, heard: Any
) -> None:
    """Trap 6: a body that cannot be decoded fails before any handler and is delivered for ever, or lost."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/x",
        "ce-type": "de.oker.project.profile_recorded.v1",
    }
    await bus.publish_raw("project.profile_recorded.v1.uvm", b'{"project_id": ', headers)
    await bus.publish(a_project("sirene"))
    await bus.settled()

    assert await bus.quarantined() == [("json_broken", "$")]
    assert [event.data.project_id for event in heard.events] == ["sirene"]
    kept = await bus.jetstream.get_msg("QUARANTINE", seq=1)
    assert kept.data == b'{"project_id": '
    assert kept.headers["Oker-Reason"] == "json_broken"


async def test_a_failed_commit_is_not_acknowledged(bus: TestBus, heard: Any) -> None:
    """Trap 7: acknowledged before the commit, a message whose commit fails is lost."""

    async def lose_the_connection(event: Event[Any], tx: Transaction) -> None:
        if len(heard.events) == 1:
            await store.run(tx.session, text("SELECT pg_terminate_backend(pg_backend_pid())"))

    heard.behave = lose_the_connection

    await bus.publish(a_project())
    await bus.settled()

    assert len(heard.events) == 2
    assert len(await bus.announced(CandidateListedV1)) == 1


async def test_the_same_event_counts_once_inside_and_outside_of_the_dedup_window(bus: TestBus, heard: Any) -> None:
    """Trap 8: the broker's window forgets after two minutes, and knows only ids that were sent as Nats-Msg-Id."""
    await bus.publish(a_project(), id="7", msg_id="7")
    await bus.publish(a_project(), id="7", msg_id="7")
    await bus.publish(a_project(), id="7")
    await bus.settled()

    assert heard.ids == ["7"]
    assert [outcome for _, _, outcome in await bus.settlements()] == ["settled", "duplicate"]


async def test_equal_ids_of_two_sources_are_two_events(bus: TestBus, heard: Any) -> None:
    """Trap 9: an id is unique only together with its source, and only within a company."""
    await bus.publish(a_project("a"), id="1", source="/one")
    await bus.publish(a_project("b"), id="1", source="/two")
    await bus.publish(a_proposal(), id="1", source="/one", partner="stadtwerke")
    await bus.publish(a_proposal(), id="1", source="/one", partner="verkehr")
    await bus.settled()

    assert sorted((e.partner or "", e.source) for e in heard.events) == [
        ("", "/one"), ("", "/two"), ("stadtwerke", "/one"), ("verkehr", "/one"),
    ]  # fmt: skip


async def test_an_announcement_that_commits_late_is_published_too(bus: TestBus) -> None:
    """Trap 10: a relay that remembers the greatest id skips a smaller one whose transaction commits later."""

    def listed(project_id: str, tx: Transaction) -> CandidateListedV1:
        return CandidateListedV1(project_id=project_id, title="x", fields_of_action=[], listed_at=tx.now)

    async with bus.bus.transaction() as late:
        late.announce(listed("late", late))
        await late.write_outbox()
        async with bus.bus.transaction() as early:
            early.announce(listed("early", early))

        async def early_is_out() -> bool:
            return bool(await bus.announced(CandidateListedV1))

        await eventually(early_is_out, "the later id is published first")
    await bus.settled()

    assert [c.project_id for c in await bus.announced(CandidateListedV1)] == ["early", "late"]
