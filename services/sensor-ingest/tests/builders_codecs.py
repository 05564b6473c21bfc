"""Builders of codecs and profiles, and what they are refused with."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from oker_contracts import Refused
from sensor_ingest.codecs import Measurement, Profile, decode_frame, decode_json

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def a_codec(script: str, owner: str, *names: str, variables: Mapping[str, str] | None = None) -> Profile:
    """A profile in JavaScript whose properties are called as in the data, without units."""
    measurements = tuple(Measurement(name, name, "1") for name in names)
    return Profile("a-codec", 1, "javascript", script, measurements, variables or {}, owner=owner)


def refusal(
    profile: Profile,
    payload: bytes = b"\x01\x02",
    f_port: int = 2,
    network_object: Any = None,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[str, str, str]:
    """Reason, path and sentence that a frame is refused with."""
    with pytest.raises(Refused) as caught:
        decode_frame(profile, payload, f_port, NOON, network_object, clock=clock)
    return str(caught.value.reason), caught.value.path, caught.value.detail


def body_refusal(profile: Profile, body: bytes, now: datetime | None = NOON) -> tuple[str, str, str]:
    """Reason, path and sentence that a body is refused with."""
    with pytest.raises(Refused) as caught:
        decode_json(profile, body, now=now)
    return str(caught.value.reason), caught.value.path, caught.value.detail
