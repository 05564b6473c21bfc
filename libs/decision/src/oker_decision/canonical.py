"""One canonical text for JSON values, and its fingerprint (RFC 8785)."""

from hashlib import sha256
from typing import Any

import rfc8785

from oker_decision.reading import Invalid


def canonical(value: Any) -> bytes:
    """The one text of a JSON value: sorted keys, no spaces, numbers as in ECMAScript, UTF-8.

    Raises:
        Invalid: naming the first place that has no canonical form: a number that is too large, NaN, half a character.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as fault:
        raise Invalid(_place(value, "$"), "This has no canonical form (RFC 8785); write it as text.") from fault


def digest(value: Any) -> str:
    """SHA-256 of the canonical text, as hexadecimal digits."""
    return sha256(canonical(value)).hexdigest()


def _place(value: Any, path: str) -> str:
    """The path of the deepest part that fails."""
    parts: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        parts = [(f"{path}.{key}", part) for key, part in value.items() if isinstance(key, str)]
    elif isinstance(value, list | tuple):
        parts = [(f"{path}[{index}]", part) for index, part in enumerate(value)]
    for place, part in parts:
        try:
            rfc8785.dumps(part)
        except (rfc8785.CanonicalizationError, UnicodeEncodeError):
            return _place(part, place)
    return path
