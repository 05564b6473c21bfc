"""A municipal company, with its own credentials and clients: NATS, MQTT 3.1.1 and HTTP."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import paho.mqtt.client as mqtt
from nats.aio.client import Client
from nats.js.api import PubAck
from paho.mqtt.enums import CallbackAPIVersion

from oker_bus.accounts import feed
from oker_contracts import TYPE_PREFIX, Contract, Envelope
from oker_testkit.stack import Stack


@dataclass(frozen=True, slots=True)
class Company:
    """What a company's own systems do, with public means only."""

    slug: str
    stack: Stack

    async def connect(self) -> Client:
        """A connection of the company's own user, in its own account."""
        return await self.stack.connect(self.slug)

    async def say(self, data: Contract, id: str, *, source: str | None = None) -> PubAck:
        """Publish a CloudEvent in binary mode over NATS and wait for the PubAck."""
        envelope = Envelope(
            id,
            source or f"/{self.slug}/scada",
            TYPE_PREFIX + data.TYPE,
            datetime.now(UTC),
            data.model_dump_json().encode(),
        )
        return await self.say_raw(f"events.{data.TYPE}", envelope.data, envelope.headers())

    async def say_raw(self, subject: str, body: bytes, headers: dict[str, str]) -> PubAck:
        """Publish bytes as they are over NATS."""
        connection = await self.connect()
        try:
            return await connection.jetstream(timeout=5).publish(subject, body, headers=headers)
        finally:
            await connection.close()

    async def post(self, data: Contract, id: str) -> httpx.Response:
        """Send a structured CloudEvent over HTTP."""
        event = {
            "specversion": "1.0",
            "id": id,
            "source": f"/{self.slug}/cloud",
            "type": TYPE_PREFIX + data.TYPE,
            "time": datetime.now(UTC).isoformat(),
            "datacontenttype": "application/json",
            "data": data.model_dump(mode="json"),
        }
        return await self.post_raw(json.dumps(event).encode(), {"Content-Type": "application/cloudevents+json"})

    async def post_raw(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """Send bytes as they are over HTTP."""
        token = self.stack.token(f"{self.slug}-system", "partner", partner=self.slug)
        async with httpx.AsyncClient(timeout=10) as http:
            url = f"{self.stack.url('sensor-ingest')}/events"
            return await http.post(url, content=body, headers=token | headers)

    async def publish_mqtt(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1 as a device of the company, and wait for the PUBACK.

        Raises:
            TimeoutError: the server did not acknowledge.
        """
        await self.publish_all_mqtt([(topic, payload)])

    async def publish_all_mqtt(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Publish many over one connection, and wait for every PUBACK.

        Raises:
            TimeoutError: the server did not acknowledge one.
        """
        await asyncio.to_thread(self._publish_mqtt, list(messages))

    def _publish_mqtt(self, messages: Sequence[tuple[str, bytes]]) -> None:
        user = f"{self.slug}-devices"
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"{self.slug}-lns")
        client.username_pw_set(user, self.stack.password(user))
        client.connect("127.0.0.1", self.stack.ports.mqtt)
        client.loop_start()
        try:
            under_way = [(topic, client.publish(topic, payload, qos=1)) for topic, payload in messages]
            for topic, sent in under_way:
                sent.wait_for_publish(10)
                if not sent.is_published():
                    raise TimeoutError(f"no PUBACK for {topic}")
        finally:
            client.disconnect()
            client.loop_stop()

    async def read_feed(self, count: int, seconds: float = 5.0) -> list[dict[str, Any]]:
        """Take up to ``count`` batches of observations from the company's durable, and acknowledge them."""
        connection = await self.connect()
        try:
            js = connection.jetstream(prefix="$OKER.API")
            subscription = await js.pull_subscribe_bind(consumer=feed(self.slug), stream="SENSOR")
            messages = await subscription.fetch(count, timeout=seconds)
            for msg in messages:
                await msg.ack_sync(timeout=2)
            return [json.loads(msg.data) for msg in messages]
        finally:
            await connection.close()


def chirpstack_uplink(dev_eui: str, payload: bytes, time: datetime, deduplication_id: str) -> tuple[str, bytes]:
    """Topic and body of a ChirpStack v4 uplink, shaped as real ones: no decoded object, raw bytes in Base64."""
    application = "ca739e26-7b67-4f14-b69e-d568c22a5a75"
    body = {
        "deduplicationId": deduplication_id,
        "time": time.isoformat(),
        "deviceInfo": {
            "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242",
            "tenantName": "Stadtwerke",
            "applicationId": application,
            "applicationName": "Umwelt",
            "deviceProfileName": "Cayenne LPP",
            "deviceName": "Wetterstation Löwenwall",
            "devEui": dev_eui,
            "tags": {},
        },
        "devAddr": "20000001",
        "adr": True,
        "dr": 5,
        "fCnt": 4,
        "fPort": 2,
        "confirmed": False,
        "data": b64encode(payload).decode(),
        "rxInfo": [{"gatewayId": "6a7e111a10000000", "uplinkId": 24022, "rssi": -35, "snr": 11.5}],
        "txInfo": {"frequency": 868_500_000},
    }
    return f"application/{application}/device/{dev_eui}/event/up", json.dumps(body).encode()
