"""Bodies that are read piece by piece, so that nobody fills the memory."""

from typing import Any

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


def media_type(request: Request) -> tuple[str, str]:
    """Type and charset of the body; the charset is empty where none is declared."""
    kind, *parameters = request.headers.get("content-type", "").lower().split(";")
    declared = [said.strip().removeprefix("charset=") for said in parameters if said.strip().startswith("charset=")]
    return kind.strip(), (declared[0].strip('"') if declared else "")


def offers(*types: str) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of a route that answers with a file."""
    return {200: {"description": "The file", "content": {type: {} for type in types}}}
