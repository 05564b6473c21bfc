"""Which function hears which event through which durable."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from oker_bus.transaction import Transaction
from oker_contracts import Contract, Event, catalog

Heard = Callable[[Event[Any], Transaction], Awaitable[None]]
C = TypeVar("C", bound=Contract)
Handles = Callable[[Event[C], Transaction], Awaitable[None]]


class RetryLater(Exception):
    """What the message needs is not there yet: it comes again after a growing pause."""


@dataclass(frozen=True, slots=True)
class Router:
    """The handlers of one service: durable, then name of the event, then function."""

    service: str
    handlers: dict[str, dict[str, Heard]] = field(default_factory=dict)

    def facts(self) -> list[tuple[str, dict[str, Heard]]]:
        """The durables on facts, with their handlers."""
        return [(consumer, heard) for consumer, heard in self.handlers.items() if stream_of(consumer) != "IN_*"]

    def claims(self) -> list[tuple[str, dict[str, Heard]]]:
        """The durables on companies' claims, with their handlers."""
        return [(consumer, heard) for consumer, heard in self.handlers.items() if stream_of(consumer) == "IN_*"]


def on(router: Router, contract: type[C], *, consumer: str) -> Callable[[Handles[C]], Handles[C]]:
    """Register a handler for one event.

    Several events may share a durable; the bus dispatches by type. A durable is bound to one stream.

    Raises:
        ValueError: the catalog does not name ``consumer`` for this event, or it is taken.
    """
    entry = catalog().events[contract.TYPE]
    if consumer not in entry.consumers:
        raise ValueError(f"{contract.TYPE} has no consumer {consumer!r}; add it to catalog.toml")
    heard = router.handlers.setdefault(consumer, {})
    if contract.TYPE in heard:
        raise ValueError(f"{contract.TYPE} is heard twice by {consumer!r}")

    def register(handle: Handles[C]) -> Handles[C]:
        heard[contract.TYPE] = handle
        return handle

    return register


def stream_of(consumer: str) -> str:
    """The stream that a durable of the catalog is bound to; ``IN_*`` if it hears claims, on each company's stream."""
    streams = {entry.stream for entry in catalog().events.values() if consumer in entry.consumers}
    if len(streams) != 1:
        raise ValueError(f"{consumer!r} must be bound to exactly one stream, not {sorted(streams)}")
    return streams.pop()


def matches(pattern: str, subject: str) -> bool:
    """Whether a subject fits a pattern of NATS: ``*`` is one token, ``>`` all that follow."""
    wanted, said = pattern.split("."), subject.split(".")
    for place, word in enumerate(wanted):
        if word == ">":
            return len(said) > place
        if place >= len(said) or word not in ("*", said[place]):
            return False
    return len(said) == len(wanted)
