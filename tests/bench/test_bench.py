"""What is measured is what is said: readings are those of the contract, ratios are ours by theirs, a refusal is one."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import nats
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from tests.bench import brokers, uplinks
from tests.bench.figures import Figure, append, compare, compare_peer
from tests.bench.place import BenchFailed, NotMeasured, alone
from tests.bench.plain import rows
from tests.bench.readings import PROPERTIES, bodies, fast, frames, reading
from tests.bench.wire import WINDOW, PublishFailed, Wire, connect

from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1
from oker_testkit.plugin import Servers

NUMBERS = st.integers(min_value=0, max_value=200_000_000)


@pytest.fixture
async def client(servers: Servers, account: str) -> AsyncIterator[Client]:
    """A client of the account that the wire speaks to, with a stream for readings."""
    connection = await nats.connect(servers.nats.url, user=account, password=account)
    await connection.jetstream().add_stream(name="BENCH", subjects=["events.>"], max_msgs=4 * WINDOW, discard="new")
    yield connection
    await connection.close()


@pytest.fixture
async def wire(servers: Servers, account: str) -> AsyncIterator[Wire]:
    async with connect(urlsplit(servers.nats.url).port or 0, account, account) as connection:
        yield connection


@given(NUMBERS)
def test_the_fast_readings_are_those_of_the_contract(number: int) -> None:
    assert fast(number) == reading(number)


@given(NUMBERS)
def test_peers_get_the_same_reading_with_its_id_in_the_body(number: int) -> None:
    said = reading(number)

    assert rows(next(bodies(number, 1))) == rows(said.body, said.headers["ce-id"])
    assert len(rows(said.body, "")) == len(PROPERTIES)


async def test_more_than_the_window_is_published_once_and_confirmed(wire: Wire, client: Client) -> None:
    count = 2 * WINDOW + 7

    await wire.publish(frames(wire, 0, count))

    assert wire.open == 0
    assert (await client.jetstream().stream_info("BENCH")).state.messages == count
    last = await client.jetstream().get_msg("BENCH", count)
    assert (last.data, last.headers) == (fast(count - 1).body, fast(count - 1).headers)


async def test_readings_at_a_rate_are_all_published_and_not_before_they_are_due(wire: Wire, client: Client) -> None:
    due, offered = await wire.publish_at(list(frames(wire, 0, 200)), per_second=2_000)

    assert (await client.jetstream().stream_info("BENCH")).state.messages == 200
    assert due == pytest.approx([due[0] + number / 2_000 for number in range(200)])
    assert offered < 2_100


async def test_a_full_stream_ends_the_measurement(wire: Wire, client: Client) -> None:
    with pytest.raises(PublishFailed, match="maximum messages exceeded"):
        await wire.publish(frames(wire, 0, 5 * WINDOW))


async def test_a_subject_that_nobody_stores_ends_the_measurement(wire: Wire) -> None:
    with pytest.raises(PublishFailed, match="nobody stores"):
        await wire.publish(frames(wire, 0, 1))


async def test_a_wrong_password_is_said(servers: Servers, account: str) -> None:
    with pytest.raises(PublishFailed, match="Authorization Violation"):
        async with connect(urlsplit(servers.nats.url).port or 0, account, "wrong"):
            pass


@given(NUMBERS)
def test_an_uplink_has_the_size_of_real_ones_and_is_a_claim_of_the_contract(number: int) -> None:
    topic, body = uplinks.uplink(number)
    claim = uplinks.claim(number, "stadtwerke")
    said = MqttMessageReceivedV1.model_validate_json(claim.data)

    assert 1_400 < len(body) < 1_600
    assert (said.topic, said.payload) == (topic, body)
    assert json.loads(body)["deviceInfo"]["devEui"] in topic


def test_the_ratio_is_ours_by_the_reference_round_by_round() -> None:
    figure = compare("name", "readings/s", [10, 30, 20], [20, 30, 80])

    assert (figure.value, figure.reference, figure.ratio) == (20, 30, 0.5)


def test_a_peer_is_the_value_and_the_ratio_is_still_ours_by_theirs() -> None:
    figure = compare_peer("peer.x", "readings/s", peer=[10, 10, 10], ours=[20, 30, 40])

    assert (figure.value, figure.reference, figure.ratio) == (10, 30, 3)


def test_the_file_holds_one_object_a_line(tmp_path: Path) -> None:
    path = tmp_path / "bench.jsonl"
    append(path, [Figure("a", 1.5, "ms")])
    append(path, [Figure("b", 2, "ms", note="offered 4,000/s")])

    plain = {"unit": "ms", "reference": None, "ratio": None}
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"name": "a", "value": 1.5, **plain},
        {"name": "b", "value": 2, **plain, "note": "offered 4,000/s"},
    ]


async def test_a_broker_that_is_missing_is_said_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "RABBITMQ", tmp_path / "nothing")

    with pytest.raises(NotMeasured, match=r"rabbitmq-server is not installed; .*apt-get install"):
        async with brokers.rabbitmq(tmp_path / "folder"):
            pass


def test_two_runs_at_once_are_refused_and_one_after_the_other_is_not(tmp_path: Path) -> None:
    lock = tmp_path / "bench.lock"

    with alone(lock), pytest.raises(BenchFailed, match="another run holds"), alone(lock):
        pass
    with alone(lock):
        assert lock.exists()
