"""A kept uplink is to be decoded once more, by another version of its profile (claim, spoken by the platform)."""

from typing import Annotated, ClassVar

from pydantic import Base64Bytes, Field, StringConstraints

from oker_contracts.base import Contract, DeviceId, Instant, Slug


class UplinkRedecodedV1(Contract):
    """Its values are determined anew (``result_time``), so they win over what the older codec said."""

    TYPE: ClassVar[str] = "sensor.uplink_redecoded.v1"

    hardware: DeviceId
    uplink: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,300}$")] = Field(
        description="The identity of the uplink at its network server."
    )
    received_at: Instant = Field(description="When the network server heard it.")
    f_port: Annotated[int, Field(ge=0, le=255)]
    payload: Base64Bytes
    profile: Slug
    version: Annotated[int, Field(ge=1)]
    requested_at: Instant
