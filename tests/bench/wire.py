"""A NATS connection on the wire, which publishes for some microseconds a message.

A publisher in a client library takes as much of the machine as what is measured beside it. Sources: the NATS client
protocol (CONNECT, SUB, HPUB, MSG, HMSG), the JetStream wire API (PubAck).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from secrets import token_hex
from time import perf_counter
from typing import cast

WINDOW = 2_000
"""Published and not yet acknowledged, at most."""
CHUNK = 250
"""Messages that are written at once."""
TICK_SECONDS = 0.001
ACKNOWLEDGED_SECONDS = 60.0
Heard = Callable[[bytes, bytes], None]
"""Called with the subject and the payload of a message."""


class PublishFailed(Exception):
    """The broker refused a message, or the connection."""


class Wire(asyncio.Protocol):
    """One connection; :func:`connect` opens it."""

    def __init__(self) -> None:
        self.inbox = f"_INBOX.{token_hex(8)}"
        self.heard: dict[bytes, Heard] = {b"1": self._acknowledged}
        self.open = 0
        """Published and not yet acknowledged."""
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._refused: str | None = None
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._pong = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._refuse("the connection ended")

    def data_received(self, data: bytes) -> None:
        rest = self._rest + data if self._rest else data
        at = 0
        while (end := rest.find(b"\r\n", at)) >= 0:
            line = rest[at:end]
            if line.startswith((b"MSG ", b"HMSG ")):
                after = self._message(line, rest, end + 2)
                if after is None:
                    break
                at = after
                continue
            self._control(line)
            at = end + 2
        self._rest = rest[at:]

    def _message(self, line: bytes, rest: bytes, start: int) -> int | None:
        """Where the message ends; ``None`` if it has not come as a whole."""
        parts = line.split()
        size = int(parts[-1])
        if len(rest) < start + size + 2:
            return None
        body = start + int(parts[-2]) if parts[0] == b"HMSG" else start
        self.heard[parts[2]](parts[1], rest[body : start + size])
        return start + size + 2

    def _control(self, line: bytes) -> None:
        if line == b"PING":
            self.write(b"PONG\r\n")
        elif line == b"PONG":
            self._pong.set()
        elif line.startswith(b"INFO"):
            self._ready.set()
        elif line.startswith(b"-ERR"):
            self._refuse(line.decode("utf-8", "replace"))

    def _acknowledged(self, _subject: bytes, payload: bytes) -> None:
        self.open -= 1
        if not payload or b'"error"' in payload:
            self._refuse(payload.decode("utf-8", "replace") or "nobody stores this subject")
        if self.open <= WINDOW - CHUNK:
            self._room.set()

    def _refuse(self, why: str) -> None:
        self._refused = self._refused or why
        for waiting in (self._room, self._pong, self._ready):
            waiting.set()

    def check(self) -> None:
        """Raises PublishFailed with the broker's words if it refused anything."""
        if self._refused is not None:
            raise PublishFailed(self._refused)

    def write(self, data: bytes) -> None:
        """Write bytes of the protocol."""
        assert self._transport is not None
        self._transport.write(data)

    async def ready(self, user: str, password: str) -> None:
        """Say who we are, and listen for acknowledgements."""
        await self._ready.wait()
        said = {"user": user, "pass": password, "verbose": False, "headers": True, "no_responders": True}
        self.write(f"CONNECT {json.dumps(said)}\r\nSUB {self.inbox} 1\r\n".encode())
        await self.flush()

    async def subscribe(self, subject: str, heard: Heard) -> bytes:
        """Call ``heard`` for each message; returns what :meth:`unsubscribe` needs."""
        sid = b"%d" % (len(self.heard) + 1)
        self.heard[sid] = heard
        self.write(b"SUB %s %s\r\n" % (subject.encode(), sid))
        await self.flush()
        return sid

    async def unsubscribe(self, sid: bytes) -> None:
        """Hear no more of it."""
        self.write(b"UNSUB %s\r\n" % sid)
        await self.flush()

    async def flush(self) -> None:
        """Wait until the server has read everything."""
        self._pong.clear()
        self.write(b"PING\r\n")
        await asyncio.wait_for(self._pong.wait(), 10)
        self.check()

    def frame(self, subject: str, headers: bytes, body: bytes) -> bytes:
        """A message as bytes of the protocol: ``headers`` are lines with their ends."""
        head = b"NATS/1.0\r\n%s\r\n" % headers
        sizes = (len(head), len(head) + len(body))
        return b"HPUB %s %s %d %d\r\n%s%s\r\n" % (subject.encode(), self.inbox.encode(), *sizes, head, body)

    async def publish(self, frames: Iterable[bytes]) -> None:
        """Publish as fast as the window allows, and wait for every PubAck.

        Raises:
            PublishFailed: the broker refused one.
            TimeoutError: no acknowledgement for a minute.
        """
        waiting = iter(frames)
        while chunk := list(islice(waiting, CHUNK)):
            while self.open > WINDOW - CHUNK:
                await self._wait_for_room()
            self.open += len(chunk)
            self.write(b"".join(chunk))
            await asyncio.sleep(0)
        await self._settled()

    async def publish_at(self, frames: Sequence[bytes], per_second: float) -> tuple[list[float], float]:
        """Publish at a steady rate, once a millisecond; one that was late catches up.

        Returns:
            When each was due, by :func:`time.perf_counter`: what the publisher is late counts as latency. And how
            many a second were published in truth.
        """
        begun = last = perf_counter()
        sent = 0
        while sent < len(frames):
            due = min(int((perf_counter() - begun) * per_second) + 1, len(frames))
            if due > sent:
                self.open += due - sent
                self.write(b"".join(frames[sent:due]))
                sent, last = due, perf_counter()
            await asyncio.sleep(TICK_SECONDS)
        await self._settled()
        return [begun + number / per_second for number in range(len(frames))], len(frames) / (last - begun)

    async def _settled(self) -> None:
        while self.open:
            await self._wait_for_room()
        self.check()

    async def _wait_for_room(self) -> None:
        self.check()
        self._room.clear()
        await asyncio.wait_for(self._room.wait(), ACKNOWLEDGED_SECONDS)
        self.check()

    def close(self) -> None:
        """End the connection."""
        assert self._transport is not None
        self._transport.close()


@asynccontextmanager
async def connect(port: int, user: str, password: str) -> AsyncIterator[Wire]:
    """A connection to a nats-server on loopback, for the length of the block."""
    _, wire = await asyncio.get_running_loop().create_connection(Wire, "127.0.0.1", port)
    try:
        await asyncio.wait_for(wire.ready(user, password), 10)
        yield wire
    finally:
        wire.close()
