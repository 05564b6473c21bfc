"""A device profile is known to the platform (fact)."""

from typing import ClassVar

from oker_contracts.base import Contract, Slug
from oker_contracts.sensor.profile_declared_v1 import ProfileDeclaredV1


class ProfileRegisteredV1(Contract):
    """One version of a profile of one company; it has passed its own test vectors."""

    TYPE: ClassVar[str] = "sensor.profile_registered.v1"
    KEY: ClassVar[tuple[str, ...]] = ("partner",)

    partner: Slug
    declared: ProfileDeclaredV1
