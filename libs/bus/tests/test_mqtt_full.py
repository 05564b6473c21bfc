"""MQTT cannot refuse. What becomes of QoS 1 messages when there is no room for them, on a real nats-server."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import paho.mqtt.client as mqtt
import pytest
from nats.js.api import DiscardPolicy, RetentionPolicy, StreamConfig
from paho.mqtt.enums import CallbackAPIVersion

from oker_bus import topology
from oker_bus.accounts import MQTT_DURABLE, MQTT_STREAM
from oker_bus.partners import Partner, Partners
from oker_testkit.bus import eventually
from oker_testkit.servers import NatsServer, free_port, start_nats

CONFIG = """
port: {port}
host: 127.0.0.1
server_name: mqtt-full
jetstream {{ store_dir: "{store}", max_file_store: 100GB }}
mqtt {{ host: 127.0.0.1, port: {mqtt} }}
accounts {{ company: {{ jetstream: enabled, users: [ {{ user: company, password: x }} ] }} }}
"""
ROOM = 100_000
COMPANIES = Partners(partners={"company": Partner(name="Company")})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A nats-server that speaks MQTT."""
    port, mqtt_port = free_port(), free_port()
    config = tmp_path / "nats.conf"
    config.write_text(CONFIG.format(port=port, mqtt=mqtt_port, store=tmp_path / "store"))
    started = start_nats(config, port, tmp_path / "nats.log", {}, mqtt_port)
    yield started
    started.stop()


async def applied(server: NatsServer, monkeypatch: pytest.MonkeyPatch, room: int = ROOM) -> Any:
    """JetStream of the company's account, where the MQTT stream has little room."""
    monkeypatch.setattr(topology, "MQTT_MAX_BYTES", room)
    connection = await nats.connect(server.url, user="company", password="x")
    js = connection.jetstream(timeout=5)
    async for _ in topology.apply(js, lambda _slug: js, COMPANIES):
        pass
    return js


class Device:
    """A device that keeps what was not acknowledged and sends it again, as QoS 1 asks."""

    def __init__(self, server: NatsServer) -> None:
        self.acknowledged: set[int] = set()
        self.disconnects = 0
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="device-1", clean_session=False)
        self.client.username_pw_set("company", "x")
        self.client.reconnect_delay_set(1, 1)
        self.client.on_publish = lambda _c, _u, mid, *_: self.acknowledged.add(mid)
        self.client.on_disconnect = self._disconnected
        self.client.connect("127.0.0.1", server.mqtt_port or 0)
        self.client.loop_start()

    def _disconnected(self, *_: Any) -> None:
        self.disconnects += 1

    async def say(self, count: int) -> None:
        """Publish one after the other, until the server no longer acknowledges."""
        for _ in range(count):
            sent = self.client.publish("readings/pump-7/flow", b"x" * 1_000, qos=1)
            if self.disconnects or not await asyncio.to_thread(self._waited, sent):
                return

    @staticmethod
    def _waited(sent: mqtt.MQTTMessageInfo) -> bool:
        try:
            sent.wait_for_publish(1)
            return sent.is_published()
        except RuntimeError:
            return False

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


async def stored(js: Any) -> int:
    return int((await js.stream_info(MQTT_STREAM)).state.messages)


async def test_what_has_no_room_is_not_acknowledged_and_what_was_acknowledged_is_kept(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    js = await applied(server, monkeypatch)
    device = Device(server)
    try:
        await device.say(200)

        acknowledged = len(device.acknowledged)
        assert 0 < acknowledged < 200
        assert await stored(js) == acknowledged
        assert device.disconnects >= 1

        subscription = await js.pull_subscribe_bind(consumer=MQTT_DURABLE, stream=MQTT_STREAM)
        for msg in await subscription.fetch(acknowledged, timeout=5):
            await msg.ack_sync(timeout=5)

        async def sent_again() -> bool:
            return len(device.acknowledged) > acknowledged

        await eventually(sent_again, "the device sends what was not acknowledged again")
        assert await stored(js) >= 1
    finally:
        device.stop()
        await js._nc.close()


async def test_a_stream_that_the_server_made_itself_gets_its_limit(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await nats.connect(server.url, user="company", password="x")
    made = StreamConfig(name=MQTT_STREAM, subjects=["$MQTT.msgs.>"], retention=RetentionPolicy.INTEREST)
    await connection.jetstream().add_stream(made)
    await connection.close()

    js = await applied(server, monkeypatch)

    config = (await js.stream_info(MQTT_STREAM)).config
    assert (config.max_bytes, config.discard, config.retention) == (ROOM, DiscardPolicy.NEW, RetentionPolicy.INTEREST)
    again = [change async for change in topology.apply(js, lambda _slug: js, COMPANIES)]
    assert {change.kind for change in again} == {"same"}
    await js._nc.close()


async def test_a_limit_below_what_is_held_is_not_set(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    js = await applied(server, monkeypatch)
    await js.update_stream((await js.stream_info(MQTT_STREAM)).config.evolve(max_bytes=-1))
    for _ in range(30):
        await js.publish("$MQTT.msgs.a", b"x" * 1_000)

    monkeypatch.setattr(topology, "MQTT_MAX_BYTES", 10_000)
    kept = [c async for c in topology.apply(js, lambda _slug: js, COMPANIES) if c.kind == "kept"]

    assert [change.what for change in kept] == [f"company: stream {MQTT_STREAM}"]
    assert await stored(js) == 30
    await js._nc.close()
