"""``peer.*``: what one would write instead, on the brokers one would take, into the same PostgreSQL.

Each round publishes to the peer's broker while nobody reads, then lets the script drain it; ours drains its stream in
the same round. The scripts hold readings, check them with Pydantic and store each once: no registry, no units, no
corrections, no ledger, no quarantine, no announcement.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from itertools import islice
from pathlib import Path

import aio_pika
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from tests.bench import peer_mosquitto, peer_rabbitmq
from tests.bench.brokers import mosquitto, rabbitmq, script
from tests.bench.figures import Figure, compare_peer
from tests.bench.place import OURS, BenchFailed, Place
from tests.bench.plain import COLUMNS
from tests.bench.readings import PROPERTIES, bodies

AT_ONCE = 500
"""Messages on their way to RabbitMQ."""
SECONDS = 120.0
Start = Callable[[Path], AbstractAsyncContextManager[int]]
Fill = Callable[[int, Iterable[bytes]], Awaitable[None]]


async def measure_mosquitto(place: Place, short: bool) -> list[Figure]:
    """mosquitto, paho-mqtt, QoS 1, a persistent session."""
    return await _measure(place, short, "mosquitto_python", "peer_mosquitto", mosquitto, _fill_mosquitto)


async def measure_rabbitmq(place: Place, short: bool) -> list[Figure]:
    """RabbitMQ, aio-pika, a durable queue, persistent messages, publisher confirms."""
    return await _measure(place, short, "rabbitmq_aio_pika", "peer_rabbitmq", rabbitmq, _fill_rabbitmq)


async def _measure(place: Place, short: bool, name: str, module: str, start: Start, fill: Fill) -> list[Figure]:
    count, rounds = (5_000, 3) if short else (20_000, 5)
    ours, peer = [], []
    async with start(place.stack.folder / module) as port:
        await place.r1_database.execute(f"CREATE TABLE {module} ({COLUMNS})")
        for _ in range(rounds):
            await place.fill(count)
            ours.append(count / await place.drain(OURS))
            await place.purge()
            await fill(port, bodies(place.take(count), count))
            peer.append(count / await _drained(place, module, port, count))
    stored = await place.r1_database.fetchval(f"SELECT count(*) FROM {module}")
    if stored != count * rounds * len(PROPERTIES):
        raise BenchFailed(f"{module} stored {stored} values of {count * rounds * len(PROPERTIES)}")
    return [compare_peer(f"peer.{name}", "readings/s", peer, ours)]


async def _drained(place: Place, module: str, port: int, count: int) -> float:
    """Seconds that the script says; its start is not counted."""
    await place.database.execute("CHECKPOINT")
    process = await script(module, str(port), place.stack.socket, "r1", str(count))
    await asyncio.sleep(1.0)
    try:
        out, error = await asyncio.wait_for(process.communicate(b"go\n"), SECONDS)
    except TimeoutError:
        process.kill()
        raise BenchFailed(f"{module} did not store {count} readings in {SECONDS:.0f} s") from None
    if process.returncode:
        raise BenchFailed(f"{module} ended with code {process.returncode}\n{error.decode()[-2000:]}")
    return float(out)


async def _fill_mosquitto(port: int, said: Iterable[bytes]) -> None:
    await asyncio.to_thread(_publish_mqtt, port, said)


def _publish_mqtt(port: int, said: Iterable[bytes]) -> None:
    """Make the reader's session, then publish with QoS 1 and wait for every PUBACK."""
    reader = peer_mosquitto.client(port)
    subscribed = []
    reader.on_subscribe = lambda *_: subscribed.append(True)
    reader.subscribe(peer_mosquitto.TOPIC, qos=1)
    while not subscribed:
        reader.loop()
    reader.disconnect()
    writer = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bench-writer")
    writer.max_inflight_messages_set(peer_mosquitto.IN_FLIGHT)
    writer.connect("127.0.0.1", port)
    writer.loop_start()
    for sent in [writer.publish(peer_mosquitto.TOPIC, body, qos=1) for body in said]:
        sent.wait_for_publish(SECONDS)
        if not sent.is_published():
            raise BenchFailed("mosquitto did not confirm a reading")
    writer.disconnect()
    writer.loop_stop()


async def _fill_rabbitmq(port: int, said: Iterable[bytes]) -> None:
    """Publish persistent messages and wait for every confirm, many at a time."""
    connection = await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{port}/")
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.declare_queue(peer_rabbitmq.QUEUE, durable=True)
        waiting = iter(said)
        while chunk := list(islice(waiting, AT_ONCE)):
            messages = [aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT) for body in chunk]
            exchange = channel.default_exchange
            await asyncio.gather(*(exchange.publish(message, peer_rabbitmq.QUEUE) for message in messages))
