"""From the bytes of a device to its readings, by the profile it was declared with."""

import asyncio
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from oker_bus import Reason, Refused, Transaction
from oker_contracts import event_key
from oker_contracts.sensor.uplink_redecoded_v1 import UplinkRedecodedV1
from sensor_ingest import codecs, lorawan, store
from sensor_ingest.codecs import Decoded, Frame, Profile
from sensor_ingest.domain import Device, Reading
from sensor_ingest.handlers.claims import Claim, PlainMessage
from sensor_ingest.handlers.registry import Registry
from sensor_ingest.lorawan import NetworkEvent

PLAIN = Profile(name="plain-json", version=1, codec="json")
"""For a device that was declared without a profile."""
AGAIN_WITHIN = timedelta(days=1)
"""Network servers try again, and bridges deliver late, for hours; a counter that was reset comes round later."""
PLAIN_PATHS = {"device": "topic", "phenomenon_time": "$.time", "result_time": "$.time"}
REDECODED_PATHS = {"device": "$.hardware", "phenomenon_time": "$.received_at", "result_time": "$.requested_at"}


async def recall_times(claims: Sequence[Claim], tx: Transaction) -> None:
    """Give what says no time the time at which it was heard first: said again, it is the same reading."""
    timeless = [(claim, claim.heard) for claim in claims if claim.heard and not claim.heard.timed]
    if not timeless:
        return
    keys = [(claim.partner, heard.hardware, heard.time, heard.id) for claim, heard in timeless]
    first = await store.first_times(await tx.raw(), keys, AGAIN_WITHIN)
    for claim, heard in timeless:
        time = first.setdefault((claim.partner, heard.hardware, heard.id), heard.time)
        claim.heard = replace(heard, time=time)


async def decode_ahead(claims: Sequence[Claim], registry: Registry, tx: Transaction) -> None:
    """What :func:`decode` needs of messages that it looks at one by one, for all of them at once.

    Companies' own codecs are called in one go, beside the event loop; what network servers had decoded of uplinks that
    are decoded once more is read from the table.
    """
    uplinks = [claim for claim in claims if claim.hardware]
    if not uplinks:
        return
    for claim in uplinks:
        claim.decoded = None  # of a batch that failed
    await _recall_objects(uplinks, registry, tx)
    coding = registry.coding
    frames = [(claim, frame) for claim in uplinks if (frame := _companys_frame(claim, registry, coding))]
    if frames:
        ends = await asyncio.to_thread(codecs.decode_frames, [frame for _, frame in frames])
        for (claim, _), end in zip(frames, ends, strict=True):
            claim.decoded = end


def decode(claim: Claim, registry: Registry) -> None:
    """Find the readings of a message that holds raw bytes or plain JSON.

    Raises:
        Refused: ``device_unknown``, ``codec_missing``, ``profile_unknown``, ``payload_undecodable``,
            ``codec_suspended``; with the place in the message as its sender wrote it.
    """
    if claim.plain:
        claim.readings = _plain(claim, claim.plain, registry)
    elif uplink := _uplink(claim, registry):
        decoded = _numbers(claim, uplink)
        device, time, determined = uplink.device, uplink.time, uplink.determined
        claim.readings = [_reading(claim, device, time, determined, decoded)] if decoded else []


def path_of(claim: Claim) -> Callable[[str, int, int], str]:
    """Where in the message a field stands, by its name and the positions of reading and result."""
    if claim.heard:
        network = lorawan.PATHS[claim.heard.network]
        return lambda name, reading, result: network.get(name, claim.place)
    if claim.plain:
        return lambda name, reading, result: PLAIN_PATHS.get(name, "$")
    if not claim.paths and claim.hardware:
        return lambda name, reading, result: REDECODED_PATHS.get(name, claim.place)

    def native(name: str, reading: int, result: int) -> str:
        head = claim.paths[reading] if claim.paths else "$"
        return f"{head}.results[{result}].{name}" if name in ("property", "unit", "value") else f"{head}.{name}"

    return native


class Uplink(NamedTuple):
    """A frame, and all that its reading needs besides."""

    device: Device
    profile: Profile
    payload: bytes
    f_port: int
    time: datetime
    determined: datetime
    network_object: Any | None


def _uplink(claim: Claim, registry: Registry) -> Uplink | None:
    """The frame in a message; ``None`` where it carries none."""
    if claim.heard:
        return _heard(claim, claim.heard, registry) if claim.heard.kind == "up" else None
    if claim.event and isinstance(claim.event.data, UplinkRedecodedV1):
        return _again(claim, claim.event.data, registry)
    return None


