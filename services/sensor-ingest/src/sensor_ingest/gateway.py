"""To the companies' streams: what their devices publish over MQTT, and what their systems send over HTTP.

A QoS 1 PUBACK proves that nats-server holds the message in ``$MQTT_msgs`` of the company's account, and no more. So a
durable on that stream is emptied here: each message is published on the company's intake stream as a claim and
acknowledged after the PubAck. Killed in between, it is published again under the same id and counts as a duplicate.
"""

import asyncio
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError

from oker_bus import metrics
from oker_bus.accounts import MQTT_DURABLE, MQTT_STREAM
from oker_bus.partners import PartnersFile
from oker_bus.room import Room
from oker_contracts import TYPE_PREFIX, Envelope, catalog
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1

log = structlog.get_logger()
LOOK_SECONDS = 5.0
FETCH = 100
PUBLISH_SECONDS = 5.0
AGAIN = b'-NAK {"delay": 2000000000}'
"""Asks the broker for the message again, after two seconds (JetStream wire API)."""
WINDOW = 200
"""Claims of one batch over HTTP that are on their way to the broker at a time."""
RETRY_SECONDS, FULL_SECONDS = 5, 60
AWAY = "Not taken: the broker does not confirm. Send it again under the same id."
FULL = "Not taken: there is no room for it. Keep it, and send it again later under the same id; the operator is told."
FETCH_SECONDS = 5.0
PAUSE_SECONDS = 1.0
MAX_TOPIC = 1024
MAX_PAYLOAD = 600_000
"""Bytes of an MQTT message that fit into a claim; of a larger one the beginning is forwarded, to be refused."""


class IntakeClosed(Exception):
    """The broker did not confirm that it holds the claim; sent again under the same id, it counts once.

    ``sentence`` is for the sender, ``retry_after`` the seconds after which trying again makes sense.
    """

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after = retry_after


class Place(NamedTuple):
    """Where a claim lies."""

    stream: str
    sequence: int


async def hand_in(jetstream: JetStreamContext, partner: str, claim: Envelope) -> Place:
    """Publish a claim of a company and wait for the PubAck.

    Without a Nats-Msg-Id: the broker would drop, for two minutes, what is sent again after it was refused (a device
    was declared meanwhile). What was stored and comes again is counted as a duplicate.

    Raises:
        IntakeClosed: no PubAck: the broker is away, the stream is full or missing.
    """
    subject = catalog().events[claim.type.removeprefix(TYPE_PREFIX)].claim_subject(partner)
    try:
        return await _confirmed(jetstream, partner, subject, claim, claim.headers())
    except IntakeClosed as closed:
        log.warning("intake.closed", partner=partner, error=repr(closed.__cause__)[:200])
        raise


async def _confirmed(
    jetstream: JetStreamContext, partner: str, subject: str, claim: Envelope, headers: dict[str, str]
) -> Place:
    try:
        ack = await jetstream.publish(subject, claim.data, headers=headers)
    except APIError as error:
        metrics.count_intake(partner, "full")
        raise IntakeClosed(FULL, FULL_SECONDS) from error
    except (NatsError, TimeoutError) as error:
        metrics.count_intake(partner, "unconfirmed")
        raise IntakeClosed(AWAY, RETRY_SECONDS) from error
    metrics.count_intake(partner, "taken")
    return Place(ack.stream, ack.seq)


async def hand_in_all(
    jetstream: JetStreamContext, partner: str, claims: Sequence[Envelope]
) -> list[Place | IntakeClosed]:
    """Publish claims in their order, many at a time; returns what became of each.

    After one that was not confirmed no further one is sent: a sender who goes on from there keeps the order.
    """
    window = asyncio.Semaphore(WINDOW)
    closed: list[IntakeClosed] = []

    async def one(claim: Envelope) -> Place | IntakeClosed:
        async with window:
            if closed:
                return closed[0]
            try:
                return await hand_in(jetstream, partner, claim)
            except IntakeClosed as error:
                closed.append(error)
                return error

    return await asyncio.gather(*map(one, claims))


async def forward_all(nats: Client, partners: PartnersFile, room: Room) -> None:
    """One forwarder a company, also for companies that join later, until they leave; for ever."""
    forwarders: dict[str, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as group:
        while True:
            companies = partners.current().partners
            for slug in companies.keys() - forwarders.keys():
                forwarders[slug] = group.create_task(forward(nats, slug))
                mqtt = nats.jetstream(prefix=f"mqtt.{slug}.API")
                room.add(MQTT_STREAM, of=mqtt, shown_as=f"{slug}:{MQTT_STREAM}")
            for slug in forwarders.keys() - companies.keys():
                forwarders.pop(slug).cancel()
            await asyncio.sleep(LOOK_SECONDS)


async def forward(nats: Client, partner: str) -> None:
    """Empty the MQTT stream of one company, for ever."""
    api = nats.jetstream(prefix=f"mqtt.{partner}.API")
    subscription = await api.pull_subscribe_bind(consumer=MQTT_DURABLE, stream=MQTT_STREAM)
    while True:
        try:
            messages = await _fetch(subscription)
            await _forward_batch(nats, partner, messages)
        except (IntakeClosed, NatsError) as error:
            log.warning("mqtt.interrupted", partner=partner, error=repr(error.__cause__ or error)[:200])
            await asyncio.sleep(PAUSE_SECONDS)


async def _fetch(subscription: JetStreamContext.PullSubscription) -> list[Msg]:
    """What waits, up to a batch; nothing if nothing came within some seconds."""
    try:
        return list(await subscription.fetch(FETCH, timeout=FETCH_SECONDS))
    except TimeoutError:
        return []


async def _forward_batch(nats: Client, partner: str, messages: list[Msg]) -> None:
    """Forward many at a time; one that was not confirmed comes again after a pause, and harms no neighbour.

    Raises:
        IntakeClosed, NatsError: the first failure, after all have ended.
    """
    ended = await asyncio.gather(*(_forward_one(nats, partner, msg) for msg in messages), return_exceptions=True)
    for failed in filter(None, ended):
        raise failed


async def _forward_one(nats: Client, partner: str, msg: Msg) -> None:
    meta = msg.metadata
    claim = claim_of(partner, msg.subject, msg.data, meta.sequence.stream, meta.timestamp)
    headers = {**claim.headers(), "Nats-Msg-Id": f"mqtt/{claim.id}"}
    subject = catalog().events[MqttMessageReceivedV1.TYPE].claim_subject(partner)
    place = msg.reply.replace("$JS.ACK", f"mqtt.{partner}.ACK", 1)
    try:
        await _confirmed(nats.jetstream(timeout=PUBLISH_SECONDS), partner, subject, claim, headers)
    except IntakeClosed:
        await nats.publish(place, AGAIN)
        raise
    await nats.publish(place)


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
