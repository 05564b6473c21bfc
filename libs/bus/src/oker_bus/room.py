"""Room on the streams: how full each is, and what may go from a company's intake stream (docs/adr/0013).

A stream that is full refuses (``discard=new``), and no intake stream forgets by age. So what has been settled is
removed here, oldest first, when a stream fills up or its messages are older than the company's file says. What is not
settled stays, whatever its age.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from oker_bus.partners import PartnersFile
from oker_bus.topology import durables

log = structlog.get_logger()
LOOK_SECONDS = 5.0
TRIM_SECONDS = 30.0
NEVER = datetime.max.replace(tzinfo=UTC)
WARN_SHARE = 0.8
"""From here on a stream is named as filling up, and settled messages are removed from an intake stream …"""
TRIMMED_SHARE = 0.6
"""… until so much is left."""
LARGEST_MESSAGE = 1_048_576
"""Bytes; a stream with less room than this, or than a hundredth of its size, refuses or is about to."""
PIECE = 20_000
"""Sequences that one purge walks over: nats-server takes about 20 ms for them and holds publishers up meanwhile."""


@dataclass(frozen=True, slots=True)
class Fill:
    """How full a stream is, in bytes; a limit of 0 is none."""

    bytes: int
    limit: int

    @property
    def share(self) -> float:
        """0 is empty, 1 is full."""
        return self.bytes / self.limit if self.limit > 0 else 0.0

    @property
    def is_full(self) -> bool:
        """Whether it refuses, or would refuse a large message."""
        return self.limit > 0 and self.limit - self.bytes < min(LARGEST_MESSAGE, self.limit / 100)


@dataclass(slots=True)
class Room:
    """Looks at streams from time to time and keeps what it saw.

    ``own`` are those this service speaks on: full, it cannot do its work. A company's intake stream that is full is a
    warning, since a service that called itself not ready would be taken from the other companies as well.
    """

    jetstream: JetStreamContext
    own: frozenset[str] = frozenset()
    streams: dict[str, Fill | None] = field(default_factory=dict)
    _asked: dict[str, tuple[JetStreamContext, str]] = field(default_factory=dict)

    def add(self, stream: str, *, of: JetStreamContext | None = None, shown_as: str | None = None) -> None:
        """Look at this stream from now on; one in a company's account is asked there, and needs a name of its own."""
        self.streams.setdefault(shown_as or stream, None)
        self._asked.setdefault(shown_as or stream, (of or self.jetstream, stream))

    async def run(self) -> None:
        """Look at every stream, for ever."""
        for stream in self.own:
            self.add(stream)
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Ask the broker about each stream; one that cannot be asked about keeps what was seen before."""
        for stream in list(self.streams):
            jetstream, name = self._asked[stream]
            try:
                info = await jetstream.stream_info(name)
            except (NatsError, TimeoutError):
                continue  # whether the broker is there at all is seen by the watch over the durables
            before = self.streams[stream]
            self.streams[stream] = seen = Fill(info.state.bytes, max(info.config.max_bytes or 0, 0))
            _tell(stream, before, seen)

    def warnings(self) -> dict[str, str]:
        """Streams that fill up or refuse, with a sentence for the operator."""
        return {stream: _sentence(fill) for stream, fill in self.streams.items() if fill and fill.share >= WARN_SHARE}

    def failing(self) -> dict[str, str]:
        """Those of the service's own streams that refuse."""
        full = {stream for stream in self.own if (fill := self.streams.get(stream)) and fill.is_full}
        return {stream: sentence for stream, sentence in self.warnings().items() if stream in full}


def _tell(stream: str, before: Fill | None, seen: Fill) -> None:
    """One line in the log when a stream begins to refuse or gets room again."""
    was_full = before is not None and before.is_full
    if seen.is_full and not was_full:
        log.error("stream.full", stream=stream, bytes=seen.bytes, limit=seen.limit)
    elif was_full and not seen.is_full:
        log.info("stream.has_room", stream=stream, bytes=seen.bytes, limit=seen.limit)


def _sentence(fill: Fill) -> str:
    used = f"{fill.bytes:,} of {fill.limit:,} bytes"
    if fill.is_full:
        return f"full ({used}): publishers are refused; see who does not drain it, or widen it"
    return f"{fill.share:.0%} full ({used})"


# making room


async def make_room(jetstream: JetStreamContext, partners: PartnersFile, room: Room) -> None:
    """Remove what is settled from companies' intake streams as their sizes and ages ask, for ever."""
    while True:
        companies = partners.current()
        for slug, partner in companies.partners.items():
            stream, keep = f"IN_{slug}", timedelta(days=partner.intake.max_age_days)
            room.add(stream)
            hears = {str(config.name) for at, config in durables(companies) if at == stream}
            try:
                await trim(jetstream, stream, hears, keep, datetime.now(UTC))
            except (NatsError, TimeoutError) as error:
                log.warning("intake.not_trimmed", stream=stream, error=type(error).__name__)
        await asyncio.sleep(TRIM_SECONDS)


