"""Reading streams without a consumer: nothing is changed, nobody is disturbed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from oker_contracts import catalog

CHUNK = 500
AT_ONCE = 8
"""Parts of streams that are read at the same time; each message is one round trip."""


async def stored_messages(
    js: JetStreamContext, stream: str, *, subject: str = ">", first: int = 1, last: int | None = None
) -> AsyncIterator[Any]:
    """The messages of a stream on a subject, in order, from one sequence to another."""
    sequence = first
    while last is None or sequence <= last:
        try:
            msg = await js.get_msg(stream, seq=sequence, subject=subject, next=True)
        except NotFoundError:
            return
        if last is not None and int(msg.seq or 0) > last:
            return
        yield msg
        sequence = int(msg.seq or 0) + 1


async def all_messages(js: JetStreamContext) -> AsyncIterator[tuple[str, Any]]:
    """Stream and message: all that companies said and services announced up to now, in no particular order."""
    parts = [part async for part in _parts(js)]
    limit = asyncio.Semaphore(AT_ONCE)

    async def read(stream: str, first: int, last: int) -> list[tuple[str, Any]]:
        async with limit:
            return [(stream, msg) async for msg in stored_messages(js, stream, first=first, last=last)]

    for reading in asyncio.as_completed([read(*part) for part in parts]):
        for found in await reading:
            yield found


async def _parts(js: JetStreamContext) -> AsyncIterator[tuple[str, int, int]]:
    """Stream, first and last sequence of each part of each stream of the platform."""
    offset = 0
    while page := await js.streams_info(offset):
        offset += len(page)
        for info in page:
            name = str(info.config.name)
            if name.startswith("IN_") or name in catalog().streams:
                for first in range(max(info.state.first_seq, 1), info.state.last_seq + 1, CHUNK):
                    yield name, first, min(first + CHUNK - 1, info.state.last_seq)
