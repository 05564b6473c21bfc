"""Is every durable there, and does it get on? Readiness is progress, not a ping."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

log = structlog.get_logger()
LOOK_SECONDS = 2.0
STUCK_SECONDS = 60.0


@dataclass(slots=True)
class Watched:
    """What was last seen of one durable."""

    consumer: str
    stream: str
    subscriber: Any = None
    """The FastStream subscriber, paused while its durable is missing; it would spin without one."""
    missing: bool = False
    waiting: int = 0
    """Messages that were not acknowledged when it was last looked at."""
    floor: int = -1
    moved_at: float = field(default_factory=time.monotonic)
    complaint: str | None = "not looked at yet"


@dataclass(slots=True)
class Watch:
    """Looks at durables from time to time and keeps what it saw."""

    jetstream: JetStreamContext
    durables: dict[str, Watched] = field(default_factory=dict)
    added: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, consumer: str, stream: str, subscriber: Any = None) -> None:
        """Look at this durable from now on."""
        name = f"{consumer} on {stream}"
        if name not in self.durables:
            self.durables[name] = Watched(consumer, stream, subscriber)
            self.added.set()

    async def run(self) -> None:
        """Look at every durable, for ever."""
        while True:
            self.added.clear()
            for watched in list(self.durables.values()):
                await self._look(watched)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.added.wait(), LOOK_SECONDS)

    def failing(self) -> dict[str, str]:
        """The durables that do not get on, and why."""
        return {name: w.complaint for name, w in self.durables.items() if w.complaint}

    async def _look(self, watched: Watched) -> None:
        try:
            info = await self.jetstream.consumer_info(watched.stream, watched.consumer)
        except NotFoundError:
            await self._missing(watched)
            return
        except Exception as error:
            watched.complaint = f"the broker does not answer ({type(error).__name__})"
            return
        await self._present(watched)
        self._judge(watched, info)

    async def _missing(self, watched: Watched) -> None:
        watched.complaint = f"durable {watched.consumer} is missing on {watched.stream}; run `oker topology apply`"
        if not watched.missing:
            watched.missing = True
            log.error("consumer.missing", consumer=watched.consumer, stream=watched.stream)
            if watched.subscriber is not None:
                await watched.subscriber.stop()

    async def _present(self, watched: Watched) -> None:
        if watched.missing:
            watched.missing = False
            log.info("consumer.back", consumer=watched.consumer, stream=watched.stream)
            if watched.subscriber is not None:
                await watched.subscriber.start()

    @staticmethod
    def _judge(watched: Watched, info: Any) -> None:
        """Stuck: messages wait, and for a minute none was acknowledged or newly delivered (again is no progress)."""
        floor = info.ack_floor.stream_seq + info.delivered.stream_seq
        waiting = (info.num_pending or 0) + (info.num_ack_pending or 0)
        watched.waiting = waiting
        if floor != watched.floor or not waiting:
            watched.floor, watched.moved_at = floor, time.monotonic()
        idle = time.monotonic() - watched.moved_at
        watched.complaint = f"{waiting} messages wait, none moved for {idle:.0f} s" if idle > STUCK_SECONDS else None