def _heard(claim: Claim, heard: NetworkEvent, registry: Registry) -> Uplink | None:
    paths = lorawan.PATHS[heard.network]
    device = registry.at(claim.partner, heard.hardware, heard.time)
    if device is None:
        raise Refused(Reason.DEVICE_UNKNOWN, paths["device"], f"Declare device {heard.hardware!r} first.")
    if not heard.payload and heard.network_object is None:
        return None
    profile = _profile(claim.partner, device, registry, paths["frame"])
    if not heard.payload and profile.codec != "object":
        return None
    claim.place = paths["object" if profile.codec == "object" else "frame"]
    payload, f_port = heard.payload or b"", heard.f_port or 0
    return Uplink(device, profile, payload, f_port, heard.time, heard.time, heard.network_object)


def _again(claim: Claim, data: UplinkRedecodedV1, registry: Registry) -> Uplink | None:
    """An uplink by another version of its profile: determined anew, so it wins over what was decoded before."""
    device = registry.at(claim.partner, data.hardware, data.received_at)
    if device is None:
        raise Refused(Reason.DEVICE_UNKNOWN, "$.hardware", f"{data.hardware!r} was mounted at no device then.")
    profile = registry.profile(claim.partner, data.profile, data.version)
    if profile is None:
        detail = f"Profile {data.profile!r} has no version {data.version}."
        raise Refused(Reason.PROFILE_UNKNOWN, "$.version", detail)
    if not data.payload and profile.codec != "object":
        return None
    claim.place = "$.uplink" if profile.codec == "object" else "$.payload"
    return Uplink(device, profile, data.payload, data.f_port, data.received_at, data.requested_at, claim.network_object)


def _numbers(claim: Claim, uplink: Uplink) -> list[Decoded]:
    """What was decoded ahead, or is now."""
    try:
        if claim.decoded is None:
            return codecs.decode_frame(
                uplink.profile, uplink.payload, uplink.f_port, uplink.time, uplink.network_object
            )
        if isinstance(claim.decoded, Refused):
            raise claim.decoded
        return claim.decoded
    except Refused as refused:
        raise _placed(refused, claim.place, uplink.profile) from None


def _placed(refused: Refused, place: str, profile: Profile) -> Refused:
    """The same, with its place in the message: what stands inside of a frame's bytes has none, and is said instead."""
    inner = refused.path.removeprefix("$").removeprefix(".data").removeprefix(".")
    if profile.codec == "object":
        return Refused(refused.reason, f"{place}.{inner}" if inner else place, refused.detail)
    where = f" This is {inner} of what {profile.id} reads from the bytes." if inner else ""
    return Refused(refused.reason, place, f"{refused.detail}{where}")


def _companys_frame(claim: Claim, registry: Registry, coding: Container[str]) -> Frame | None:
    """A frame for a company's own JavaScript; what is wrong with its message is found when its turn comes."""
    if claim.refused or not claim.hardware or claim.partner not in coding:
        return None
    try:
        uplink = _uplink(claim, registry)
    except Refused:
        return None
    if uplink is None or uplink.profile.codec != "javascript" or not uplink.profile.owner:
        return None
    return Frame(uplink.profile, uplink.payload, uplink.f_port, uplink.time)


async def _recall_objects(claims: Sequence[Claim], registry: Registry, tx: Transaction) -> None:
    asked = {}
    for claim in claims:
        said = claim.event.data if claim.event and not claim.refused else None
        if isinstance(said, UplinkRedecodedV1):
            profile = registry.profile(claim.partner, said.profile, said.version)
            if profile and profile.codec == "object":
                asked[claim.partner, said.hardware, said.received_at, said.uplink] = claim
    if asked:
        for key, found in (await store.network_objects(await tx.raw(), asked)).items():
            asked[key].network_object = found


def _plain(claim: Claim, plain: PlainMessage, registry: Registry) -> list[Reading]:
    """Several records of one message, of several times (SenML), are several readings."""
    device = registry.devices.get((claim.partner, plain.device))
    if device is None:
        raise Refused(Reason.DEVICE_UNKNOWN, "topic", f"Declare device {plain.device!r} first.")
    profile = _profile(claim.partner, device, registry, "$") if device.profile else PLAIN
    records = codecs.decode_json(profile, plain.body, now=plain.received_at)
    return [
        _reading(claim, device, at or plain.received_at, at or plain.received_at, decoded) for at, decoded in records
    ]


def _profile(partner: str, device: Device, registry: Registry, path: str) -> Profile:
    if device.profile is None:
        raise Refused(Reason.CODEC_MISSING, path, f"Declare {device.device!r} with a profile.")
    name, version = device.profile
    profile = registry.profile(partner, name, version)
    if profile is None:
        detail = f"{device.device!r} is declared with {name!r}" + (f", version {version}." if version else ".")
        raise Refused(Reason.PROFILE_UNKNOWN, path, detail)
    return profile


def _reading(claim: Claim, device: Device, at: datetime, determined: datetime, decoded: list[Decoded]) -> Reading:
    source, id = claim.said or ("", "")
    key = claim.event_key or event_key(claim.partner, source, id)
    return Reading(device.partner, device.device, at, determined, key, source, id, decoded)
