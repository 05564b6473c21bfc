"""The bus of one service: its database, its place on the broker, its relay and its handlers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import structlog
from nats.js import JetStreamContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from oker_bus import metrics, store
from oker_bus.batch import Way, way_of
from oker_bus.connection import Connection, connect
from oker_bus.edge import Delivery, Edge, Sessions
from oker_bus.lane import Lane
from oker_bus.lane import run as run_lane
from oker_bus.partners import PartnersFile
from oker_bus.relay import KEEPALIVE, relay
from oker_bus.room import Room
from oker_bus.router import Heard, Router, stream_of
from oker_bus.settings import ClaimsSettings, ServiceSettings
from oker_bus.store import Outcome
from oker_bus.subscriptions import new_broker, subscribe
from oker_bus.transaction import Cause, Clock, Transaction, wall
from oker_bus.watch import Watch
from oker_contracts import catalog

log = structlog.get_logger()
OLDEST_ANNOUNCEMENT = """
SELECT extract(epoch FROM now() - min(created_at)) FROM outbox WHERE subject NOT LIKE 'quarantine.%'
"""
"""Copies for QUARANTINE may wait without harm: the table quarantine holds what they say."""


@dataclass(slots=True)
class Bus:
    """Opened once a process, see :func:`open_bus`."""

    service: str
    nats: Connection
    jetstream: JetStreamContext
    sessions: Sessions
    edge: Edge
    watch: Watch
    room: Room
    tasks: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    ways: dict[str, Way] = field(default_factory=dict)
    """How the messages of each durable are taken; a service with a lane of its own adds its way."""
    partners: PartnersFile | None = None
    """The companies, for a service that hears them."""

    def transaction(self, cause: Cause | None = None) -> AbstractAsyncContextManager[Transaction]:
        """A transaction outside of a handler: an HTTP write, or work that a background task found.

        Args:
            cause: the event it continues; a request starts a story of its own.
        """
        return self.edge.transaction(cause or Cause(f"/oker/{self.service}/http", str(uuid4())))

    async def failing(self) -> dict[str, str]:
        """What keeps this service from being ready: name of the check and a sentence."""
        failing = self.watch.failing() | self.room.failing()
        if not self.nats.is_connected:
            failing["nats"] = "not connected to the broker; reconnecting"
        for name, task in self.tasks.items():
            if task.done():
                failing[name] = "has ended"
        try:
            async with asyncio.timeout(2), self.sessions() as session:
                age = await store.run(session, text(OLDEST_ANNOUNCEMENT))
                waiting = age.scalar_one()
                if waiting is not None and waiting > 60:
                    failing["outbox"] = f"the oldest announcement waits for {waiting:.0f} s"
        except Exception as error:
            failing["database"] = f"does not answer ({type(error).__name__})"
        return failing


@asynccontextmanager
async def open_bus(settings: ServiceSettings, router: Router, clock: Clock = wall) -> AsyncIterator[Bus]:
    """Connect, relay, watch and hear until the block ends; then stop in the reverse order."""
    async with AsyncExitStack() as stack:
        engine = create_async_engine(
            settings.database_url.get_secret_value(),
            pool_size=10,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"command_timeout": 60, "server_settings": KEEPALIVE},
        )
        stack.push_async_callback(engine.dispose)
        options = connection_options(settings, router.service)
        connection = await connect(options)
        stack.push_async_callback(_close, connection)
        bus = _assemble(engine, connection, router, clock)
        bus.partners = claims_from(settings) if isinstance(settings, ClaimsSettings) else None
        bus.ways |= {consumer: way_of(handlers) for consumer, handlers in router.handlers.items()}
        await _start(
            stack,
            bus,
            "relay",
            relay(settings.database_url.get_secret_value(), bus.jetstream, lambda: connection.is_connected),
        )
        broker = new_broker(options)
        subscribers = subscribe(broker, router, bus.edge, options["inbox_prefix"].decode())
        for consumer, subscriber in subscribers.items():
            bus.watch.add(consumer, stream_of(consumer), subscriber)
        if subscribers:
            await broker.start()
            stack.push_async_callback(broker.stop)
        for consumer, handlers in router.claims():
            lane = claims_lane(bus.edge, consumer, handlers)
            await _start(stack, bus, consumer, run_lane(lane, connection, claims_from(settings), bus.watch))
        await _start(stack, bus, "watch", bus.watch.run())
        await _start(stack, bus, "room", bus.room.run())
        metrics.observe(bus.room, bus.watch)
        yield bus


def claims_from(settings: ServiceSettings) -> PartnersFile:
    """The list of companies of a service that hears them.

    Raises:
        TypeError: the service's settings are no ClaimsSettings.
    """
    if not isinstance(settings, ClaimsSettings):
        raise TypeError("a service that hears claims needs ClaimsSettings (OKER_PARTNERS_FILE)")
    return PartnersFile(settings.partners_file)


def claims_lane(edge: Edge, consumer: str, handlers: dict[str, Heard]) -> Lane[Delivery]:
    """Claims at a human rate: each message in its own transaction, by its handler."""

    async def write(deliveries: list[Delivery]) -> list[Outcome | None]:
        return [await edge.settle(delivery, handlers) for delivery in deliveries]

    async def give_up(delivery: Delivery) -> Outcome | None:
        return None

    return Lane(consumer, list, write, give_up, batch=50)


def connection_options(settings: ServiceSettings, service: str) -> dict[str, Any]:
    """How a service connects: reconnects for ever, hears on an inbox of its own, says what goes wrong."""
    return {
        "servers": settings.nats_url.split(","),
        "name": service,
        "user": settings.nats_user,
        "password": settings.nats_password.get_secret_value(),
        "inbox_prefix": f"_INBOX_{settings.nats_user}".encode(),
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 1.0,
        "allow_reconnect": True,
        "connect_timeout": 5,
        "error_cb": _complain,
        "disconnected_cb": _disconnected,
        "reconnected_cb": _reconnected,
    }


def _assemble(engine: AsyncEngine, connection: Connection, router: Router, clock: Clock) -> Bus:
    sessions = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
    jetstream = connection.jetstream(timeout=5)
    edge = Edge(router.service, sessions, clock)
    owned = [entry for entry in catalog().events.values() if entry.owner == router.service]
    room = Room(jetstream, frozenset(entry.stream for entry in owned if entry.kind == "fact"))
    return Bus(router.service, connection, jetstream, sessions, edge, Watch(jetstream), room)


async def _start(stack: AsyncExitStack, bus: Bus, name: str, work: Any) -> None:
    task = bus.tasks[name] = asyncio.create_task(work, name=name)
    stack.push_async_callback(end, task)


async def end(task: "asyncio.Task[Any]") -> None:
    """Cancel a task until it has ended: nats-py turns a cancellation during a request into a TimeoutError."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=1.0)


async def _close(connection: Connection) -> None:
    with suppress(Exception):
        await asyncio.wait_for(connection.drain(), 5)
    if not connection.is_closed:
        await connection.close()


async def _complain(error: Exception) -> None:
    log.warning("nats.error", error=type(error).__name__, detail=str(error)[:300])


async def _disconnected() -> None:
    log.warning("nats.disconnected")


async def _reconnected() -> None:
    log.info("nats.reconnected")
