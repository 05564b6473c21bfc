"""The reference R1: what nats-py, Pydantic and asyncpg can do without Oker, as a script that knows nothing of it.

One callback subscription and MSG.NEXT requests (credit two batches), one ``model_validate_json`` a message, one
``INSERT … SELECT unnest … ON CONFLICT DO NOTHING`` a batch, an explicit acknowledgement after the commit; batch k is
written while k+1 is validated. No registry, no identity, no ledger, no quarantine, no announcement.
"""

import asyncio
import gc
import json
import os
import sys
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import nats
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg
from tests.bench.plain import BATCH, INSERT, LINGER_SECONDS, Row, rows

EXPIRES_SECONDS = 5
STATEMENT = INSERT.format(table="reading")


@dataclass(slots=True)
class Pull:
    """The requests: ``credit`` is what was asked for and has not come."""

    nats: Client
    subject: str
    inbox: str
    queue: "asyncio.Queue[Msg]" = field(default_factory=asyncio.Queue)
    credit: int = 0

    async def ask(self) -> None:
        """Keep two batches on their way."""
        while self.credit <= BATCH:
            self.credit += BATCH
            request = {"batch": BATCH, "expires": EXPIRES_SECONDS * 1_000_000_000}
            await self.nats.publish(self.subject, json.dumps(request).encode(), reply=self.inbox)

    async def take(self, msg: Msg) -> None:
        """A message, or the end of a request, which gives the rest of its credit back."""
        if msg.reply:
            self.credit -= 1
            self.queue.put_nowait(msg)
        else:
            self.credit -= int((msg.headers or {}).get("Nats-Pending-Messages", BATCH))
            await self.ask()

    async def collect(self) -> list[Msg]:
        """Up to a batch; waits for the first, then for 10 ms at most."""
        messages = [await self.queue.get()]
        loop = asyncio.get_running_loop()
        until = loop.time() + LINGER_SECONDS
        while len(messages) < BATCH:
            if not self.queue.empty():
                messages.append(self.queue.get_nowait())
            elif loop.time() < until:
                await asyncio.sleep(0.001)
            else:
                break
        return messages


def validate(msg: Msg) -> list[Row]:
    """One message, its rows."""
    return rows(msg.data, (msg.headers or {})["ce-id"])


async def write(database: Any, valid: list[Row], messages: list[Msg]) -> None:
    """One statement is one transaction; then acknowledge."""
    await database.execute(STATEMENT, *zip(*valid, strict=True))
    for msg in messages:
        await msg.ack()


async def main(url: str, stream: str, durable: str, host: str, name: str) -> None:
    """Empty a durable into a table, for ever."""
    gc.freeze()  # as sensor-ingest does
    gc.set_threshold(200_000, 20, 20)
    connection = await nats.connect(url, user=os.environ["BENCH_USER"], password=os.environ["BENCH_PASSWORD"])
    database = await asyncpg.connect(host=host, user="postgres", database=name)
    subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
    pull = Pull(connection, subject, connection.new_inbox())
    await connection.subscribe(pull.inbox, cb=pull.take, pending_msgs_limit=-1)
    await pull.ask()
    writing: asyncio.Task[None] | None = None
    while True:
        messages = await pull.collect()
        await pull.ask()
        valid = [row for msg in messages for row in validate(msg)]
        if writing is not None:
            await writing
        writing = asyncio.create_task(write(database, valid, messages))
        await asyncio.sleep(0)  # the statement is sent before the next batch is validated


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:6]))
