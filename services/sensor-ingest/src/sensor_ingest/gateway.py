"""To the companies' streams: what their devices publish over MQTT, and what their systems send over HTTP.

A QoS 1 PUBACK proves that nats-server holds the message in ``$MQTT_msgs`` of the company's account, and no more. So a
durable on that stream is emptied here: each message is published on the company's intake stream as a claim and
acknowledged after the PubAck. Killed in between, it is published again under the same id and counts as a duplicate.
"""

import asyncio
from base64 import b64encode
from datetime import datetime

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from oker_bus.accounts import MQTT_DURABLE, MQTT_STREAM
from oker_bus.partners import PartnersFile
from oker_contracts import TYPE_PREFIX, Envelope, catalog
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1

log = structlog.get_logger()
LOOK_SECONDS = 5.0
FETCH = 100
FETCH_SECONDS = 5.0
PAUSE_SECONDS = 1.0
MAX_TOPIC = 1024
MAX_PAYLOAD = 600_000
"""Bytes of an MQTT message that fit into a claim; of a larger one the beginning is forwarded, to be refused."""


class IntakeClosed(Exception):
    """The broker did not confirm that it holds the claim; sent again under the same id, it counts once."""


async def hand_in(jetstream: JetStreamContext, partner: str, claim: Envelope) -> tuple[str, int]:
    """Publish a claim of a company and wait for the PubAck.

    Without a Nats-Msg-Id: the broker would drop, for two minutes, what is sent again after it was refused (a device
    was declared meanwhile). What was stored and comes again is counted as a duplicate.

    Returns:
        Stream and sequence where it lies.

    Raises:
        IntakeClosed: no PubAck: the broker is away, the stream is full or missing.
    """
    subject = f"ingest.{partner}.{claim.type.removeprefix(TYPE_PREFIX)}"
    try:
        ack = await jetstream.publish(subject, claim.data, headers=claim.headers())
    except (NatsError, TimeoutError) as error:
        log.warning("intake.closed", partner=partner, error=type(error).__name__)
        raise IntakeClosed(type(error).__name__) from error
    return ack.stream, ack.seq


async def forward_all(nats: Client, partners: PartnersFile) -> None:
    """One forwarder a company, also for companies that join later, until they leave; for ever."""
    forwarders: dict[str, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as group:
        while True:
            companies = partners.current().partners
            for slug in companies.keys() - forwarders.keys():
                forwarders[slug] = group.create_task(forward(nats, slug))
            for slug in forwarders.keys() - companies.keys():
                forwarders.pop(slug).cancel()
            await asyncio.sleep(LOOK_SECONDS)


async def forward(nats: Client, partner: str) -> None:
    """Empty the MQTT stream of one company, for ever."""
    api = nats.jetstream(prefix=f"mqtt.{partner}.API")
    subscription = await api.pull_subscribe_bind(consumer=MQTT_DURABLE, stream=MQTT_STREAM)
    while True:
        try:
            for msg in await subscription.fetch(FETCH, timeout=FETCH_SECONDS):
                await _forward_one(nats, partner, msg)
        except TimeoutError:
            continue
        except NatsError as error:
            log.warning("mqtt.interrupted", partner=partner, error=type(error).__name__)
            await asyncio.sleep(PAUSE_SECONDS)


async def _forward_one(nats: Client, partner: str, msg: Msg) -> None:
    meta = msg.metadata
    claim = claim_of(partner, msg.subject, msg.data, meta.sequence.stream, meta.timestamp)
    headers = {**claim.headers(), "Nats-Msg-Id": f"mqtt/{claim.id}"}
    subject = catalog().events[MqttMessageReceivedV1.TYPE].claim_subject(partner)
    await nats.jetstream(timeout=5).publish(subject, claim.data, headers=headers)
    await nats.publish(msg.reply.replace("$JS.ACK", f"mqtt.{partner}.ACK", 1))


def claim_of(partner: str, subject: str, payload: bytes, sequence: int, at: datetime) -> Envelope:
    """The claim that an MQTT message is. Its id holds the time as well: a stream that was made anew counts from one."""
    said = MqttMessageReceivedV1(
        topic=topic_of(subject.removeprefix("$MQTT.msgs."))[:MAX_TOPIC],
        payload=b64encode(payload[:MAX_PAYLOAD]),
        received_at=at,
    )
    return Envelope(
        id=f"{sequence}-{int(at.timestamp() * 1e6)}",
        source=f"/oker/mqtt/{partner}",
        type=TYPE_PREFIX + MqttMessageReceivedV1.TYPE,
        time=at,
        data=said.model_dump_json().encode(),
    )


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
