"""A device profile: which codec reads a family of devices, what it yields, and the vectors that prove it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

Codec = Literal["none", "cayenne_lpp", "javascript", "senml", "json", "object"]
TimeFormat = Literal["rfc3339", "unix_s", "unix_ms"]


@dataclass(frozen=True, slots=True)
class Decoded:
    """One number from a message: its property and unit (UCUM); no unit means the datastream's own."""

    property: str
    value: float
    unit: str | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """Where a number stands in the decoded data (see :mod:`sensor_ingest.codecs.paths`), and what it is."""

    path: str
    property: str
    unit: str
    """The unit (UCUM) after multiplication with ``factor``."""
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Vector:
    """A test: these bytes (hexadecimal), or this body, must yield this data, or these errors.

    For ``javascript`` and ``object``, ``data`` is the decoded data; for all other codecs it is
    ``{property: value}``, with a list of values for a property that comes several times.
    """

    f_port: int = 1
    bytes: str = ""
    body: str = ""
    data: Mapping[str, Any] | None = None
    errors: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """One version of a profile; it never changes."""

    name: str
    version: int
    codec: Codec
    script: str = ""
    """TS013 JavaScript, for codec ``javascript``."""
    measurements: tuple[Measurement, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    """Given to the codec as ``input.variables``."""
    vectors: tuple[Vector, ...] = ()
    time_path: str | None = None
    """For codec ``json``: where the time stands; left out, the time of arrival counts."""
    time_format: TimeFormat = "rfc3339"
    title: str = ""
    owner: str = ""
    """The company that declared it; empty for those shipped with the service, whose scripts are trusted."""
    key: str = field(init=False, compare=False)
    """Differs where owner, name, version, script or variables differ: nothing else shares a JavaScript context."""

    def __post_init__(self) -> None:
        said = json.dumps([self.owner, self.name, self.version, self.script, sorted(self.variables.items())])
        object.__setattr__(self, "key", sha256(said.encode("utf-8", "surrogatepass")).hexdigest())

    @property
    def id(self) -> str:
        """``name@version``, as logs and messages to people name it."""
        return f"{self.name}@{self.version}"
