"""From the bytes of a device to its readings, by the profile it was declared with."""

from collections.abc import Callable
from datetime import datetime

from oker_bus import Reason, Refused
from oker_contracts import event_key
from oker_contracts.sensor.uplink_redecoded_v1 import UplinkRedecodedV1
from sensor_ingest import codecs, lorawan
from sensor_ingest.codecs import Decoded, Profile
from sensor_ingest.domain import Device, Reading
from sensor_ingest.handlers.claims import Claim, PlainMessage
from sensor_ingest.handlers.registry import Registry
from sensor_ingest.lorawan import NetworkEvent

PLAIN = Profile(name="plain-json", version=1, codec="json")
"""For a device that was declared without a profile."""
PLAIN_PATHS = {"device": "topic", "phenomenon_time": "$.time", "result_time": "$.time"}
REDECODED_PATHS = {"device": "$.hardware", "phenomenon_time": "$.received_at", "result_time": "$.requested_at"}


def decode(claim: Claim, registry: Registry) -> None:
    """Find the readings of a message that holds raw bytes or plain JSON.

    Raises:
        Refused: ``device_unknown``, ``codec_missing``, ``profile_unknown``, ``payload_undecodable``,
            ``codec_suspended``.
    """
    if claim.heard:
        if claim.heard.kind == "up":
            claim.readings = _uplink(claim, claim.heard, registry)
    elif claim.plain:
        claim.readings = _plain(claim, claim.plain, registry)
    elif claim.event and isinstance(claim.event.data, UplinkRedecodedV1):
        claim.readings = _again(claim, claim.event.data, registry)


def path_of(claim: Claim) -> Callable[[str, int, int], str]:
    """Where in the message a field stands, by its name and the positions of reading and result."""
    if claim.heard:
        network = lorawan.PATHS[claim.heard.network]
        return lambda name, reading, result: network[name]
    if claim.plain:
        return lambda name, reading, result: PLAIN_PATHS.get(name, "$")
    if not claim.paths and claim.hardware:
        return lambda name, reading, result: REDECODED_PATHS.get(name, "$.payload")

    def native(name: str, reading: int, result: int) -> str:
        head = claim.paths[reading] if claim.paths else "$"
        return f"{head}.results[{result}].{name}" if name in ("property", "unit", "value") else f"{head}.{name}"

    return native


def _uplink(claim: Claim, heard: NetworkEvent, registry: Registry) -> list[Reading]:
    paths = lorawan.PATHS[heard.network]
    device = registry.at(claim.partner, heard.hardware, heard.time)
    if device is None:
        raise Refused(Reason.DEVICE_UNKNOWN, paths["device"], f"Declare device {heard.hardware!r} first.")
    if not heard.payload and heard.network_object is None:
        return []
    profile = _profile(claim.partner, device, registry, paths["value"])
    decoded = codecs.decode_frame(profile, heard.payload or b"", heard.f_port or 0, heard.time, heard.network_object)
    return [_reading(claim, device, heard.time, heard.time, decoded)] if decoded else []


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


def _again(claim: Claim, data: UplinkRedecodedV1, registry: Registry) -> list[Reading]:
    """An uplink by another version of its profile: determined anew, so it wins over what was decoded before."""
    device = registry.at(claim.partner, data.hardware, data.received_at)
    if device is None:
        raise Refused(Reason.DEVICE_UNKNOWN, "$.hardware", f"{data.hardware!r} was mounted at no device then.")
    profile = registry.profile(claim.partner, data.profile, data.version)
    if profile is None:
        detail = f"Profile {data.profile!r} has no version {data.version}."
        raise Refused(Reason.PROFILE_UNKNOWN, "$.version", detail)
    decoded = codecs.decode_frame(profile, data.payload, data.f_port, data.received_at, None)
    return [_reading(claim, device, data.received_at, data.requested_at, decoded)] if decoded else []


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
