"""The way from a frame or a body to numbers, by the codec of a profile."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from oker_contracts import Reason, Refused
from oker_contracts.envelope import read_json
from sensor_ingest.codecs import cayenne_lpp, javascript, plain_json, senml
from sensor_ingest.codecs.javascript import Frame
from sensor_ingest.codecs.mapping import Record, measured, records
from sensor_ingest.codecs.profile import Decoded, Profile

MAX_FRAME = 1024
"""Bytes; LoRaWAN has 242 at most."""


def decode_frame(
    profile: Profile,
    payload: bytes,
    f_port: int,
    recv_time: datetime,
    network_object: Any | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> list[Decoded]:
    """The numbers of an uplink; none, where the frame carries no reading, such as one about the battery alone.

    Args:
        network_object: what the network server has decoded, for codec ``object``.
        clock: seconds, for the rest of codecs that ran out of time.

    Raises:
        Refused: ``payload_undecodable`` with the codec's own errors in the detail, ``number_out_of_range``,
            ``codec_missing``, ``codec_suspended``, ``profile_invalid``; the path starts at ``$.data``.
    """
    if len(payload) > MAX_FRAME:
        raise Refused(Reason.PAYLOAD_UNDECODABLE, "$.data", f"A frame has {MAX_FRAME} bytes at most.")
    if profile.codec in ("senml", "json"):
        return _of_one_moment(decode_json(profile, payload, now=recv_time), recv_time)
    if profile.codec == "cayenne_lpp":
        found = cayenne_lpp.decode(payload)
        return measured({d.property: d.value for d in found}, profile.measurements) if profile.measurements else found
    return measured(decoded_data(profile, payload, f_port, recv_time, network_object, clock), profile.measurements)


def decode_frames(
    frames: Sequence[Frame], *, clock: Callable[[], float] = time.monotonic
) -> list[list[Decoded] | Refused]:
    """As :func:`decode_frame` for each, in their order; companies' JavaScript is called in one go, which is faster.

    What is refused stands in the place of its numbers.
    """
    apart = [number for number, frame in enumerate(frames) if _is_strangers(frame)]
    data = dict(zip(apart, javascript.decode_all([frames[number] for number in apart], clock), strict=True))
    return [_numbers(frame, data.get(number, _NOT_YET), clock) for number, frame in enumerate(frames)]


_NOT_YET = object()


def _is_strangers(frame: Frame) -> bool:
    return frame.profile.codec == "javascript" and bool(frame.profile.owner) and len(frame.payload) <= MAX_FRAME


def _numbers(frame: Frame, data: Any, clock: Callable[[], float]) -> list[Decoded] | Refused:
    if isinstance(data, Refused):
        return data
    try:
        if data is _NOT_YET:
            return decode_frame(frame.profile, frame.payload, frame.f_port, frame.recv_time, clock=clock)
        return measured(data, frame.profile.measurements)
    except Refused as refused:
        return refused


def decoded_data(
    profile: Profile,
    payload: bytes,
    f_port: int,
    recv_time: datetime,
    network_object: Any | None,
    clock: Callable[[], float],
) -> Any:
    """The data between codec and measurements, for ``javascript`` and ``object``."""
    if profile.codec == "javascript":
        return javascript.decode(Frame(profile, payload, f_port, recv_time), clock)
    if profile.codec == "object":
        if network_object is None:
            detail = f"{profile.id} reads what the network server decoded, and it decoded nothing; set a codec there."
            raise Refused(Reason.PAYLOAD_UNDECODABLE, "$.data", detail)
        return network_object
    raise Refused(Reason.CODEC_MISSING, "$.data", f"{profile.id} has no codec.")


def decode_json(profile: Profile, body: bytes, *, now: datetime | None = None) -> list[Record]:
    """The numbers of a body of plain JSON or SenML, with their times; ``None`` is the time of the message.

    Args:
        now: when the message came, for times that SenML says relative to it.

    Raises:
        Refused: with the place of what is wrong, in the body.
    """
    if profile.codec not in ("senml", "json"):
        raise Refused(Reason.CODEC_MISSING, "$", f"{profile.id} reads frames of bytes, and no JSON.")
    said = read_json(body)
    if profile.codec == "senml":
        return senml.decode(said, profile.measurements, now)
    return records(said, profile) if profile.measurements else plain_json.decode(said)


def _of_one_moment(found: list[Record], recv_time: datetime) -> list[Decoded]:
    """A frame has the time of the network server; what says another one must not lose it in silence."""
    if len(found) > 1 or any(at not in (None, recv_time) for at, _ in found):
        detail = "The frame names times of its own; send it as JSON over MQTT or HTTP, where they count."
        raise Refused(Reason.PAYLOAD_UNDECODABLE, "$.data", detail)
    return found[0][1] if found else []
