"""What the lane reads from the wire, held against nats-py's own reading; and what it says to the broker."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client

from oker_bus.connection import Connection, connect, read_headers
from oker_bus.edge import verdict
from oker_testkit.plugin import Servers

LINES = st.lists(st.binary(max_size=12) | st.sampled_from([b"ce-id: 1", b"ce-id:2", b" x : y ", b":", b"a b: c"]))


@given(LINES)
def test_headers_are_read_as_nats_py_reads_them(lines: list[bytes]) -> None:
    """Whatever a stranger puts there."""
    raw = b"\r\n".join(lines) + b"\r\n\r\n"

    assert read_headers(b"NATS/1.0\r\n" + raw) == Client._parse_header_lines(raw)


@pytest.fixture
async def connection(servers: Servers, account: str) -> Any:
    """A connection as a service has it."""
    made = await connect({"servers": [servers.nats.url], "user": account, "password": account})
    yield made
    await made.close()


async def test_a_tap_hands_over_the_bytes_as_they_came(connection: Connection) -> None:
    heard = asyncio.get_running_loop().create_future()
    subject = connection.new_inbox()
    await connection.tap(subject, lambda *said: heard.set_result(tuple(map(bytes, said))))

    await connection.publish(subject, b"\xff", reply="answer", headers={"ce-id": "1"})

    async with asyncio.timeout(5):
        assert await heard == (subject.encode(), b"answer", b"\xff", b"NATS/1.0\r\nce-id: 1\r\n\r\n")


async def test_a_tap_that_fails_does_not_end_the_reading(connection: Connection) -> None:
    heard = asyncio.get_running_loop().create_future()

    def take(subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        if data == b"bad":
            raise ZeroDivisionError
        heard.set_result(bytes(data))

    subject = connection.new_inbox()
    await connection.tap(subject, take)
    await connection.send([(subject, b"bad"), (subject, b"good")])

    async with asyncio.timeout(5):
        assert await heard == b"good"


async def test_what_is_sent_together_arrives_in_order(connection: Connection) -> None:
    subject = connection.new_inbox()
    subscription = await connection.subscribe(subject)
    await connection.send((subject, b"%d" % number) for number in range(1_000))

    async with asyncio.timeout(5):
        assert [int((await subscription.next_msg()).data) for _ in range(1_000)] == list(range(1_000))


@pytest.mark.parametrize(
    ("outcome", "deliveries", "said"),
    [
        ("settled", 1, b"+ACK"),
        ("duplicate", 1, b"+ACK"),
        ("quarantined", 1, b"+TERM"),
        (None, 1, b'-NAK {"delay": 200000000}'),
        (None, 99, b'-NAK {"delay": 60000000000}'),
    ],
)
def test_the_broker_is_told_how_a_message_ended(outcome: Any, deliveries: int, said: bytes) -> None:
    assert verdict(outcome, deliveries) == said