async def trim(jetstream: JetStreamContext, stream: str, hears: set[str], keep: timedelta, now: datetime) -> int:
    """Remove the oldest settled messages of one stream: those older than ``keep``, and more if it is filling up.

    Settled is what every durable that hears it has acknowledged. Durables are asked for their acknowledgement floor,
    and only their own subjects are purged up to it: a message that a durable was not yet told of lies above its floor.

    Args:
        hears: the durables that have to be there; if one is missing, nothing is removed.

    Returns:
        How many were removed.
    """
    info = await jetstream.stream_info(stream)
    fill = Fill(info.state.bytes, max(info.config.max_bytes or 0, 0))
    until = max(_by_size(info.state, fill), await _by_age(jetstream, stream, info.state, now - keep))
    if until <= info.state.first_seq:
        return 0
    consumers = await _consumers(jetstream, stream)
    if len(consumers) < info.state.consumer_count:  # one that has no leader at the moment is left out
        log.warning("intake.not_trimmed", stream=stream, listed=len(consumers), there=info.state.consumer_count)
        return 0
    if missing := hears - {info.name for info in consumers}:
        log.warning("intake.not_trimmed", stream=stream, missing=sorted(missing))
        return 0
    for subject, floor in settled_floors(consumers).items():
        await _purge(jetstream, stream, subject, info.state.first_seq, min(until, floor + 1))
    after = (await jetstream.stream_info(stream)).state
    removed = int(info.state.messages + after.last_seq - info.state.last_seq - after.messages)
    if removed:
        log.info("intake.trimmed", stream=stream, messages=removed, until=until)
    return removed


async def _consumers(jetstream: JetStreamContext, stream: str) -> list[Any]:
    """All consumers of a stream, which the server tells by the page."""
    found: dict[str, Any] = {}
    while page := await jetstream.consumers_info(stream, offset=len(found)):
        known = len(found)
        found |= {info.name: info for info in page}
        if len(found) == known:
            break
    return list(found.values())


def _by_size(state: Any, fill: Fill) -> int:
    """Up to which sequence to remove, by the average size of a message, so that the stream is no longer filling up."""
    if fill.share < WARN_SHARE:
        return 0
    excess = (fill.bytes - TRIMMED_SHARE * fill.limit) / fill.bytes
    first, last = int(state.first_seq), int(state.last_seq)
    return first + ceil((last - first + 1) * excess)


async def _by_age(jetstream: JetStreamContext, stream: str, state: Any, before: datetime) -> int:
    """The first sequence that was stored at that time or later; found by halving, in about thirty requests."""
    low, high = int(state.first_seq), int(state.last_seq) + 1
    if low >= high or await _stored_at(jetstream, stream, low) >= before:
        return 0
    while low < high:
        middle = (low + high) // 2
        if await _stored_at(jetstream, stream, middle) < before:
            low = middle + 1
        else:
            high = middle
    return low


async def _stored_at(jetstream: JetStreamContext, stream: str, sequence: int) -> datetime:
    """When the first message from this sequence on was stored; behind the last one it is never."""
    try:
        msg = await jetstream.get_msg(stream, seq=sequence, next=True, direct=True, subject=">")
    except NotFoundError:
        return NEVER
    stored_at: datetime | None = msg.time
    return stored_at or NEVER


def settled_floors(consumers: Iterable[Any]) -> dict[str, int]:
    """Filter to the sequence up to which all that it matches is settled by all durables that hear any of it."""
    floors = [
        (subject, int(info.ack_floor.stream_seq))
        for info in consumers
        for subject in info.config.filter_subjects or [info.config.filter_subject or ">"]
    ]
    return {subject: min(floor for other, floor in floors if overlap(subject, other)) for subject, _ in floors}


def overlap(one: str, other: str) -> bool:
    """Whether a subject could match both filters (NATS: ``*`` is one token, ``>`` one or more)."""
    first, second = one.split("."), other.split(".")
    for a, b in zip(first, second, strict=False):
        if ">" in (a, b):
            return True
        if a != b and "*" not in (a, b):
            return False
    return len(first) == len(second)


async def _purge(jetstream: JetStreamContext, stream: str, subject: str, first: int, until: int) -> None:
    """Remove a filter's messages below ``until``, piece by piece, so that publishers get their turn in between."""
    for piece in [*range(first + PIECE, until, PIECE), until] if until > first else []:
        await jetstream.purge_stream(stream, seq=piece, subject=subject)
