"""From the outbox to JetStream: in order per key, at least once, under a stable Nats-Msg-Id."""

import asyncio
import json
from typing import Any

import asyncpg
import structlog
from nats.js import JetStreamContext

from oker_bus.store import NOTIFY_CHANNEL

log = structlog.get_logger()
SWEEP_SECONDS = 1.0
BATCH = 200
LOCK = 0x6F75_7462
"""Advisory lock: of all replicas of a service one relays at a time, which keeps the order."""


async def relay(database_url: str, jetstream: JetStreamContext) -> None:
    """Publish what the service announced, for ever; wakes on NOTIFY, sweeps by polling.

    A row is deleted after its PubAck. Killed in between, it is published again under the same Nats-Msg-Id;
    consumers settle the second as a duplicate.
    """
    pause = 0.5
    while True:
        try:
            await _relay_on_one_connection(database_url, jetstream)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            log.warning("relay.interrupted", error=type(error).__name__, pause_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10.0)


async def _relay_on_one_connection(database_url: str, jetstream: JetStreamContext) -> None:
    connection = await asyncpg.connect(database_url.replace("+asyncpg", "", 1))
    awake = asyncio.Event()
    try:
        await connection.add_listener(NOTIFY_CHANNEL, lambda *_: awake.set())
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        while True:
            awake.clear()
            while await publish_batch(connection, jetstream):
                pass
            await _wait(awake)
    finally:
        await connection.close(timeout=5)


async def _wait(awake: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(awake.wait(), SWEEP_SECONDS)
    except TimeoutError:
        return


async def publish_batch(connection: Any, jetstream: JetStreamContext) -> int:
    """Publish the oldest rows and delete them; returns how many. Stops at the first that fails."""
    rows = await connection.fetch("SELECT id, subject, headers, body FROM outbox ORDER BY id LIMIT $1", BATCH)
    published = []
    try:
        for row in rows:
            await publish_row(jetstream, row)
            published.append(row["id"])
    finally:
        if published:
            await connection.execute("DELETE FROM outbox WHERE id = ANY($1::bigint[])", published)
    return len(published)


async def publish_row(jetstream: JetStreamContext, row: Any) -> None:
    """Publish one row and wait for its PubAck; pauses and tries again while the broker refuses."""
    pause = 0.2
    while True:
        try:
            await jetstream.publish(row["subject"], row["body"], headers=json.loads(row["headers"]), timeout=5.0)
            return
        except Exception as error:  # the row must not be lost, whatever the broker says
            log.warning("relay.refused", subject=row["subject"], error=type(error).__name__, outbox_id=row["id"])
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10.0)
