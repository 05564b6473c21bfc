"""One canonical text for JSON values, and its fingerprint (RFC 8785)."""

import json
from hashlib import sha256
from typing import Any

import rfc8785

from oker_decision.reading import SAFE, Invalid

MOST_LEVELS = 50
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(value: Any) -> bytes:
    """The one text of a JSON value: sorted keys, no spaces, numbers as in ECMAScript, UTF-8.

    Raises:
        Invalid: naming the first place that has no canonical form: a number that is too large, NaN, half a character.
    """
    try:
        return ENCODER.encode(value).encode() if _plain(value, MOST_LEVELS) else rfc8785.dumps(value)
    except RecursionError as fault:
        raise Invalid("$", "This is nested too deeply.") from fault
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as fault:
        raise Invalid(_place(value, "$"), "This has no canonical form (RFC 8785); write it as text.") from fault


def _plain(value: Any, levels: int) -> bool:
    """Whether the encoder of the standard library writes the canonical text: names in ASCII, whole and safe numbers."""
    kind = type(value)
    if kind is int:
        return bool(-SAFE <= value <= SAFE)
    if kind is str or kind is bool or value is None:
        return True
    if not levels:
        return False
    if kind is dict:
        if not all(type(key) is str and key.isascii() for key in value):
            return False
        return all(_plain(part, levels - 1) for part in value.values())
    return (kind is list or kind is tuple) and all(_plain(part, levels - 1) for part in value)


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
