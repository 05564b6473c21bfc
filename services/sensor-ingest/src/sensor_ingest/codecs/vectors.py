"""Whether a profile keeps what its test vectors promise."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from oker_contracts import Refused
from oker_contracts.envelope import read_json
from sensor_ingest.codecs.decoding import decode_frame, decode_json, decoded_data
from sensor_ingest.codecs.javascript import SCRIPT_BYTES, CodecErrors
from sensor_ingest.codecs.mapping import measured
from sensor_ingest.codecs.paths import PathBroken, find, steps
from sensor_ingest.codecs.profile import Decoded, Profile, Vector
from sensor_ingest.codecs.values import shown

RECEIVED = datetime(2026, 1, 1, tzinfo=UTC)
"""The time of arrival while a vector is tried."""
TOLERANCE = 1e-9
MAX_FAULTS = 50


def check_profile(profile: Profile) -> list[str]:
    """What is wrong with a profile, one sentence each; nothing for one that may be used."""
    faults = [*_shape(profile)]
    if not faults:
        for number, vector in enumerate(profile.vectors):
            faults += _tried(profile, vector, f"vectors[{number}]")
        faults += [] if faults else _uncovered(profile)
    return faults[:MAX_FAULTS]


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one vector: its faults; what was decoded and its numbers, or the errors in their place."""

    faults: tuple[str, ...]
    data: Any | None = None
    numbers: tuple[Decoded, ...] = ()
    errors: tuple[str, ...] = ()


def try_vectors(profile: Profile) -> list[Tried]:
    """Each vector by itself, to be looked at while a codec is written."""
    return [_looked_at(profile, vector, f"vectors[{number}]") for number, vector in enumerate(profile.vectors)]


def _looked_at(profile: Profile, vector: Vector, place: str) -> Tried:
    faults = tuple(_tried(profile, vector, place))
    try:
        data = _result(profile, vector)
        return Tried(faults, data, tuple(_numbers(profile, vector, data)))
    except CodecErrors as error:
        return Tried(faults, errors=tuple(shown(text, 200) for text in error.errors))
    except (Refused, ValueError) as error:
        return Tried(faults, errors=(error.detail if isinstance(error, Refused) else str(error),))


def _numbers(profile: Profile, vector: Vector, data: Any) -> list[Decoded]:
    if profile.codec in ("javascript", "object"):
        return measured(data, profile.measurements)
    payload = bytes.fromhex(vector.bytes)
    if profile.codec in ("senml", "json"):
        found = decode_json(profile, vector.body.encode() or payload, now=RECEIVED)
        return [decoded for _, values in found for decoded in values]
    return decode_frame(profile, payload, vector.f_port, RECEIVED)


def _shape(profile: Profile) -> Iterator[str]:
    if profile.codec == "javascript":
        if not profile.script.strip():
            yield "script: a profile with codec javascript has a script"
        if len(profile.script.encode("utf-8", "replace")) > SCRIPT_BYTES:
            yield f"script: it has more than {SCRIPT_BYTES} bytes"
        if not any(vector.data is not None for vector in profile.vectors):
            yield "vectors: a profile with codec javascript has at least one vector with data"
    elif profile.script:
        yield f"script: a profile with codec {profile.codec} has none"
    if profile.codec in ("javascript", "object") and not profile.measurements:
        yield f"measurements: a profile with codec {profile.codec} names at least one"
    if profile.time_path is not None and not (profile.codec == "json" and profile.measurements):
        yield "time_path: only a profile with codec json and measurements has one"
    for number, wanted in enumerate(profile.measurements):
        if not math.isfinite(wanted.factor) or wanted.factor == 0:
            yield f"measurements[{number}].factor: it is a number other than 0"
        if profile.codec != "senml":
            yield from _path_fault(wanted.path, f"measurements[{number}].path")
    if profile.time_path is not None:
        yield from _path_fault(profile.time_path, "time_path")


def _path_fault(path: str, place: str) -> Iterator[str]:
    try:
        steps(path)
    except PathBroken as error:
        yield f"{place}: {shown(str(error), 200)}"


def _tried(profile: Profile, vector: Vector, place: str) -> list[str]:
    expected = list(vector.errors or ())
    try:
        got = _result(profile, vector)
    except CodecErrors as error:
        said = [shown(text, 200) for text in error.errors]
        if [shown(text, 200) for text in expected] == said:
            return []
        return [f"{place}: expected {_expectation(vector)}, got errors {said}"]
    except (Refused, ValueError) as error:
        why = error.detail if isinstance(error, Refused) else str(error)
        return [] if expected == [why] else [f"{place}: expected {_expectation(vector)}, got: {shown(why, 300)}"]
    if expected:
        return [f"{place}: expected errors {expected}, got {shown(repr(got), 200)}"]
    if vector.data is None:
        return [f"{place}: it names neither data nor errors"]
    return [f"{place}{fault}" for fault in differences(dict(vector.data), got, ".data")]


def _expectation(vector: Vector) -> str:
    return f"errors {list(vector.errors)}" if vector.errors else "data"


def _result(profile: Profile, vector: Vector) -> Any:
    """What stands in a vector as ``data``; the measurements are tried as well."""
    payload = bytes.fromhex(vector.bytes)
    if profile.codec in ("javascript", "object"):
        decoded = read_json(vector.body.encode()) if profile.codec == "object" else None
        data = decoded_data(profile, payload, vector.f_port, RECEIVED, decoded, time.monotonic)
        measured(data, profile.measurements)
        return data
    return _by_property(_numbers(profile, vector, None))


def _by_property(found: list[Decoded]) -> dict[str, Any]:
    values: dict[str, list[float]] = {}
    for decoded in found:
        values.setdefault(decoded.property, []).append(decoded.value)
    return {name: several if len(several) > 1 else several[0] for name, several in values.items()}


def _uncovered(profile: Profile) -> list[str]:
    """A path that is misspelt would lose its values in silence; so each is found in some vector."""
    if profile.codec not in ("javascript", "object") or not profile.vectors:
        return []
    found = [_result(profile, vector) for vector in profile.vectors if vector.data is not None]
    return [
        f"measurements[{number}].path: {shown(wanted.path)!r} is in the data of no vector"
        for number, wanted in enumerate(profile.measurements)
        if not any(True for data in found for _ in find(data, wanted.path))
    ]


def differences(expected: Any, got: Any, path: str = "") -> Iterator[str]:
    """Where two JSON values differ; numbers may differ by 1e-9 of their size."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for name in [*expected, *(name for name in got if name not in expected)]:
            inner = f"{path}.{name}"
            if name not in got:
                yield f"{inner}: expected {_said(expected[name])}, got nothing"
            elif name not in expected:
                yield f"{inner}: expected nothing, got {_said(got[name])}"
            else:
                yield from differences(expected[name], got[name], inner)
    elif isinstance(expected, (list, tuple)) and isinstance(got, list) and len(expected) == len(got):
        for number, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif not _same(expected, got):
        yield f"{path}: expected {_said(expected)}, got {_said(got)}"


def _same(expected: Any, got: Any) -> bool:
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, (int, float)) and isinstance(got, (int, float)):
        return math.isclose(expected, got, rel_tol=TOLERANCE, abs_tol=1e-12)
    return type(expected) is type(got) and bool(expected == got)


def _said(value: Any) -> str:
    return shown(repr(value), 80)
