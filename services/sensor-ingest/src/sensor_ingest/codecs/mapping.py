"""From decoded data to numbers with property and unit, as the measurements of a profile say."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from oker_contracts import Reason, Refused
from oker_contracts.base import parse_instant
from sensor_ingest.codecs.paths import find
from sensor_ingest.codecs.profile import Decoded, Measurement, Profile, TimeFormat
from sensor_ingest.codecs.values import LARGEST, number

Record = tuple[datetime | None, list[Decoded]]
"""What was measured at one time; without a time it is that of the message."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def measured(data: Any, measurements: Sequence[Measurement]) -> list[Decoded]:
    """The numbers of one moment; what is absent, ``null`` or a word is passed over.

    Raises:
        Refused: ``number_out_of_range``; ``payload_undecodable`` for two values of one property.
    """
    found = [decoded for _, decoded in _numbers(data, measurements)]
    return single(found, "$.data")


def records(data: Any, profile: Profile) -> list[Record]:
    """The numbers of a JSON document with their times (codec ``json``).

    A time belongs to all numbers that share its place in a list: with ``readings[*].time``, those of
    ``readings[*].value`` of the same number.

    Raises:
        Refused: ``field_missing`` or ``field_value_invalid`` for the time; as :func:`measured`.
    """
    numbers = list(_numbers(data, profile.measurements, "$."))
    if profile.time_path is None:
        return [(None, single([decoded for _, decoded in numbers], "$"))] if numbers else []
    times = {at: _time(said, profile) for at, said in find(data, profile.time_path)}
    depth = max((len(at) for at in times), default=0)
    found: dict[tuple[int, ...], list[Decoded]] = {}
    for at, decoded in numbers:
        if at[:depth] not in times:
            detail = f"{decoded.property} has no time there."
            raise Refused(Reason.FIELD_MISSING, f"$.{profile.time_path.removeprefix('$.')}", detail)
        found.setdefault(at[:depth], []).append(decoded)
    return [(times[at], single(values, "$")) for at, values in found.items()]


def single(found: list[Decoded], path: str) -> list[Decoded]:
    """The same, if no property comes twice: one moment has one value of it."""
    if len({decoded.property for decoded in found}) == len(found):
        return found
    names = [decoded.property for decoded in found]
    twice = next(name for name in names if names.count(name) > 1)
    raise Refused(Reason.PAYLOAD_UNDECODABLE, path, f"{twice} has several values at one time.")


def _numbers(
    data: Any, measurements: Sequence[Measurement], before: str = "$.data."
) -> Iterator[tuple[tuple[int, ...], Decoded]]:
    for wanted in measurements:
        for at, said in find(data, wanted.path):
            path = before + wanted.path.removeprefix("$.")
            value = number(said, path)
            if value is None:
                continue
            if wanted.factor != 1.0:
                value = number(value * wanted.factor, path)
            assert value is not None
            yield at, Decoded(wanted.property, value, wanted.unit)


def _time(said: Any, profile: Profile) -> datetime:
    path = f"$.{(profile.time_path or '').removeprefix('$.')}"
    return read_time(said, profile.time_format, path)


def read_time(said: Any, how: TimeFormat, path: str) -> datetime:
    """Read a time in one of the formats.

    Raises:
        Refused: ``field_type_wrong``, or ``field_value_invalid`` with the format that is expected.
    """
    try:
        if how == "rfc3339":
            if not isinstance(said, str):
                raise Refused(Reason.FIELD_TYPE_WRONG, path, "A time is text, as 2026-01-31T12:00:00Z.")
            return parse_instant(said)
        seconds = number(said, path)
        if seconds is None:
            raise Refused(Reason.FIELD_TYPE_WRONG, path, "A time is a number here, of seconds or milliseconds.")
        return at_unix(seconds if how == "unix_s" else seconds / 1000, path)
    except ValueError as error:
        raise Refused(Reason.FIELD_VALUE_INVALID, path, str(error)) from None


def at_unix(seconds: float, path: str) -> datetime:
    """The moment of a Unix time, to the microsecond.

    Raises:
        Refused: ``field_value_invalid`` where no calendar has it.
    """
    if abs(seconds) > LARGEST:
        raise Refused(Reason.FIELD_VALUE_INVALID, path, "The year is out of range.")
    try:
        moment = _EPOCH + timedelta(microseconds=round(seconds * 1e6))
    except OverflowError:
        raise Refused(Reason.FIELD_VALUE_INVALID, path, "The year is out of range.") from None
    if not 1 < moment.year < 9999:
        raise Refused(Reason.FIELD_VALUE_INVALID, path, "The year is out of range.")
    return moment
