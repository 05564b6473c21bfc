"""Bodies of requests that are read piece by piece, so that nobody fills the memory."""

from fastapi import Request

from oker_contracts import Reason, Refused


async def read_body(request: Request, most: int, what: str) -> bytes:
    """Read the body, but never more than the limit.

    Raises:
        Refused: ``body_too_large``; ``what`` is its subject.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Refused(Reason.BODY_TOO_LARGE, "$", f"{what} has {most} bytes at most.")
    return bytes(body)
