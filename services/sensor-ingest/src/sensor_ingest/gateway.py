"""From MQTT to the companies' streams.

A QoS 1 PUBACK proves that nats-server holds the message in ``$MQTT_msgs`` of the company's account, and no more. So a
durable on that stream is emptied here: each message is published on the company's intake stream as a claim and
acknowledged after the PubAck. Killed in between, it is published again under the same id and counts as a duplicate.
"""

import asyncio
from base64 import b64encode
from datetime import UTC, datetime

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from oker_bus.accounts import MQTT_DURABLE, MQTT_STREAM
from oker_bus.partners import PartnersFile
from oker_contracts import TYPE_PREFIX, Envelope
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1

log = structlog.get_logger()
LOOK_SECONDS = 5.0
FETCH = 100


async def forward_all(nats: Client, partners: PartnersFile) -> None:
    """One forwarder a company, also for companies that join later; for ever."""
    forwarders: dict[str, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as group:
        while True:
            for slug in partners.current().partners:
                if slug not in forwarders:
                    forwarders[slug] = group.create_task(forward(nats, slug))
            await asyncio.sleep(LOOK_SECONDS)


async def forward(nats: Client, partner: str) -> None:
    """Empty the MQTT stream of one company, for ever."""
    subscription = await nats.jetstream(prefix=f"mqtt.{partner}.API").pull_subscribe_bind(
        consumer=MQTT_DURABLE, stream=MQTT_STREAM
    )
    while True:
        try:
            messages = await subscription.fetch(FETCH, timeout=5)
            for msg in messages:
                await _forward_one(nats, partner, msg)
        except TimeoutError:
            continue
        except NatsError as error:
            log.warning("mqtt.interrupted", partner=partner, error=type(error).__name__)
            await asyncio.sleep(1)


async def _forward_one(nats: Client, partner: str, msg: Msg) -> None:
    meta = msg.metadata
    topic = topic_of(msg.subject.removeprefix("$MQTT.msgs."))
    data = MqttMessageReceivedV1(
        topic=topic[:1024], payload=b64encode(msg.data), received_at=meta.timestamp or datetime.now(UTC)
    )
    envelope = Envelope(
        id=f"{meta.sequence.stream}-{int(meta.timestamp.timestamp() * 1e6)}",
        source=f"/oker/mqtt/{partner}",
        type=TYPE_PREFIX + data.TYPE,
        time=meta.timestamp,
        data=data.model_dump_json().encode(),
    )
    headers = {**envelope.headers(), "Nats-Msg-Id": f"mqtt/{envelope.id}"}
    await nats.jetstream(timeout=5).publish(f"ingest.{partner}.{data.TYPE}", envelope.data, headers=headers)
    await nats.publish(msg.reply.replace("$JS.ACK", f"mqtt.{partner}.ACK", 1))


def topic_of(subject: str) -> str:
    """The MQTT topic that nats-server mapped to a subject.

    Levels are separated by dots; an empty level is ``/``, a dot inside of a level is ``//`` (nats-server, MQTT).
    """
    topic = []
    at = 0
    while at < len(subject):
        pair = subject[at : at + 2]
        if pair == "//":
            topic.append(".")
            at += 2
        elif pair == "/.":
            topic.append("/")
            at += 2
        else:
            topic.append({".": "/", "/": ""}.get(subject[at], subject[at]))
            at += 1
    return "".join(topic)
