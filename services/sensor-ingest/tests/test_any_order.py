"""Any order, duplication and delay of the same messages, cut into batches anyhow, ends in the same tables.

The messages name their times themselves: one without takes the time at which the broker stored it, and that is a
matter of order. The devices are declared before; how declarations commute is told by the tests of the registry.
"""

import asyncio
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from builders_sensor_ingest import EUI, NOON, a_weather_station, an_uplink, declared_stream, minutes, topic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus import Delivery
from oker_bus.edge import Edge, Sessions
from oker_bus.ledger import count
from oker_bus.partners import PartnersFile
from oker_bus.store import run
from oker_contracts import TYPE_PREFIX, catalog
from oker_contracts.sensor.device_declared_v1 import DeviceDeclaredV1
from sensor_ingest import handlers

CONSUMER, STREAM, PARTNER = "sensor-ingest-claims", "IN_stadtwerke", "stadtwerke"
READING, BATCH, MQTT = (
    f"sensor.{name}.v1" for name in ("reading_reported", "readings_reported", "mqtt_message_received")
)
KEPT = {"device", "datastream", "mounting", "placement", "profile", "registry_version", "inbox"}
"""Tables that the declarations fill; all others are emptied for the next try."""
LEDGER = ("read", "stored", "duplicate", "corrected", "quarantined")


@dataclass(frozen=True, slots=True)
class Message:
    """What a company says; by its id it is the same however often it is said."""

    id: str
    type: str
    body: bytes
    source: str

    def delivered(self, sequence: int) -> Delivery:
        """The message as it lies on the stream."""
        subject = catalog().events[self.type].claim_subject(PARTNER)
        headers = {
            "ce-specversion": "1.0",
            "ce-id": self.id,
            "ce-source": self.source,
            "ce-type": TYPE_PREFIX + self.type,
            "ce-time": NOON.isoformat(),
        }
        stored_at = NOON + minutes(sequence)
        return Delivery(CONSUMER, STREAM, sequence, PARTNER, subject, headers, self.body, stored_at, 1)


times = st.integers(0, 2).map(lambda number: (NOON + minutes(number)).isoformat())
results = st.fixed_dictionaries(
    {
        "property": st.sampled_from(["power_1", "noise_1", "power_9"]),
        "value": st.sampled_from([1.0, 2.5, -3.0]),
        "unit": st.sampled_from(["kW", "W", "dB", "kW"]),
    }
)
readings = st.fixed_dictionaries(
    {
        "device": st.sampled_from(["trafo-12", "trafo-12", "trafo-99"]),
        "phenomenon_time": times,
        "results": st.lists(results, min_size=1, max_size=3),
    },
    optional={"result_time": times},
)
too_new = readings.map(lambda said: said | {"phenomenon_time": "2126-01-01T00:00:00Z"})


@st.composite
def uplinks(draw: st.DrawFn) -> tuple[str, Any]:
    """ChirpStack says the same uplink again under its deduplication id; these few are said in several messages."""
    number = draw(st.integers(0, 3))
    at = (NOON + minutes(number % 3)).isoformat()
    payload = ["016700e1", "016700e1026864", "0167", "016800e1"][number]
    body = an_uplink(bytes.fromhex(payload), deduplicationId=f"d-{number}", time=at, fCnt=number)
    return mqtt(topic(eui=EUI), body, at)


@st.composite
def plain(draw: st.DrawFn) -> tuple[str, Any]:
    """A device says the same value again under an id of its own, or under none; now and then one for nobody."""
    number = draw(st.integers(0, 3))
    at = (NOON + minutes(number % 3)).isoformat()
    body = json.dumps({"id": f"p-{number}", "time": at, "power_1": number}).encode()
    at_topic, body = draw(
        st.sampled_from(
            [
                ("readings/trafo-12", body),
                ("readings/trafo-12/power_1", b"7.5"),
                ("readings/trafo-99", body),
                ("readings/trafo-12", b"[]"),
                ("somewhere/else", b"1"),
            ]
        )
    )
    return mqtt(at_topic, body, at)


def mqtt(at_topic: str, body: bytes, at: str) -> tuple[str, Any]:
    """What the gateway makes of an MQTT message."""
    return MQTT, {"topic": at_topic, "payload": b64encode(body).decode(), "received_at": at}


said = st.one_of(
    readings.map(lambda one: (READING, one)),
    st.lists(readings, min_size=1, max_size=3).map(lambda some: (BATCH, {"readings": some})),
    uplinks(),
    plain(),
    too_new.map(lambda one: (READING, one)),
    st.sampled_from([(READING, {"device": "trafo-12"}), (BATCH, {"readings": []}), (MQTT, {"topic": "a/b"})]),
)
messages = st.lists(st.tuples(said, st.sampled_from(["/a", "/b"])), min_size=1, max_size=10).map(
    lambda rows: [
        Message(f"m-{number}", type, json.dumps(body).encode(), source)
        for number, ((type, body), source) in enumerate(rows)
    ]
)


