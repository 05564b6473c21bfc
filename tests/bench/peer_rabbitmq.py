"""What one writes with RabbitMQ and aio-pika: a durable queue, a prefetch, acknowledged after the commit.

Batch k is written while k+1 is validated, as R1 does it.
"""

import asyncio
import sys
from time import perf_counter

import aio_pika
import asyncpg
import uvloop
from aio_pika.abc import AbstractIncomingMessage
from tests.bench.plain import BATCH, INSERT, LINGER_SECONDS, Row, rows

QUEUE = "readings"
STATEMENT = INSERT.format(table="peer_rabbitmq")
Messages = list[AbstractIncomingMessage]


async def collect(queue: "asyncio.Queue[AbstractIncomingMessage]") -> Messages:
    """Up to a batch; waits for the first, then for 10 ms at most."""
    messages = [await queue.get()]
    loop = asyncio.get_running_loop()
    until = loop.time() + LINGER_SECONDS
    while len(messages) < BATCH:
        if not queue.empty():
            messages.append(queue.get_nowait())
        elif loop.time() < until:
            await asyncio.sleep(0.001)
        else:
            break
    return messages


async def write(database: "asyncpg.Connection[asyncpg.Record]", valid: list[Row], messages: Messages) -> None:
    """One statement is one transaction; then acknowledge all up to the last."""
    await database.execute(STATEMENT, *zip(*valid, strict=True))
    await messages[-1].ack(multiple=True)


async def main(port: int, host: str, name: str, count: int) -> None:
    """Wait for a line, store so many readings, say how many seconds that took."""
    database = await asyncpg.connect(host=host, user="postgres", database=name)
    connection = await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{port}/")
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=2 * BATCH)
    queue = await channel.declare_queue(QUEUE, durable=True)
    await asyncio.to_thread(sys.stdin.readline)
    begun = perf_counter()
    waiting: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    await queue.consume(waiting.put)
    writing: asyncio.Task[None] | None = None
    while count > 0:
        messages = await collect(waiting)
        valid = [row for message in messages for row in rows(message.body)]
        if writing is not None:
            await writing
        writing = asyncio.create_task(write(database, valid, messages))
        await asyncio.sleep(0)
        count -= len(messages)
    if writing is not None:
        await writing
    print(perf_counter() - begun, flush=True)
    await connection.close()
    await database.close()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
