"""What one writes with mosquitto and Python: MQTT with QoS 1, a persistent session, acknowledged after the commit.

paho-mqtt in the loop of its own thread, as its documentation has it, and the main thread that validates and writes.
"""

import sys
from queue import Empty, SimpleQueue
from time import perf_counter

import asyncpg
import paho.mqtt.client as mqtt
import uvloop
from paho.mqtt.enums import CallbackAPIVersion
from tests.bench.plain import BATCH, INSERT, LINGER_SECONDS, rows

TOPIC = "readings"
SESSION = "bench-reader"
IN_FLIGHT = 2_000
STATEMENT = INSERT.format(table="peer_mosquitto")
Queue = SimpleQueue[mqtt.MQTTMessage]


def client(port: int) -> mqtt.Client:
    """The reader with its session, which the broker keeps while it is away."""
    reader = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=SESSION, clean_session=False, manual_ack=True)
    reader.connect("127.0.0.1", port)
    return reader


def collect(queue: Queue) -> list[mqtt.MQTTMessage]:
    """Up to a batch; waits for the first, then for 10 ms at most."""
    messages = [queue.get()]
    until = perf_counter() + LINGER_SECONDS
    while len(messages) < BATCH and (left := until - perf_counter()) > 0:
        try:
            messages.append(queue.get(timeout=left))
        except Empty:
            break
    return messages


def main(port: int, host: str, name: str, count: int) -> None:
    """Wait for a line, store so many readings, say how many seconds that took."""
    loop = uvloop.new_event_loop()
    database = loop.run_until_complete(asyncpg.connect(host=host, user="postgres", database=name, loop=loop))
    sys.stdin.readline()
    begun = perf_counter()
    queue: Queue = SimpleQueue()
    reader = client(port)
    reader.on_message = lambda _client, _data, message: queue.put(message)
    reader.loop_start()
    while count > 0:
        messages = collect(queue)
        valid = [row for message in messages for row in rows(message.payload)]
        loop.run_until_complete(database.execute(STATEMENT, *zip(*valid, strict=True)))
        for message in messages:
            reader.ack(message.mid, message.qos)
        count -= len(messages)
    print(perf_counter() - begun, flush=True)
    reader.disconnect()
    reader.loop_stop()
    loop.run_until_complete(database.close())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
