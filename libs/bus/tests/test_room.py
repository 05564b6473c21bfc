"""Room on intake streams: what is settled goes when it must, what is not settled stays, and a full stream is named."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.js.api import ConsumerConfig, PubAck
from nats.js.errors import APIError

from oker_bus import topology
from oker_bus.room import Fill, Room, overlap, settled_floors, trim
from oker_testkit.plugin import PARTNERS

STREAM = "IN_verkehr"
HEARS = {"sensor-ingest-claims", "project-registry-claims"}
KEEP = timedelta(days=90)
BODY = b"x" * 500


def subject(domain: str, number: int = 0) -> str:
    return f"ingest.verkehr.{domain}.said.{number}"


async def limit(js: Any, max_bytes: int) -> None:
    config = (await js.stream_info(STREAM)).config
    await js.update_stream(config.evolve(max_bytes=max_bytes))


async def say(js: Any, domain: str, count: int) -> list[int]:
    """Publish; returns the sequences that were acknowledged."""
    sent = [js.publish(subject(domain, number), BODY) for number in range(count)]
    answers = await asyncio.gather(*sent, return_exceptions=True)
    return sorted(answer.seq for answer in answers if isinstance(answer, PubAck))


async def settle(js: Any, consumer: str, count: int) -> list[int]:
    """Take and acknowledge so many; returns their sequences."""
    subscription = await js.pull_subscribe_bind(consumer=consumer, stream=STREAM)
    taken: list[int] = []
    while len(taken) < count:
        for msg in await subscription.fetch(min(count - len(taken), 100), timeout=5):
            await msg.ack_sync(timeout=5)
            taken.append(msg.metadata.sequence.stream)
    return taken


async def held(js: Any) -> list[int]:
    """The sequences that the stream holds."""
    found, at = [], 1
    while True:
        try:
            msg = await js.get_msg(STREAM, seq=at, subject=">", next=True)
        except APIError:
            return found
        found.append(int(msg.seq))
        at = int(msg.seq) + 1


async def cut(js: Any, keep: timedelta = KEEP, now: datetime | None = None) -> int:
    return await trim(js, STREAM, HEARS, keep, now or datetime.now(UTC))


async def test_a_full_stream_is_drained_and_takes_again_and_nothing_acknowledged_is_lost(jetstream: Any) -> None:
    await limit(jetstream, 100_000)
    first = await say(jetstream, "sensor", 300)
    assert await say(jetstream, "sensor", 1) == []  # full: refused

    settled = await settle(jetstream, "sensor-ingest-claims", len(first) // 2)
    await cut(jetstream)
    again = await say(jetstream, "sensor", 20)

    assert len(again) == 20
    there = set(await held(jetstream))
    assert (set(first) | set(again)) - set(settled) <= there
    assert len(there) < len(first)


async def test_a_stream_with_room_keeps_what_is_settled(jetstream: Any) -> None:
    said = await say(jetstream, "sensor", 20)
    await settle(jetstream, "sensor-ingest-claims", 20)

    assert await cut(jetstream) == 0
    assert await held(jetstream) == said


async def test_only_as_much_is_removed_as_makes_room_the_oldest_first(jetstream: Any) -> None:
    await limit(jetstream, 100_000)
    said = await say(jetstream, "sensor", 150)
    await settle(jetstream, "sensor-ingest-claims", 150)

    removed = await cut(jetstream)

    assert 0 < removed < 150
    assert await held(jetstream) == said[removed:]
    state = (await jetstream.stream_info(STREAM)).state
    assert 0.5 < state.bytes / 100_000 < 0.65


async def test_what_one_service_has_not_settled_stays_whatever_another_one_did(jetstream: Any) -> None:
    await limit(jetstream, 100_000)
    proposals = await say(jetstream, "project", 10)
    readings = await say(jetstream, "sensor", 150)
    await settle(jetstream, "sensor-ingest-claims", 150)

    removed = await cut(jetstream)

    assert removed > 0
    assert await held(jetstream) == proposals + readings[removed:]


async def test_a_message_in_the_middle_that_was_not_acknowledged_holds_back_what_came_after_it(jetstream: Any) -> None:
    await limit(jetstream, 100_000)
    said = await say(jetstream, "sensor", 150)
    subscription = await jetstream.pull_subscribe_bind(consumer="sensor-ingest-claims", stream=STREAM)
    for msg in await subscription.fetch(150, timeout=5):
        if msg.metadata.sequence.stream != said[9]:
            await msg.ack_sync(timeout=5)

    await cut(jetstream)

    assert await held(jetstream) == said[9:]


async def test_old_messages_go_once_they_are_settled_and_not_before(jetstream: Any) -> None:
    said = await say(jetstream, "sensor", 30)
    await settle(jetstream, "sensor-ingest-claims", 10)
    later = datetime.now(UTC) + KEEP + timedelta(minutes=1)

    assert await cut(jetstream, now=later) == 10
    assert await held(jetstream) == said[10:]
    assert await cut(jetstream, now=later) == 0


async def test_only_those_older_than_they_are_kept_go(jetstream: Any) -> None:
    old = await say(jetstream, "sensor", 37)
    middle = datetime.now(UTC)
    young = await say(jetstream, "sensor", 41)
    await settle(jetstream, "sensor-ingest-claims", 78)

    assert await cut(jetstream, now=middle + KEEP) == len(old)
    assert await held(jetstream) == young


async def test_nothing_is_removed_while_a_durable_that_should_hear_it_is_missing(jetstream: Any) -> None:
    await limit(jetstream, 100_000)
    said = await say(jetstream, "sensor", 150)
    await settle(jetstream, "sensor-ingest-claims", 150)
    await jetstream.delete_consumer(STREAM, "project-registry-claims")

    assert await cut(jetstream) == 0
    assert await held(jetstream) == said


async def test_a_further_durable_is_respected(jetstream: Any) -> None:
    await limit(jetstream, 100_000)
    await jetstream.add_consumer(STREAM, ConsumerConfig(durable_name="archive", ack_policy="explicit"))
    said = await say(jetstream, "sensor", 150)
    await settle(jetstream, "sensor-ingest-claims", 150)

    assert await cut(jetstream) == 0
    assert await held(jetstream) == said


async def test_nothing_is_removed_while_a_durable_cannot_be_asked(jetstream: Any, monkeypatch: Any) -> None:
    """In a cluster one that has no leader at the moment is not listed; it may have settled nothing."""
    await limit(jetstream, 100_000)
    await jetstream.add_consumer(STREAM, ConsumerConfig(durable_name="archive", ack_policy="explicit"))
    said = await say(jetstream, "sensor", 150)
    await settle(jetstream, "sensor-ingest-claims", 150)
    listed = jetstream.consumers_info

    async def without_it(stream: str, offset: int = 0) -> list[Any]:
        return [info for info in await listed(stream, offset) if info.name != "archive"]

    monkeypatch.setattr(jetstream, "consumers_info", without_it)

    assert await cut(jetstream) == 0
    assert await held(jetstream) == said


async def test_durables_beyond_the_first_page_are_respected(jetstream: Any, monkeypatch: Any) -> None:
    await limit(jetstream, 100_000)
    said = await say(jetstream, "sensor", 150)
    await settle(jetstream, "sensor-ingest-claims", 150)
    archive = ConsumerConfig(durable_name="zz-archive", ack_policy="explicit")
    await jetstream.add_consumer(STREAM, archive)
    listed = jetstream.consumers_info

    async def by_one(stream: str, offset: int = 0) -> list[Any]:
        return list(await listed(stream))[offset : offset + 1]

    monkeypatch.setattr(jetstream, "consumers_info", by_one)

    assert await cut(jetstream) == 0
    assert await held(jetstream) == said
    await jetstream.delete_consumer(STREAM, "zz-archive")
    assert await cut(jetstream) > 0


async def test_no_intake_stream_forgets_by_age_and_each_has_its_company_s_size() -> None:
    sized = PARTNERS.partners["verkehr"].model_copy(
        update={"intake": PARTNERS.partners["verkehr"].intake.model_copy(update={"max_bytes": 77_000_000})}
    )
    partners = PARTNERS.model_copy(update={"partners": {**PARTNERS.partners, "verkehr": sized}})

    intake = {str(s.name): s for s in topology.streams(partners) if str(s.name).startswith("IN_")}

    assert {name: (s.max_bytes, s.max_age) for name, s in intake.items()} == {
        "IN_stadtwerke": (5_000_000_000, 0.0),
        "IN_verkehr": (77_000_000, 0.0),
    }


async def test_a_stream_that_fills_up_is_a_warning_and_the_service_s_own_that_is_full_a_failure(jetstream: Any) -> None:
    room = Room(jetstream, frozenset({STREAM}))
    other = Room(jetstream)
    for one in (room, other):
        one.add(STREAM)
    await limit(jetstream, 100_000)
    await say(jetstream, "sensor", 155)
    await room.look()
    assert list(room.warnings()) == [STREAM]
    assert room.failing() == {}

    await say(jetstream, "sensor", 100)
    await room.look()
    await other.look()

    assert "publishers are refused" in room.failing()[STREAM]
    assert (list(other.warnings()), other.failing()) == ([STREAM], {})
    await jetstream.purge_stream(STREAM)
    await room.look()
    assert (room.warnings(), room.failing()) == ({}, {})


async def test_a_stream_that_cannot_be_asked_about_is_no_warning(jetstream: Any) -> None:
    room = Room(jetstream)
    room.add("NOT_THERE")

    await room.look()

    assert (room.warnings(), room.failing()) == ({}, {})


@pytest.mark.parametrize(
    ("fill", "is_full"),
    [
        (Fill(0, 0), False),
        (Fill(10**12, 0), False),
        (Fill(4_990_000_000, 5_000_000_000), False),
        (Fill(4_999_500_000, 5_000_000_000), True),
        (Fill(5_000_000_000, 5_000_000_000), True),
    ],
)
def test_a_stream_is_full_when_a_large_message_has_no_room(fill: Fill, is_full: bool) -> None:
    assert fill.is_full is is_full


tokens = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=3)
filters = st.tuples(tokens, st.booleans()).map(lambda said: ".".join([*said[0], ">"] if said[1] else said[0]))
subjects = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=5).map(".".join)


def matches(filter: str, said: str) -> bool:
    """NATS: ``*`` is one token, ``>`` one or more."""
    wanted, tokens = filter.split("."), said.split(".")
    if wanted[-1] == ">":
        head = wanted[:-1]
        return len(tokens) > len(head) and all(w in ("*", t) for w, t in zip(head, tokens, strict=False))
    return len(wanted) == len(tokens) and all(w in ("*", t) for w, t in zip(wanted, tokens, strict=True))


@given(filters, filters, subjects)
def test_filters_that_both_match_a_subject_overlap(one: str, other: str, said: str) -> None:
    if matches(one, said) and matches(other, said):
        assert overlap(one, other)
        assert overlap(other, one)


def test_filters_of_different_domains_do_not_overlap() -> None:
    assert not overlap("ingest.*.sensor.>", "ingest.*.project.>")
    assert not overlap("ingest.*.sensor.>", "ingest.*.gateway.sensor.>")


def test_the_floor_of_a_filter_is_the_lowest_of_all_that_hear_any_of_it() -> None:
    def heard(floor: int, *subjects: str) -> Any:
        config = ConsumerConfig(filter_subjects=list(subjects))
        return type("Info", (), {"config": config, "ack_floor": type("Floor", (), {"stream_seq": floor})})

    floors = settled_floors([heard(10, "a.>", "b.>"), heard(4, "a.x"), heard(7, "c.*")])

    assert floors == {"a.>": 4, "b.>": 10, "a.x": 4, "c.*": 7}