@st.composite
def arrangements(draw: st.DrawFn) -> tuple[list[Message], list[list[Delivery]], list[list[Delivery]]]:
    """Messages, and two ways in which they arrive: the same copies in another order and in other batches.

    A message that the broker delivers again has the same sequence; one that its sender repeats has another.
    """
    said = draw(messages)
    copies = [message for message in said for _ in range(draw(st.integers(1, 3)))]
    one_way, another = (draw(batches(draw(st.permutations(copies)))) for _ in range(2))
    return said, one_way, another


@st.composite
def batches(draw: st.DrawFn, copies: Sequence[Message]) -> list[list[Delivery]]:
    """Cut anywhere; now and then something that has been delivered comes again."""
    delivered = [message.delivered(sequence) for sequence, message in enumerate(copies, 1)]
    again = draw(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=3))
    for place, number in again:
        at = place % (len(delivered) + 1)
        if at:
            delivered.insert(at, delivered[number % at])
    cuts = sorted({0, len(delivered), *draw(st.lists(st.integers(0, len(delivered)), max_size=5))})
    return [delivered[start:end] for start, end in pairwise(cuts)]


@dataclass(slots=True)
class Place:
    """A database of the service, and what writes into it."""

    sessions: Sessions
    ingest: handlers.Ingest
    tables: list[str] = field(default_factory=list)

    async def declare(self) -> None:
        """The devices that the messages speak of."""
        streams = [declared_stream("power_1"), declared_stream("noise_1", "dB", "environment")]
        trafo = DeviceDeclaredV1(device="trafo-12", name="Trafostation", datastreams=streams)
        declared = [
            Message(device.device, device.TYPE, device.model_dump_json().encode(), "/d")
            for device in (trafo, a_weather_station())
        ]
        assert await self.write([[m.delivered(n) for n, m in enumerate(declared, 1)]]) == ["settled", "settled"]
        found = await self.rows(
            "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition "
            "AND c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'alembic%'"
        )
        self.tables = [row[0] for row in found if row[0] not in KEPT]

    async def write(self, arriving: Sequence[list[Delivery]]) -> list[Any]:
        """Take batch after batch."""
        return [outcome for batch in arriving for outcome in await self.ingest.write(handlers.prepare(batch))]

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database."""
        async with self.sessions() as session, session.begin():
            return [tuple(row) for row in (await run(session, text(query))).all()]

    async def after(self, arriving: Sequence[list[Delivery]]) -> tuple[dict[str, Any], Counter[Any], dict[str, int]]:
        """The tables, the quarantine and the ledger after messages have arrived in empty tables."""
        async with self.sessions() as session, session.begin():
            await run(session, text(f"TRUNCATE {', '.join(self.tables)}"))
        await self.write(arriving)
        tables = {
            "observation": await self.rows(
                "SELECT to_jsonb(o) - 'recorded_at' FROM observation o ORDER BY datastream, phenomenon_time, event_key"
            ),
            "lorawan_event": await self.rows("SELECT to_jsonb(e) - 'recorded_at' FROM lorawan_event e ORDER BY 1"),
        }
        refused = Counter(
            await self.rows("SELECT headers->>'ce-id', coalesce(part, 0), reason, path FROM quarantine ORDER BY 1, 2")
        )
        async with self.sessions() as session:
            settled = (await count(session, None))["settlements"]
        return tables, refused, {name: sum(int(row[f"readings_{name}"]) for row in settled) for name in LEDGER}


@pytest.fixture
def place(database_url: str, partners_file: Path) -> Iterator[tuple[asyncio.Runner, Place]]:
    """A place of the test's own, and the event loop of its connections: Hypothesis calls plain functions only."""
    with asyncio.Runner() as runner:
        engine = create_async_engine(database_url, poolclass=NullPool)
        sessions = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
        edge = Edge("sensor-ingest", sessions, lambda: datetime(2026, 2, 1, tzinfo=UTC))
        made = Place(sessions, handlers.Ingest(CONSUMER, edge, PartnersFile(partners_file)))
        runner.run(made.declare())
        yield runner, made
        runner.run(engine.dispose())


@pytest.mark.timeout(600)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrangements())
def test_any_order_duplication_and_delay_end_in_the_same_tables(
    place: tuple[asyncio.Runner, Place], arranged: tuple[list[Message], list[list[Delivery]], list[list[Delivery]]]
) -> None:
    runner, made = place
    said, one_way, another_way = arranged
    in_order = [[message.delivered(number)] for number, message in enumerate(said, 1)]

    once = runner.run(made.after(in_order))
    one = runner.run(made.after(one_way))
    other = runner.run(made.after(another_way))

    assert one == other
    assert one[0] == once[0], "the tables do not know how often something was said"
    assert set(one[1]) == set(once[1]), "nor what was wrong with it"
    stored, corrected = one[2]["stored"], one[2]["corrected"]
    assert (stored, corrected) == (once[2]["stored"], once[2]["corrected"])
    assert one[2]["read"] == stored + corrected + one[2]["duplicate"] + one[2]["quarantined"]
