"""What all contracts share: strict in what is said, deaf to unknown fields in what is heard."""

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints
from pydantic.json_schema import WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

TYPE_PREFIX = "de.oker."
"""Stands before the name of an event in the CloudEvents attribute ``type``."""


class Part(BaseModel):
    """A piece of an event: frozen, strict, without infinities; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True)


class Contract(Part):
    """The data of one event in one version.

    ``TYPE`` is the name used everywhere (subject, CloudEvents type, schema, samples, catalog).
    ``KEY`` names the fields whose values follow the name in the subject of a fact; messages of
    one key keep their order.
    """

    TYPE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]] = ()

    @property
    def subject(self) -> str:
        """The NATS subject of this fact: its name, then the values of its key."""
        return ".".join([self.TYPE, *(str(getattr(self, field)) for field in self.KEY)])


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""A name that may stand in a subject: lower case letters, digits and hyphens, 63 at most."""

DeviceId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_:-]{0,63}$")]
"""A company's own id of a device; a LoRaWAN device is named by its DevEUI in lower case hexadecimal."""

PropertyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""The short name of an observed property of one device, for example ``temperature_1``."""

Unit = Annotated[str, StringConstraints(min_length=1, max_length=32, pattern=r"^[!-~]+$")]
"""A unit in UCUM notation (case sensitive), for example ``Cel``, ``kW.h`` or ``{visitors}``."""

Title = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=300, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
    ),
]
"""One line of text: no control characters, no line breaks; it may become the subject of a mail."""

Text = Annotated[str, StringConstraints(max_length=10_000, pattern=r"^[^\x00]*$")]
"""Text of several lines; NUL is not allowed, since no database column holds it."""

HolderId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""A role holder. Persons appear in events by this id only; who it is stands in one erasable place."""

_RFC3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")


def parse_instant(said: str) -> datetime:
    """Read a time with offset (RFC 3339); digits after the microseconds are cut off.

    Raises:
        ValueError: for all else, and for the years 1 and 9999, which some offsets push out of the calendar.
    """
    upper = said.upper()
    if not _RFC3339.fullmatch(upper):
        raise ValueError("Not a time with offset (RFC 3339), for example 2026-01-31T12:00:00+01:00.")
    moment = datetime.fromisoformat(upper)
    if not 1 < moment.year < 9999:
        raise ValueError("The year is out of range.")
    return moment


def _instant(said: str) -> datetime:
    try:
        return parse_instant(said)
    except ValueError as error:
        raise PydanticCustomError("instant_invalid", "{why}", {"why": str(error)}) from None


class _Rfc3339:
    """JSON must say RFC 3339, where Pydantic alone takes Unix times and other spellings as well."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        steps: list[CoreSchema] = [
            core_schema.str_schema(strict=True),
            core_schema.no_info_plain_validator_function(_instant),
        ]
        return core_schema.json_or_python_schema(
            json_schema=core_schema.chain_schema(steps), python_schema=handler.generate_schema(AwareDatetime)
        )


Instant = Annotated[datetime, _Rfc3339(), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A moment with its offset from UTC (RFC 3339)."""

Result = Annotated[float, Field(ge=-1e15, le=1e15)]
"""A measured number, in the unit that stands beside it."""

Rational = Annotated[str, StringConstraints(pattern=r"^-?[0-9]+(/[1-9][0-9]*)?$")]
"""An exact number as text: ``7`` or ``22/7``."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
