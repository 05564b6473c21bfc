"""From devices over MQTT to the intake stream: at once, all of it, on a real nats-server with the accounts of Oker."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
import paho.mqtt.client as mqtt
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from paho.mqtt.enums import CallbackAPIVersion

from oker_bus import topology
from oker_bus.accounts import MQTT_DURABLE, MQTT_STREAM, render, users
from oker_bus.bus import end
from oker_bus.connection import Connection, connect
from oker_testkit.bus import eventually, messages
from oker_testkit.plugin import PARTNERS
from oker_testkit.servers import NatsServer, free_port, start_nats
from sensor_ingest import gateway

CONFIG = """
port: {port}
host: 127.0.0.1
server_name: mqtt
max_payload: 1MB
jetstream {{ store_dir: "{store}", max_file_store: 100GB }}
mqtt {{ host: 127.0.0.1, port: {mqtt} }}
{accounts}
"""
COMPANY = "stadtwerke"
STREAM = f"IN_{COMPANY}"


@dataclass(slots=True)
class Place:
    """A broker with one company that has devices, and the connections of those who look and forward."""

    server: NatsServer
    admin: Client
    service: Connection
    device: mqtt.Client
    start: Callable[[], NatsServer]

    @property
    def intake(self) -> JetStreamContext:
        """JetStream of the platform."""
        return self.admin.jetstream(timeout=5)

    @property
    def company(self) -> JetStreamContext:
        """JetStream of the company, where its MQTT messages are held."""
        return company_of(self.admin, COMPANY)

    async def publish(self, *payloads: str) -> None:
        """As a device with QoS 1; returns when the broker has acknowledged all."""
        sent = [self.device.publish("readings/pump-7/flow", payload, qos=1) for payload in payloads]
        for one in sent:
            await asyncio.to_thread(one.wait_for_publish, 10)
            assert one.is_published()

    async def forwarded(self) -> list[str]:
        """The payloads on the intake stream, in order."""
        said = [json.loads(msg.data)["payload"] async for msg in messages(self.intake, STREAM)]
        return [b64decode(payload).decode() for payload in said]

    async def waiting(self) -> int:
        """Messages that are not forwarded and acknowledged."""
        info = await self.company.consumer_info(MQTT_STREAM, MQTT_DURABLE)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    async def all_forwarded(self, count: int) -> None:
        """Wait until the stream holds this many, and the durable waits for nothing."""

        async def look() -> bool:
            state = (await self.intake.stream_info(STREAM)).state
            return state.messages >= count and not await self.waiting()

        await eventually(look, f"{count} messages are forwarded and acknowledged", 20.0)

    async def some_forwarded(self) -> None:
        """Wait for the first."""

        async def look() -> bool:
            return bool((await self.intake.stream_info(STREAM)).state.messages)

        await eventually(look, "the first message is forwarded")

    async def acknowledged(self) -> bool:
        """Whether all that was delivered was acknowledged."""
        return not (await self.company.consumer_info(MQTT_STREAM, MQTT_DURABLE)).num_ack_pending

    @asynccontextmanager
    async def forwarding(self) -> AsyncIterator["asyncio.Task[None]"]:
        """The gateway at work for the company."""
        task = asyncio.create_task(gateway.forward(self.service, COMPANY))
        try:
            yield task
        finally:
            await end(task)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """A broker with an account a company, a device, and the user of sensor-ingest with its rights and no others."""
    port, mqtt_port, config = free_port(), free_port(), tmp_path / "nats.conf"
    accounts = render(PARTNERS, {user: user for user in users(PARTNERS)})
    config.write_text(CONFIG.format(port=port, mqtt=mqtt_port, store=tmp_path / "store", accounts=accounts))

    def start() -> NatsServer:
        return start_nats(config, port, tmp_path / "nats.log", {}, mqtt_port)

    server, again = start(), {"max_reconnect_attempts": -1, "reconnect_time_wait": 0.1}
    admin = await nats.connect(server.url, **login("topology"), **again)
    async for _ in topology.apply(admin.jetstream(timeout=5), lambda slug: company_of(admin, slug), PARTNERS):
        pass
    service = await connect({"servers": [server.url], **login("sensor-ingest"), **again})
    device = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="pump-7", clean_session=False)
    device.username_pw_set(f"{COMPANY}-devices", f"{COMPANY}-devices")
    device.reconnect_delay_set(1, 1)
    device.connect("127.0.0.1", mqtt_port)
    device.loop_start()
    made = Place(server, admin, service, device, start)
    yield made
    device.disconnect()
    device.loop_stop()
    await service.close()
    await admin.close()
    made.server.stop()


def login(user: str) -> dict[str, Any]:
    return {"user": user, "password": user, "inbox_prefix": f"_INBOX_{user}".encode()}


def company_of(admin: Client, slug: str) -> JetStreamContext:
    return admin.jetstream(timeout=5, prefix=f"mqtt.{slug}.API")


async def test_a_message_does_not_wait_for_the_next(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a request to the broker waits for: each is forwarded before the next is published."""
    monkeypatch.setattr(gateway, "EXPIRES_SECONDS", 3_600.0)

    async with place.forwarding():
        for number in range(1, 6):
            await place.publish(str(number))
            await place.all_forwarded(number)

    assert await place.forwarded() == ["1", "2", "3", "4", "5"]


