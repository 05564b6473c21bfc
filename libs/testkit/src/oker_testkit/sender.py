"""A sender that loses nothing: what was not acknowledged is said again, under the same id, until it is."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nats.errors import Error as NatsError
from nats.js import JetStreamContext

PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to be published; its id stands in its headers."""

    subject: str
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True)
class Sender:
    """Says many things at once.

    ``window`` is how many may be without an acknowledgement, ``patience`` the seconds after which one is said again.
    """

    jetstream: JetStreamContext
    window: int = 200
    patience: float = 1.0
    acknowledged: int = 0
    repeated: int = 0
    """How often something was said again."""

    async def say(self, letters: Iterable[Letter]) -> None:
        """Publish everything; returns when all of it was acknowledged, however long the broker is away."""
        waiting = iter(letters)
        async with asyncio.TaskGroup() as group:
            for _ in range(self.window):
                group.create_task(self._work(waiting))

    async def _work(self, waiting: Iterator[Letter]) -> None:
        for letter in waiting:
            while not await self._acknowledged(letter):
                self.repeated += 1
                await asyncio.sleep(PAUSE_SECONDS)

    async def _acknowledged(self, letter: Letter) -> bool:
        try:
            headers = dict(letter.headers)  # nats-py writes into what it is given
            await self.jetstream.publish(letter.subject, letter.body, headers=headers, timeout=self.patience)
        except (NatsError, OSError, TimeoutError):
            return False
        self.acknowledged += 1
        return True
