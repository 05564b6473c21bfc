"""CloudEvents 1.0 over NATS and HTTP: binary mode is spoken, structured mode is read as well.

Sources: CloudEvents specification 1.0.2, its NATS and HTTP protocol bindings and its JSON format.
"""

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Generic, TypeVar
from urllib.parse import quote, unquote
from uuid import UUID

from oker_contracts.base import Contract
from oker_contracts.reasons import Reason, Refused

STRUCTURED = "application/cloudevents+json"
MAX_ATTRIBUTE = 512
KNOWN = ("id", "source", "type", "specversion", "time", "subject", "datacontenttype")
CORRELATION = ("correlationid", "causationid", "traceparent")
T_co = TypeVar("T_co", bound=Contract, covariant=True)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The attributes of a CloudEvent and its data as bytes, unread."""

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


@dataclass(frozen=True, slots=True)
class Event(Generic[T_co]):
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

    CloudEvents makes (source, id) unique; the company in front keeps one company from hiding another's events.
    """
    said = "\x00".join((partner or "", source, id)).encode("utf-8", "surrogatepass")
    return UUID(bytes=blake2b(said, digest_size=16).digest())


def read_envelope(headers: Mapping[str, str] | None, body: bytes) -> Envelope:
    """Read binary or structured mode from headers (any case) and a body.

    Raises:
        Refused: with the name of the header, or the JSON path, that is wrong.
    """
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    content_type = lower.get("content-type", "application/json").split(";")[0].strip().lower()
    if content_type == STRUCTURED:
        return _structured(body)
    if content_type != "application/json" and not content_type.endswith("+json"):
        raise Refused(Reason.CONTENT_TYPE_UNSUPPORTED, "content-type", f"{content_type[:80]} is not read here.")
    attributes = {name[3:]: unquote(value) for name, value in lower.items() if name.startswith("ce-")}
    return _envelope(attributes, body, "ce-")


def read_json(body: bytes) -> Any:
    """Parse JSON with its limits.

    Raises:
        Refused: ``body_empty``, ``encoding_invalid``, ``json_too_deep``, ``json_broken``.
    """
    if not body.strip():
        raise Refused(Reason.BODY_EMPTY)
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Refused(Reason.ENCODING_INVALID, "$", f"Byte {error.start} is not UTF-8.") from None
    except RecursionError:
        raise Refused(Reason.JSON_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise Refused(Reason.JSON_BROKEN, "$", f"{error.msg} at byte {error.pos}.") from None
    except ValueError as error:
        raise Refused(Reason.JSON_BROKEN, "$", str(error)[:200]) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _structured(body: bytes) -> Envelope:
    said = read_json(body)
    if not isinstance(said, dict):
        raise Refused(Reason.FIELD_TYPE_WRONG, "$", "A structured CloudEvent is a JSON object.")
    if "data_base64" in said:
        data = _base64(said["data_base64"])
    elif "data" in said:
        data = json.dumps(said["data"], ensure_ascii=True).encode()
    else:
        data = b""
    attributes = {name: value for name, value in said.items() if name not in ("data", "data_base64")}
    return _envelope(attributes, data, "$.")


def _base64(said: object) -> bytes:
    try:
        return b64decode(said if isinstance(said, str) else b"\xff", validate=True)
    except (Base64Error, ValueError):
        raise Refused(Reason.FIELD_VALUE_INVALID, "$.data_base64", "Not Base64 (RFC 4648).") from None


def _envelope(attributes: Mapping[str, object], data: bytes, path: str) -> Envelope:
    if attributes.get("specversion", "1.0") != "1.0":
        raise Refused(Reason.SPECVERSION_UNSUPPORTED, f"{path}specversion")
    for name in ("specversion", "id", "source", "type"):
        if not attributes.get(name):
            raise Refused(Reason.ATTRIBUTE_MISSING, f"{path}{name}", f"The attribute {name} is required.")
    said = {name: _text(attributes[name], path + name) for name in (*KNOWN, *CORRELATION) if attributes.get(name)}
    return Envelope(
        id=said["id"],
        source=said["source"],
        type=said["type"],
        time=_time(said["time"], f"{path}time") if "time" in said else None,
        data=data,
        subject=said.get("subject"),
        **{name: said.get(name) for name in CORRELATION},
    )


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise Refused(Reason.ATTRIBUTE_INVALID, path, "A CloudEvents attribute is a string.")
    if len(value) > MAX_ATTRIBUTE:
        raise Refused(Reason.ATTRIBUTE_INVALID, path, f"An attribute has {MAX_ATTRIBUTE} characters at most.")
    if any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F or 0xD800 <= ord(c) <= 0xDFFF for c in value):
        raise Refused(Reason.ATTRIBUTE_INVALID, path, "Control characters and surrogates are not allowed.")
    return value


def _time(value: str, path: str) -> datetime:
    try:
        if not _RFC3339.fullmatch(value):
            raise ValueError(value)
        return datetime.fromisoformat(value.upper())
    except ValueError:
        raise Refused(Reason.ATTRIBUTE_INVALID, path, "Not a time with offset (RFC 3339).") from None


def _percent(value: str) -> str:
    """Encode what the bindings ask: space, double quote, percent, and all outside of printable ASCII."""
    return quote(value, safe="!#$&'()*+,/:;<=>?@[\\]^_`{|}~-.")
