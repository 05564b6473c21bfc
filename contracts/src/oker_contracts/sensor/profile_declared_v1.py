"""A company declares a device profile: the codec of a family of devices, and what it yields (claim)."""

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints

from oker_contracts.base import Contract, Part, PropertyName, Result, Slug, Text, Title, Unit

Codec = Literal["none", "cayenne_lpp", "javascript", "senml", "json", "object"]
"""``javascript`` is a TS013 codec, ``senml`` is RFC 8428, ``json`` reads plain JSON by ``measurements``, ``object``
reads what the network server has decoded."""
JsonPath = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,200}$")]
Hex = Annotated[str, StringConstraints(pattern=r"^([0-9A-Fa-f]{2}){0,512}$")]
Script = Annotated[str, StringConstraints(max_length=65_536, pattern=r"^[^\x00]*$")]
Value = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]


def _without_nul(said: dict[str, Any]) -> dict[str, Any]:
    """No database column holds NUL."""
    if r"\u0000" in json.dumps(said).replace(r"\\", ""):
        raise ValueError("NUL (\\u0000) is not allowed.")
    return said


Data = Annotated[dict[str, Any], AfterValidator(_without_nul)]


class Measurement(Part):
    """Where a number stands in the decoded data, and what it is."""

    path: JsonPath = Field(description="For example TempC_SHT, or sensors[0].value.")
    property: PropertyName
    unit: Unit = Field(description="The unit (UCUM) in which the codec yields it.")
    factor: Result = 1.0


class Vector(Part):
    """A test: these bytes must yield this data, or these errors."""

    f_port: Annotated[int, Field(ge=0, le=255)] = 1
    bytes: Hex = ""
    body: Script = Field(default="", description="For codecs that read text: the body of the message.")
    data: Data | None = None
    errors: list[Value] | None = None


class ProfileDeclaredV1(Contract):
    """A version of a profile never changes; a change is the next version."""

    TYPE: ClassVar[str] = "sensor.profile_declared.v1"

    profile: Slug
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    title: Title
    description: Text = ""
    codec: Codec
    script: Script = ""
    measurements: list[Measurement] = Field(default=[], max_length=64)
    time_path: JsonPath | None = Field(default=None, description="For json: where the time of the measurement stands.")
    time_format: Literal["rfc3339", "unix_s", "unix_ms"] = "rfc3339"
    variables: dict[Slug, Value] = Field(default={}, max_length=32)
    vectors: list[Vector] = Field(default=[], max_length=64)
