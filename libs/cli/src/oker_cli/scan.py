"""Reading streams without a consumer: nothing is changed, nobody is disturbed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from oker_contracts import catalog

AT_ONCE = 32
"""Messages that are asked for at the same time; each is one round trip."""


async def messages_on(js: JetStreamContext, stream: str, subject: str) -> AsyncIterator[Any]:
    """The messages of a stream on a subject, in order."""
    sequence = 1
    while True:
        try:
            msg = await js.get_msg(stream, seq=sequence, subject=subject, next=True)
        except NotFoundError:
            return
        yield msg
        sequence = int(msg.seq or 0) + 1


async def all_messages(js: JetStreamContext) -> AsyncIterator[tuple[str, Any]]:
    """Stream and message: all that companies said and services announced up to now."""
    async for stream, first, last in _streams(js):
        for start in range(first, last + 1, AT_ONCE):
            sequences = range(start, min(start + AT_ONCE, last + 1))
            for msg in await asyncio.gather(*(_message(js, stream, sequence) for sequence in sequences)):
                if msg is not None:
                    yield stream, msg


async def _message(js: JetStreamContext, stream: str, sequence: int) -> Any:
    """One message; ``None`` if the stream has forgotten it."""
    try:
        return await js.get_msg(stream, seq=sequence)
    except NotFoundError:
        return None


async def _streams(js: JetStreamContext) -> AsyncIterator[tuple[str, int, int]]:
    """Name, first and last sequence of each stream of the platform."""
    offset = 0
    while page := await js.streams_info(offset):
        offset += len(page)
        for info in page:
            name = str(info.config.name)
            if name.startswith("IN_") or name in catalog().streams:
                yield name, max(info.state.first_seq, 1), info.state.last_seq
