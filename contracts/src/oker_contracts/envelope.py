"""CloudEvents 1.0 over NATS and HTTP: binary mode is spoken, structured mode is read as well.

Sources: CloudEvents specification 1.0.2, its NATS and HTTP protocol bindings and its JSON format.
"""

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote, unquote_to_bytes
from uuid import UUID, SafeUUID

from oker_contracts.base import Contract, parse_instant
from oker_contracts.reasons import Reason, Refused

STRUCTURED = "application/cloudevents+json"
MAX_ATTRIBUTE = 512
KNOWN = ("id", "source", "type", "specversion", "time", "subject", "datacontenttype")
CORRELATION = ("correlationid", "causationid", "traceparent")
READ = (*KNOWN, *CORRELATION)
REQUIRED = ("specversion", "id", "source", "type")
PLAIN = tuple(f"ce-{name}" for name in ("id", "source", "type", "time", "subject", *CORRELATION))
USUAL = frozenset({*PLAIN, "ce-specversion", "content-type"})
T = TypeVar("T")
T_co = TypeVar("T_co", bound=Contract, covariant=True)
_SPACE = re.compile(r"[ \t\r\n]*")
_PLAIN = re.compile(r"[!#$&-~]*")
"""Printable ASCII that stands for itself: no space, no double quote, no percent."""
_FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
"""Control characters, surrogates and noncharacters (CloudEvents, type String)."""


class Envelope(NamedTuple):
    """The attributes of a CloudEvent and its data as bytes, unread.

    A named tuple, as tens of thousands a second are made: a frozen dataclass takes four times as long.
    """

    id: str
    source: str
    type: str
    time: datetime | None
    data: bytes
    subject: str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None

    def headers(self) -> dict[str, str]:
        """The attributes as headers of the binary mode, percent-encoded as the bindings ask."""
        attributes = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": self.time.isoformat() if self.time else None,
            "subject": self.subject,
            **{name: getattr(self, name) for name in CORRELATION},
        }
        encoded = {f"ce-{name}": _percent(value) for name, value in attributes.items() if value is not None}
        return {**encoded, "content-type": "application/json"}


class Event(NamedTuple, Generic[T_co]):
    """One event, read: the envelope, who spoke, and the validated data."""

    id: str
    source: str
    type: str
    time: datetime
    data: T_co
    partner: str | None = None
    """The company, taken from the credential; ``None`` for facts of the platform."""
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None

    @property
    def key(self) -> UUID:
        """The identity of the event as 16 bytes, see :func:`event_key`."""
        return event_key(self.partner, self.source, self.id)


def event_key(partner: str | None, source: str, id: str) -> UUID:
    """The identity of an event: a hash of who spoke, ``source`` and ``id``.

    CloudEvents makes (source, id) unique; the company in front keeps one from hiding another's events.
    """
    said = "\x00".join((partner or "", source, id)).encode("utf-8", "surrogatepass")
    key = UUID.__new__(UUID)  # its constructor looks for six other ways to say one, which takes as long as the hash
    object.__setattr__(key, "int", int.from_bytes(blake2b(said, digest_size=16).digest(), "big"))
    object.__setattr__(key, "is_safe", SafeUUID.unknown)
    return key


def read_envelope(headers: Mapping[str, str] | None, body: bytes) -> Envelope:
    """Read binary or structured mode from headers (any case) and a body.

    Raises:
        Refused: with the name of the header, or the JSON path, that is wrong.
    """
    return _plain(headers or {}, body) or _any(headers or {}, body)


def _any(headers: Mapping[str, str], body: bytes) -> Envelope:
    lower = {name.lower(): value for name, value in headers.items()}
    content_type = _media_type(lower.get("content-type", "application/json"))
    if content_type == STRUCTURED:
        return _structured(body)
    if not _is_json(content_type):
        detail = f"{content_type[:80]} is not read here."
        raise Refused(Reason.CONTENT_TYPE_UNSUPPORTED, "content-type", detail)
    attributes = {name[3:]: _decoded(value, name) for name, value in lower.items() if name.startswith("ce-")}
    return _envelope(attributes, body, "ce-")


def _plain(headers: Mapping[str, str], body: bytes) -> Envelope | None:
    """The usual message: binary mode, nothing encoded, nothing wrong. ``None``: look closely, which takes longer."""
    get = headers.get
    if not _are_usual(tuple(headers)):
        return None
    if get("ce-specversion") != "1.0" or get("content-type", "application/json") != "application/json":
        return None
    attributes = [get(name) for name in PLAIN]
    said = "".join(filter(None, attributes))
    id, source, type, time, subject, *correlation = attributes
    if not (id and source and type) or "" in attributes or len(said) > MAX_ATTRIBUTE or not _PLAIN.fullmatch(said):
        return None
    return Envelope(id, source, type, _time(time, "ce-time") if time else None, body, subject, *correlation)


@lru_cache(maxsize=1_000)
def _are_usual(names: tuple[str, ...]) -> bool:
    """Whether the names that matter here are known, in lower case: the same few combinations come again and again."""
    said = [name for name in names if name.lower().startswith(("ce-", "content-type"))]
    return all(name in USUAL for name in said)


def _media_type(said: str) -> str:
    return said.split(";")[0].strip().lower()


def _is_json(media_type: str) -> bool:
    """Whether data of this type is read here; other formats and batches of CloudEvents are not."""
    suffixed = media_type.endswith("+json") and not media_type.startswith("application/cloudevents")
    return media_type == "application/json" or suffixed


