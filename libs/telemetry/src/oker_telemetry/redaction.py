"""Keep secrets and persons out of the logs: by the name of the field, and by the shape of the text."""

import re
from collections.abc import Mapping, Sequence, Set
from math import isfinite
from typing import Any

from structlog.typing import EventDict, WrappedLogger

HIDDEN = "[hidden]"
MAX_TEXT = 16_000
MAX_DEPTH = 6

WORDS = frozenset(
    [
        *("address", "addresses", "email", "emails", "mail", "recipient", "recipients"),
        *("authorization", "cookie", "credential", "credentials", "dsn", "jwt", "nkey", "seed", "signature"),
        *("passphrase", "passwd", "password", "passwords", "secret", "secrets", "token", "tokens"),
    ]
)
"""A field is hidden if its name is one of these words, or ends in one (``smtp_password``)."""
NAMES = ("api_key", "apikey", "database_url", "nats_url", "private_key")
"""A field is hidden if its name ends in one of these."""

_SHAPES = (
    ("://", re.compile(r"://[^/\s]{0,512}@"), f"://{HIDDEN}@"),
    ("eyJ", re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN),
    ("earer", re.compile(r"(bearer) +[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    ("=", re.compile(r"\b(password|passwd|secret|token|api_key)=[^\s&;,]+", re.IGNORECASE), rf"\1={HIDDEN}"),
    ("@", re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]+"), HIDDEN),
)
"""(what a text must hold to be searched, what is hidden, what stands there instead)"""


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: hides secrets, and leaves only what JSON can hold."""
    return {key: HIDDEN if is_secret(key) else clean(value, MAX_DEPTH) for key, value in event.items()}


def is_secret(key: str) -> bool:
    """Whether the name of a field says that its value is not for the logs."""
    name = key.lower().replace("-", "_")
    return name.rpartition("_")[2] in WORDS or name.endswith(NAMES)


def clean(value: Any, depth: int) -> Any:
    """The value without secrets; what is deeper than ``depth`` is left out."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return {str(key): HIDDEN if is_secret(str(key)) else clean(held, depth - 1) for key, held in value.items()}
    if isinstance(value, Sequence | Set) and not isinstance(value, str | bytes | bytearray):
        return [clean(held, depth - 1) for held in value]
    return hide(str(value))


def hide(text: str) -> str:
    """The text without passwords, tokens and mail addresses; the middle of a very long one is cut out."""
    if len(text) > MAX_TEXT:
        text = f"{text[: MAX_TEXT // 2]} … {text[-MAX_TEXT // 2 :]}"
    for hint, shape, instead in _SHAPES:
        if hint in text:
            text = shape.sub(instead, text)
    return text
