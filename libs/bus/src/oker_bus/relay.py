"""From the outbox to JetStream: in order per key, at least once, under a stable Nats-Msg-Id."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog
from nats.js import JetStreamContext

from oker_bus.store import NOTIFY_CHANNEL

log = structlog.get_logger()
SWEEP_SECONDS = 1.0
KEEPALIVE = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
"""The server notices within half a minute that a relay's host is gone, and gives its lock free."""
BATCH = 200
INTERRUPTIONS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a database does that goes away; the last is what asyncpg says where it is killed in the midst of an answer."""
LOCK = 0x6F75_7462
"""Advisory lock: of all replicas of a service one relays at a time, which keeps the order."""


async def relay(database_url: str, jetstream: JetStreamContext, is_connected: Callable[[], bool]) -> None:
    """Publish what the service announced, for ever; wakes on NOTIFY, sweeps by polling.

    A row is deleted after its PubAck. Killed in between, it is published again under the same Nats-Msg-Id;
    consumers settle the second as a duplicate.
    """
    while True:
        try:
            await _relay_on_one_connection(database_url, jetstream, is_connected)
        except INTERRUPTIONS as error:
            log.warning("relay.interrupted", error=type(error).__name__)
            await asyncio.sleep(SWEEP_SECONDS)


async def _relay_on_one_connection(
    database_url: str, jetstream: JetStreamContext, is_connected: Callable[[], bool]
) -> None:
    connection = await asyncpg.connect(
        database_url.replace("+asyncpg", "", 1), command_timeout=30, server_settings=KEEPALIVE
    )
    awake = asyncio.Event()
    try:
        # Asked again and again: a statement that waits for the lock would hold back vacuum and the queue of NOTIFY.
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):  # noqa: ASYNC110
            await asyncio.sleep(SWEEP_SECONDS)
        await connection.add_listener(NOTIFY_CHANNEL, lambda *_: awake.set())
        while True:
            awake.clear()
            if is_connected():
                await _sweep(connection, jetstream)
            await _wait(awake)
    finally:
        await connection.close(timeout=5)


async def _sweep(connection: Any, jetstream: JetStreamContext) -> None:
    """Publish all there is, for a second at most; then what was refused gets its turn again."""
    until = asyncio.get_running_loop().time() + SWEEP_SECONDS
    blocked: set[str] = set()
    while await publish_batch(connection, jetstream, blocked):
        if blocked and asyncio.get_running_loop().time() > until:
            return


async def _wait(awake: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(awake.wait(), SWEEP_SECONDS)
    except TimeoutError:
        return


async def publish_batch(connection: Any, jetstream: JetStreamContext, blocked: set[str]) -> int:
    """Publish the oldest rows whose key is not blocked, and delete them; returns how many were looked at.

    A row that the broker refuses (its stream is full, say) blocks its key until the next sweep: the order within the
    key stays, and other keys get on.
    """
    rows = await connection.fetch(
        "SELECT id, key, subject, headers, body FROM outbox WHERE key <> ALL($1::text[]) ORDER BY id LIMIT $2",
        list(blocked),
        BATCH,
    )
    published = []
    try:
        for row in rows:
            if row["key"] in blocked:
                continue
            if await publish_row(jetstream, row):
                published.append(row["id"])
            else:
                blocked.add(row["key"])
    finally:
        if published:
            await connection.execute("DELETE FROM outbox WHERE id = ANY($1::bigint[])", published)
    return len(rows)


async def publish_row(jetstream: JetStreamContext, row: Any) -> bool:
    """Publish one row and wait for its PubAck; ``False`` if the broker refused it or kept silent."""
    try:
        await jetstream.publish(row["subject"], row["body"], headers=json.loads(row["headers"]), timeout=5.0)
        return True
    except Exception as error:  # the row must not be lost, whatever the broker says
        log.warning("relay.refused", subject=row["subject"], error=type(error).__name__, outbox_id=row["id"])
        return False