def read_json(body: bytes) -> Any:
    """Parse JSON with its limits.

    Raises:
        Refused: ``body_empty``, ``encoding_invalid``, ``json_too_deep``, ``json_broken``, or
            ``number_out_of_range`` for a whole number of thousands of digits.
    """
    return _parse(body, _DECODER.decode)


def _parse(body: bytes, parser: Callable[[str], T]) -> T:
    if not body.strip():
        raise Refused(Reason.BODY_EMPTY)
    try:
        return parser(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Refused(Reason.ENCODING_INVALID, "$", f"Byte {error.start} is not UTF-8.") from None
    except RecursionError:
        raise Refused(Reason.JSON_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise Refused(Reason.JSON_BROKEN, "$", f"{error.msg} at character {error.pos}.") from None
    except ValueError:  # what is left: a whole number of more digits than Python reads
        raise Refused(Reason.NUMBER_OUT_OF_RANGE, "$", "A number has too many digits.") from None


def _no_constant(name: str) -> None:
    raise Refused(Reason.JSON_BROKEN, "$", f"{name} is not JSON.")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _structured(body: bytes) -> Envelope:
    said, written = _parse(body, _members)
    envelope = _envelope({name: value for name, value in said.items() if name in READ}, b"", "$.")
    _check_extensions(said)
    content_type = said.get("datacontenttype") or "application/json"
    if not _is_json(_media_type(content_type)):
        raise Refused(Reason.CONTENT_TYPE_UNSUPPORTED, "$.datacontenttype", "Only JSON data is read here.")
    if "data" in said and "data_base64" in said:
        raise Refused(Reason.ATTRIBUTE_INVALID, "$.data_base64", "Send data or data_base64, not both.")
    if "data_base64" in said:
        return envelope._replace(data=_base64(said["data_base64"]))
    return envelope._replace(data=written.get("data", "").encode())


def _members(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    """An object's members as values, and as they were written: data keeps its digits and its errors."""
    said = _DECODER.decode(text)
    if not isinstance(said, dict):
        raise Refused(Reason.FIELD_TYPE_WRONG, "$", "A structured CloudEvent is a JSON object.")
    written: dict[str, str] = {}
    at = _past_space(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        start = _past_space(text, _past_space(text, at) + len(":"))
        _, end = _DECODER.raw_decode(text, start)
        written[name] = text[start:end]
        at = _past_space(text, end)
        if text[at] == ",":
            at = _past_space(text, at + 1)
    return said, written


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _check_extensions(said: Mapping[str, object]) -> None:
    """Attributes that are not read are still text, a truth value or a 32-bit number (CloudEvents, types)."""
    for name, value in said.items():
        if name not in ("data", "data_base64") and not _may_be_attribute(value):
            path = f"$.{name}" if name.isalnum() and name.isascii() else "$"
            raise Refused(Reason.ATTRIBUTE_INVALID, path[:80], "Not a type that CloudEvents attributes have.")


def _may_be_attribute(value: object) -> bool:
    if isinstance(value, int):
        return -(2**31) <= value < 2**31
    return value is None or isinstance(value, str)


def _base64(said: object) -> bytes:
    try:
        return b64decode(said if isinstance(said, str) else b"\xff", validate=True)
    except (Base64Error, ValueError):
        raise Refused(Reason.FIELD_VALUE_INVALID, "$.data_base64", "Not Base64 (RFC 4648).") from None


def _envelope(attributes: Mapping[str, object], data: bytes, path: str) -> Envelope:
    for name in REQUIRED:
        if attributes.get(name) in (None, ""):
            raise Refused(Reason.ATTRIBUTE_MISSING, f"{path}{name}", f"The attribute {name} is required.")
    if attributes["specversion"] != "1.0":
        raise Refused(Reason.SPECVERSION_UNSUPPORTED, f"{path}specversion")
    said = {name: _text(attributes[name], path + name) for name in READ if attributes.get(name) is not None}
    return Envelope(
        id=said["id"],
        source=said["source"],
        type=said["type"],
        time=_time(said["time"], f"{path}time") if "time" in said else None,
        data=data,
        subject=said.get("subject"),
        **{name: said.get(name) or None for name in CORRELATION},
    )


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise Refused(Reason.ATTRIBUTE_INVALID, path, "A CloudEvents attribute is a string.")
    if not value and not path.endswith(CORRELATION):
        raise Refused(Reason.ATTRIBUTE_INVALID, path, "The attribute is empty; leave it out.")
    if len(value) > MAX_ATTRIBUTE:
        raise Refused(Reason.ATTRIBUTE_INVALID, path, f"An attribute has {MAX_ATTRIBUTE} characters at most.")
    if _FORBIDDEN.search(value):
        raise Refused(Reason.ATTRIBUTE_INVALID, path, "Control characters, surrogates and noncharacters.")
    return value


def _time(value: str, path: str) -> datetime:
    try:
        return parse_instant(value)
    except ValueError:
        raise Refused(Reason.ATTRIBUTE_INVALID, path, "Not a time with offset (RFC 3339).") from None


def _percent(value: str) -> str:
    """Encode what the bindings ask: space, double quote, percent, and all outside of printable ASCII."""
    return quote(value, safe="!#$&'()*+,/:;<=>?@[\\]^_`{|}~-.")


def _decoded(value: str, name: str) -> str:
    """Undo quotes (RFC 7230, 3.2.6), then percent-encoding; bytes that are not UTF-8 must be refused.

    Two ids that differ in such bytes only would become one, and the second event would pass for a duplicate.
    """
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    if not value.isascii():
        raise Refused(Reason.ATTRIBUTE_INVALID, name, "Percent-encode what is not printable ASCII.")
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(Reason.ATTRIBUTE_INVALID, name, "The percent-encoded bytes are not UTF-8.") from None
