"""A connection that hostile bytes do not deafen, and a way around nats-py's queues for those who hear a lot.

A company may publish on a subject that is not UTF-8, or with a header block that is none; nats-server takes both. In
nats-py 2.16 either ends the reading loop of whoever is delivered such a message: it stays connected and hears nothing
any more. So both are read as well as they can be, and the edge puts the message into quarantine.

nats-py spends more on a message than the lane of claims on all the rest: a queue and a task a subscription, an object
a message, headers parsed sign by sign, a call of six functions to acknowledge. :meth:`Connection.tap` hands the bytes
over as they come, :meth:`Connection.send` writes many small messages at once (docs/adr/0011).
"""

from collections.abc import Callable, Iterable
from typing import Any

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import ConnectionClosedError, ConnectionDrainingError

log = structlog.get_logger()
Take = Callable[[bytes, bytes, bytes, bytes], None]
"""Called with subject, reply, data and the header block of a message."""


class Connection(Client):  # type: ignore[misc]
    """nats-py, reading whatever the server delivers."""

    def __init__(self) -> None:
        super().__init__()
        self._taps: dict[int, Take] = {}

    async def tap(self, subject: str, take: Take) -> Subscription:
        """Subscribe; messages go to ``take`` at once, which must return soon and raise nothing."""
        subscription = await self.subscribe(subject, cb=_nothing)
        self._taps[subscription._id] = take
        return subscription

    async def send(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Publish small messages without headers, given by subject and data.

        Raises:
            ConnectionClosedError: nothing was sent; likewise ConnectionDrainingError.
        """
        if self.is_closed:
            raise ConnectionClosedError
        if self.is_draining_pubs:
            raise ConnectionDrainingError
        said = b"".join(b"PUB %b %d\r\n%b\r\n" % (to.encode(), len(data), data) for to, data in messages)
        if said:
            await self._send_command(said)
            await self._flush_pending()

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        take = self._taps.get(sid)
        if take is None:
            await super()._process_msg(sid, subject, reply, data, headers)
        else:
            self.stats["in_msgs"] += 1
            self.stats["in_bytes"] += len(data)
            try:
                take(subject, reply, data, headers or b"")
            except Exception as error:  # it would end the loop that reads; not taken is delivered again
                log.exception("message.not_taken", error=type(error).__name__)

    async def _process_headers(self, headers: Any) -> Any:
        try:
            return await super()._process_headers(headers)
        except (IndexError, UnicodeDecodeError):
            return None

    def _build_message(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: Any) -> Any:
        said = bytes(subject).decode("utf-8", "backslashreplace").encode()
        return super()._build_message(sid, said, reply, data, headers)


async def _nothing(_: Msg) -> None:
    """What comes goes to the tap."""


def read_headers(block: bytes) -> dict[str, str]:
    """Names and values of a header block (NATS/1.0); lines that are no header are passed over, as nats-py does."""
    said = block.decode("utf-8", "replace")
    lines = said.split("\r\n")
    usual = said.isascii() and said.count(" ") == said.count(": ") == len(lines) - 3
    if usual and "".join(lines).isprintable():
        return dict([line.split(": ", 1) for line in lines[1:-2]])
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip()] = value.strip()
    return {name: value for name, value in headers.items() if name.isascii() and not any(map(str.isspace, name))}


async def connect(options: dict[str, Any]) -> Connection:
    """Connect with the options of :func:`nats.connect`."""
    connection = Connection()
    servers = options["servers"]
    await connection.connect(servers, **{name: value for name, value in options.items() if name != "servers"})
    return connection