async def test_many_at_once_keep_their_order_and_come_once(place: Place) -> None:
    said = [str(number) for number in range(1_000)]
    await place.publish(*said)

    async with place.forwarding():
        await place.all_forwarded(len(said))

    assert await place.forwarded() == said


async def test_while_nothing_is_confirmed_a_bounded_number_is_held(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed, opened = gateway._confirmed, asyncio.Event()

    async def later(*said: Any) -> gateway.Place:
        await opened.wait()
        return await confirmed(*said)

    monkeypatch.setattr(gateway, "_confirmed", later)
    monkeypatch.setattr(gateway, "BATCH", 10)
    await place.publish(*(str(number) for number in range(100)))

    async def held() -> int:
        info = await place.company.consumer_info(MQTT_STREAM, MQTT_DURABLE)
        full = not info.num_waiting and (info.num_ack_pending or 0) > 20
        return info.num_ack_pending or 0 if full else 0

    async with place.forwarding():
        assert await eventually(held, "no request is open any more") <= 35
        opened.set()
        await place.all_forwarded(100)


async def test_large_messages_are_held_by_their_bytes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a request whose bytes are used up goes on with the next one."""
    monkeypatch.setattr(gateway, "REQUEST_BYTES", 20_000)
    monkeypatch.setattr(gateway, "EXPIRES_SECONDS", 3_600.0)
    await place.publish(*(str(number) * 3_000 for number in range(10)))

    async with place.forwarding():
        await place.all_forwarded(10)

    assert len(set(await place.forwarded())) == 10


async def test_a_durable_that_was_deleted_and_made_again_is_emptied(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "EXPIRES_SECONDS", 0.5)
    monkeypatch.setattr(gateway, "TICK_SECONDS", 0.1)
    monkeypatch.setattr(gateway, "PAUSE_SECONDS", 0.1)

    async with place.forwarding():
        await place.publish("1")
        await place.all_forwarded(1)
        durable = (await place.company.consumer_info(MQTT_STREAM, MQTT_DURABLE)).config
        await place.company.delete_consumer(MQTT_STREAM, MQTT_DURABLE)
        await place.company.add_consumer(MQTT_STREAM, durable)
        await place.publish("2")
        await place.all_forwarded(2)


async def test_an_outage_of_the_broker_leaves_no_heap_of_requests(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nats-py keeps what is published while it is disconnected, and sends all of it in the end."""
    monkeypatch.setattr(gateway, "EXPIRES_SECONDS", 0.05)
    monkeypatch.setattr(gateway, "TICK_SECONDS", 0.01)
    asked: list[str] = []
    publish = place.service.publish

    async def counted(subject: str, *said: Any, **more: Any) -> None:
        asked.extend([subject] if not place.service.is_connected else [])
        await publish(subject, *said, **more)

    async with place.forwarding():
        await place.publish("1")
        await place.all_forwarded(1)
        monkeypatch.setattr(place.service, "publish", counted)
        place.server.process.kill()
        place.server.process.wait()
        place.server = place.start()

        async def back() -> bool:
            return place.admin.is_connected and place.service.is_connected and place.device.is_connected()

        await eventually(back, "all are connected again", 20.0)
        await place.publish("2")
        await place.all_forwarded(2)

    assert asked == []


async def test_a_message_that_is_not_confirmed_comes_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a bug over one message neither ends the gateway nor holds up the others."""
    confirmed, failures = gateway._confirmed, [gateway.IntakeClosed("full", 1), ZeroDivisionError()]

    async def failing(*said: Any) -> gateway.Place:
        if failures:
            raise failures.pop()
        return await confirmed(*said)

    monkeypatch.setattr(gateway, "_confirmed", failing)
    monkeypatch.setattr(gateway, "AGAIN", b"-NAK")
    await place.publish("1", "2", "3")

    async with place.forwarding():
        await place.all_forwarded(3)

    assert sorted(await place.forwarded()) == ["1", "2", "3"]


async def test_ended_amid_many_it_ends_what_it_has_begun(place: Place) -> None:
    """Nothing that it was handed is left unacknowledged, to wait for the broker's patience to end."""
    said = [str(number) for number in range(1_000)]
    await place.publish(*said)

    async with place.forwarding() as task:
        await place.some_forwarded()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    await eventually(place.acknowledged, "all that was delivered is acknowledged")
    async with place.forwarding():
        await place.all_forwarded(len(said))
    assert await place.forwarded() == said
