"""To the companies' streams: what their devices publish over MQTT, and what their systems send over HTTP.

A QoS 1 PUBACK proves that nats-server holds the message in ``$MQTT_msgs`` of the company's account, and no more. So a
durable on that stream is emptied here: each message is published on the company's intake stream as a claim and
acknowledged after the PubAck. Killed in between, it is published again under the same id and counts as a duplicate.

Pulls by credit, as the lane does: ``fetch`` of nats-py keeps a message until others or its timeout come.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError

from oker_bus import metrics
from oker_bus.accounts import MQTT_DURABLE, MQTT_STREAM
from oker_bus.connection import Connection, read_headers
from oker_bus.edge import Delivery
from oker_bus.partners import PartnersFile
from oker_bus.room import Room
from oker_contracts import TYPE_PREFIX, Envelope, catalog
from oker_contracts.sensor.mqtt_message_received_v1 import MqttMessageReceivedV1

log = structlog.get_logger()
LOOK_SECONDS = 5.0
BATCH = 100
"""Messages of one request; twice as many may be on their way to the intake stream before more are asked for."""
REQUEST_BYTES, HELD_BYTES = 8_000_000, 4_000_000
"""Of one request, and of what is on its way before more is asked for: the memory that a company may take here."""
EXPIRES_SECONDS, TICK_SECONDS = 5.0, 1.0
ENDED, BYTES_USED = ("404", "408", "409 Batch Completed"), "409 Message Size Exceeds MaxBytes"
"""Statuses of a request that ended without a fault: nothing there, time is up, all has come; its bytes are used up."""
PUBLISH_SECONDS, FLUSH_SECONDS, DRAIN_SECONDS = 5.0, 2, 0.1
AGAIN = b'-NAK {"delay": 2000000000}'
"""Asks the broker for the message again, after two seconds (JetStream wire API)."""
WINDOW = 200
"""Claims of one batch over HTTP that are on their way to the broker at a time."""
RETRY_SECONDS, FULL_SECONDS = 5, 60
AWAY = "Not taken: the broker does not confirm. Send it again under the same id."
FULL = "Not taken: there is no room for it. Keep it, and send it again later under the same id; the operator is told."
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


async def forward_all(nats: Connection, partners: PartnersFile, room: Room) -> None:
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


async def forward(nats: Connection, partner: str) -> None:
    """Empty the MQTT stream of one company, for ever; cancelled, it first ends what it has begun."""
    pull = _Pull(nats, nats.jetstream(timeout=PUBLISH_SECONDS), partner, nats.new_inbox())
    subscription = await nats.tap(pull.inbox, pull.take)
    try:
        while True:
            await pull.ask()
            pull.due.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await pull.due.wait()
    finally:
        await pull.drain()
        with suppress(NatsError, TimeoutError):
            await subscription.unsubscribe()
            await nats.flush(FLUSH_SECONDS)  # what was sent before the broker heard of it has come then
        pull.stopping = True
        if pull.forwarding:
            await asyncio.wait(pull.forwarding, timeout=PUBLISH_SECONDS)


@dataclass(slots=True)
class _Pull:
    """What was asked of a company's durable (MSG.NEXT, JetStream wire API), and what is being forwarded."""

    nats: Connection
    jetstream: JetStreamContext
    partner: str
    inbox: str
    asked: int = 0
    """Messages that were asked for and have not come."""
    deadline: float = 0.0
    """When the last request has ended, even if nobody said so; a lost one is repeated then."""
    resume: float = 0.0
    said: str = ""
    """The fault that was logged and lasts."""
    held: int = 0
    """Bytes that are being forwarded."""
    forwarding: set[asyncio.Task[None]] = field(default_factory=set)
    due: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: bool = False

    async def ask(self) -> None:
        """Ask for more, if there is credit.

        Never while disconnected: nats-py would keep each request of an outage and send them all at its end.
        """
        now = asyncio.get_running_loop().time()
        if now > self.deadline:
            self.asked = 0
        if not self._has_credit() or now < self.resume or not self.nats.is_connected:
            return
        self.asked += BATCH
        self.deadline = now + EXPIRES_SECONDS + TICK_SECONDS
        limits = {"batch": BATCH, "max_bytes": REQUEST_BYTES, "expires": int(EXPIRES_SECONDS * 1e9)}
        subject = f"mqtt.{self.partner}.API.CONSUMER.MSG.NEXT.{MQTT_STREAM}.{MQTT_DURABLE}"
        with suppress(NatsError):  # not sent is asked again after the deadline
            await self.nats.publish(subject, json.dumps(limits).encode(), reply=self.inbox)

    async def drain(self) -> None:
        """Take what was asked for as long as it comes: delivered to nobody, it would come again in half a minute."""
        left = 0
        while self.asked != left:
            left = self.asked
            await asyncio.sleep(DRAIN_SECONDS)

    def _has_credit(self) -> bool:
        return self.asked <= BATCH // 2 and len(self.forwarding) <= 2 * BATCH and self.held <= HELD_BYTES

    def take(self, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        """A message is forwarded at once, in a task of its own; a status says that a request ended."""
        if self.stopping:
            return
        if reply:
            message = Delivery.read(MQTT_DURABLE, subject, reply, data, b"")
            self.asked = max(self.asked - 1, 0)
            self.held += len(message.body)
            task = asyncio.create_task(self._forward(message))
            self.forwarding.add(task)
            task.add_done_callback(self.forwarding.discard)
        else:
            self._ended(headers)
        self._look()

    def _ended(self, headers: bytes) -> None:
        """Gives back the credit of a request; after a fault (no such durable, a server that stops) not at once."""
        status = headers.split(b"\r\n", 1)[0].decode("utf-8", "replace").removeprefix("NATS/1.0 ")
        left = int(read_headers(headers).get("Nats-Pending-Messages", BATCH))
        self.asked = max(self.asked - left, 0)
        if not status.startswith(ENDED) and not (status == BYTES_USED and left < BATCH):
            self._pause(status)

    def _look(self) -> None:
        if self._has_credit():
            self.due.set()

    def _pause(self, error: str) -> None:
        if error != self.said:
            log.warning("mqtt.interrupted", partner=self.partner, error=error[:200])
        self.said = error
        self.resume = asyncio.get_running_loop().time() + PAUSE_SECONDS

    async def _forward(self, message: Delivery) -> None:
        """One that is not confirmed is delivered again after a pause, and harms no neighbour."""
        try:
            verdict = await self._verdict(message)
            with suppress(NatsError):  # not told is delivered again, and published under the same id
                await self.nats.publish(message.reply.replace("$JS.ACK", f"mqtt.{self.partner}.ACK", 1), verdict)
        finally:
            self.held -= len(message.body)
            self._look()

    async def _verdict(self, message: Delivery) -> bytes:
        try:
            await _publish(self.jetstream, self.partner, message)
        except (IntakeClosed, NatsError) as error:
            self._pause(repr(error.__cause__ or error))
            return AGAIN
        except Exception as error:
            log.exception(
                "mqtt.not_forwarded", partner=self.partner, sequence=message.sequence, error=repr(error)[:200]
            )
            return AGAIN
        self.said = ""
        return b""


async def _publish(jetstream: JetStreamContext, partner: str, message: Delivery) -> None:
    """Hand in a message as a claim.

    Raises:
        IntakeClosed: no PubAck.
    """
    claim = claim_of(partner, message.subject, message.body, message.sequence, message.stored_at)
    headers = {**claim.headers(), "Nats-Msg-Id": f"mqtt/{claim.id}"}
    subject = catalog().events[MqttMessageReceivedV1.TYPE].claim_subject(partner)
    await _confirmed(jetstream, partner, subject, claim, headers)


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
