"""What a body is said to be, and what an answer is."""

from typing import Any

from fastapi import Request


def media_type(request: Request) -> tuple[str, str]:
    """Type and charset of the body; the charset is empty where none is declared."""
    kind, *parameters = request.headers.get("content-type", "").lower().split(";")
    declared = [said.strip().removeprefix("charset=") for said in parameters if said.strip().startswith("charset=")]
    return kind.strip(), (declared[0].strip('"') if declared else "")


def offers(*types: str) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of a route that answers with a file."""
    return {200: {"description": "The file", "content": {type: {} for type in types}}}
