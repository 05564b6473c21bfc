"""FastStream hears, the edge settles: durables that exist, manual acknowledgement, one message at a time."""

from collections.abc import Callable
from typing import Any

from faststream.middlewares import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.message import NatsMessage
from faststream.security import SASLPlaintext

from oker_bus.edge import Edge
from oker_bus.router import Heard, Router, stream_of

FETCH_SECONDS = 2.0


def new_broker(connection: dict[str, Any]) -> NatsBroker:
    """A broker that reconnects for ever, injects nothing and settles nothing by itself."""
    rest = {name: value for name, value in connection.items() if name not in ("user", "password")}
    security = SASLPlaintext(connection["user"], connection["password"], use_ssl=False)
    return NatsBroker(**rest, security=security, apply_types=False, logger=None, ack_policy=AckPolicy.MANUAL)


def subscribe(broker: NatsBroker, router: Router, edge: Edge, inbox_prefix: str) -> dict[str, Any]:
    """One subscriber a durable on facts; returns them by the durable's name.

    The stream is never declared (FastStream would rewrite it), no reply is sent (it would go to the
    acknowledgement's subject), and the inbox prefix is set again since subscribers ignore the broker's.
    """
    subscribers = {}
    for consumer, handlers in router.facts():
        subscriber = broker.subscriber(
            f"{consumer}.>",
            durable=consumer,
            stream=JStream(stream_of(consumer), declare=False),
            pull_sub=PullSub(batch_size=1, timeout=FETCH_SECONDS),
            ack_policy=AckPolicy.MANUAL,
            inbox_prefix=inbox_prefix.encode() + b".",
            no_reply=True,
            decoder=_undecoded,
        )
        subscriber(_settle(edge, consumer, handlers))
        subscribers[consumer] = subscriber
    return subscribers


async def _undecoded(message: NatsMessage) -> NatsMessage:
    return message


def _settle(edge: Edge, consumer: str, handlers: dict[str, Heard]) -> Callable[[NatsMessage], Any]:
    async def settle(message: NatsMessage) -> None:
        await edge.receive(message.raw_message, consumer, handlers)

    return settle
