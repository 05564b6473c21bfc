"""What all contracts share: strict in what is said, deaf to unknown fields in what is heard."""

from typing import Annotated, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

TYPE_PREFIX = "de.oker."
"""Stands before the name of an event in the CloudEvents attribute ``type``."""


class Part(BaseModel):
    """A piece of an event: frozen, strict, without infinities; unknown fields are ignored."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True
    )


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

Title = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
HolderId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""A role holder. Persons appear in events by this id only; who it is stands in one erasable place."""

Instant = AwareDatetime
"""A moment with its offset from UTC (RFC 3339)."""

Result = Annotated[float, Field(ge=-1e15, le=1e15)]
"""A measured number, in the unit that stands beside it."""

Rational = Annotated[str, StringConstraints(pattern=r"^-?\d+(/[1-9]\d*)?$")]
"""An exact number as text: ``7`` or ``22/7``."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
