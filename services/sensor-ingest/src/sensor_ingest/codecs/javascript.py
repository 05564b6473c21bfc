"""TS013 codecs (LoRa Alliance, Payload Codec API 1.0.0): ``decodeUplink({bytes, fPort, recvTime, variables})``.

The older ``Decoder(bytes, port)`` of The Things Network and ``Decode(fPort, bytes, variables)`` of ChirpStack v3 are
called where ``decodeUplink`` is not defined. ``new Date()`` is the time of the message and ``Math.random`` is not
there, so the same bytes give the same data for ever. Nothing that a codec changes lasts longer than one call.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from threading import local
from typing import Any

from oker_contracts import Reason, Refused
from sensor_ingest.codecs.engine import CALL_SECONDS, MEMORY, Ran
from sensor_ingest.codecs.profile import Profile
from sensor_ingest.codecs.sandbox import Call, Here, Sandbox
from sensor_ingest.codecs.values import shown

SCRIPT_BYTES = 65_536
MAX_BATCH = 500
SPARE_SECONDS = 0.001
"""Processor time of a call that is never counted against its profile; a usual codec needs 0.00002."""
OVERTIME_SECONDS = 0.19
"""What a profile may use beyond that in a minute: ten calls that are stopped for their time."""
REST_SECONDS = 60.0
_ACCOUNTS = 4096
_SHOWN_ERRORS = 5
_here = local()


class CodecErrors(Refused):
    """What the codec itself reported, as it said it."""

    def __init__(self, detail: str, errors: tuple[str, ...]) -> None:
        super().__init__(Reason.PAYLOAD_UNDECODABLE, "$.data", detail)
        self.errors = errors


@dataclass(slots=True)
class Account:
    """The overtime of one profile, which is forgotten evenly, and until when it rests."""

    overtime: float = 0.0
    at: float = 0.0
    rests_until: float = 0.0


@cache
def _accounts() -> OrderedDict[str, Account]:
    return OrderedDict()


@cache
def _sandbox() -> Sandbox:
    return Sandbox()


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes of an uplink, and the profile that reads them."""

    profile: Profile
    payload: bytes
    f_port: int
    recv_time: datetime


def decode(frame: Frame, clock: Callable[[], float]) -> Any:
    """The ``data`` that the profile's codec makes of a frame.

    Raises:
        Refused: ``payload_undecodable`` with the codec's own errors, or how it was stopped; ``codec_suspended``;
            ``profile_invalid`` where the script cannot be loaded.
    """
    call = _call(frame, clock)
    place = _sandbox() if frame.profile.owner else _in_this_process()
    return _concluded(frame.profile, place.run(*call), clock)


def decode_all(frames: Sequence[Frame], clock: Callable[[], float]) -> list[Any | Refused]:
    """The same for many frames, whose codecs are called in one go; what is refused stands in the place of its data."""
    found: list[Any | Refused] = []
    while len(found) < len(frames):
        batch: list[tuple[Frame, Call]] = []
        for frame in frames[len(found) : len(found) + MAX_BATCH]:
            try:
                batch.append((frame, _call(frame, clock)))
            except Refused as refused:
                if not batch:
                    found.append(refused)
                break
        if batch:
            ends = _sandbox().run_some([call for _, call in batch])
            found += [_said(frame.profile, ran, clock) for (frame, _), ran in zip(batch, ends, strict=False)]
    return found


def _said(profile: Profile, ran: Ran, clock: Callable[[], float]) -> Any | Refused:
    try:
        return _concluded(profile, ran, clock)
    except Refused as refused:
        return refused


def _call(frame: Frame, clock: Callable[[], float]) -> Call:
    profile = frame.profile
    if clock() < _account(profile.key).rests_until:
        detail = f"Codec {profile.id} used up its processor time and rests for {REST_SECONDS:.0f} seconds."
        raise Refused(Reason.CODEC_SUSPENDED, "$.data", detail)
    if len(profile.script) > SCRIPT_BYTES:
        raise Refused(Reason.PROFILE_INVALID, "$.script", f"A script has {SCRIPT_BYTES} bytes at most.")
    text = f"[{list(frame.payload)},{frame.f_port},{int(frame.recv_time.timestamp() * 1000)}]"
    variables = json.dumps(dict(profile.variables)) if profile.variables else "{}"
    return profile.key, text, profile.script, variables


def _concluded(profile: Profile, ran: Ran, clock: Callable[[], float]) -> Any:
    _charge(_account(profile.key), ran, clock())
    if ran.kind != "answer":
        raise _stopped(profile, ran)
    return _data(profile, ran.text)


def _in_this_process() -> Here:
    """One engine a thread: QuickJS asks for that."""
    if not hasattr(_here, "engine"):
        _here.engine = Here()
    engine: Here = _here.engine
    return engine


def _account(key: str) -> Account:
    accounts = _accounts()
    account = accounts.get(key)
    if account is None:
        while len(accounts) >= _ACCOUNTS:
            accounts.popitem(last=False)
        account = accounts[key] = Account()
    return account


def _charge(account: Account, ran: Ran, now: float) -> None:
    spent = ran.seconds
    if ran.kind in ("time", "memory") and spent < 2 * CALL_SECONDS:
        spent = CALL_SECONDS
    if spent <= SPARE_SECONDS:
        return
    forgotten = (now - account.at) / REST_SECONDS * OVERTIME_SECONDS
    account.overtime = max(0.0, account.overtime - forgotten) + spent - SPARE_SECONDS
    account.at = now
    if account.overtime >= OVERTIME_SECONDS - 1e-9:
        account.overtime = 0.0
        account.rests_until = now + REST_SECONDS


def _stopped(profile: Profile, ran: Ran) -> Refused:
    if ran.kind == "broken":
        detail = f"The script of {profile.id} cannot be loaded: {shown(ran.text, 200)}"
        return Refused(Reason.PROFILE_INVALID, "$.script", detail)
    limit = f"{CALL_SECONDS * 1000:.0f} ms" if ran.kind == "time" else f"{MEMORY // 1_000_000} MB"
    return _undecodable(profile, f"was stopped: it needs more than {limit}")


def _data(profile: Profile, text: str) -> Any:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise _undecodable(profile, "returned what is no JSON, or is nested too deeply") from None
    if "thrown" in said:
        raise _undecodable(profile, f"threw {shown(said['thrown'], 200)}")
    if said["errors"]:
        errors = tuple(said["errors"])
        detail = "; ".join(shown(error, 200) for error in errors[:_SHOWN_ERRORS])
        raise CodecErrors(f"Codec {profile.id} says: {detail}.", errors)
    return said.get("data")


def _undecodable(profile: Profile, what: str) -> Refused:
    return Refused(Reason.PAYLOAD_UNDECODABLE, "$.data", f"Codec {profile.id} {what}.")
