"""Readings as a company sends them: native, three properties of one device at one time.

A reading has 453 bytes on the wire: 251 of body, 202 of headers (CloudEvents, binary mode). It becomes three rows.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.bench.wire import Wire

from oker_contracts import TYPE_PREFIX, Contract, Envelope
from oker_contracts.sensor.device_declared_v1 import DeclaredDatastream, DeviceDeclaredV1
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1, ReportedResult

PROPERTIES = {"temperature": "Cel", "relative_humidity": "%", "barometric_pressure": "hPa"}
DEVICES = 20
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
SOURCE = "/stadtwerke/scada"
SUBJECT = f"events.{ReadingReportedV1.TYPE}"


@dataclass(frozen=True, slots=True)
class Said:
    """One event on the wire (CloudEvents, binary mode)."""

    body: bytes
    headers: dict[str, str]


def declarations() -> list[DeviceDeclaredV1]:
    """The devices that report; declared before anything is measured."""
    streams = [
        DeclaredDatastream(property=name, unit=unit, dataset="environment", observed_property=name)
        for name, unit in PROPERTIES.items()
    ]
    return [DeviceDeclaredV1(device=_device(n), name=f"Messstelle {n}", datastreams=streams) for n in range(DEVICES)]


def reading(number: int) -> Said:
    """The reading of this number, by the contract; the same number gives the same reading."""
    at = BEGIN + timedelta(seconds=number)
    results = [
        ReportedResult(property=name, value=value, unit=unit)
        for (name, unit), value in zip(PROPERTIES.items(), _values(number), strict=True)
    ]
    data = ReadingReportedV1(device=_device(number % DEVICES), phenomenon_time=at, results=results)
    body = data.model_dump_json(exclude_none=True).encode()
    envelope = Envelope(f"reading-{number:09d}", SOURCE, TYPE_PREFIX + data.TYPE, at, body)
    return Said(body, envelope.headers())


def fast(number: int) -> Said:
    """What :func:`reading` gives, by a template: millions are made, and the machine is measured meanwhile."""
    at = (BEGIN + timedelta(seconds=number)).isoformat()
    results = ",".join(
        f'{{"property":"{name}","value":{value},"unit":"{unit}"}}'
        for (name, unit), value in zip(PROPERTIES.items(), _values(number), strict=True)
    )
    device = _device(number % DEVICES)
    body = f'{{"device":"{device}","phenomenon_time":"{at[:-6]}Z","results":[{results}]}}'
    headers = {
        "ce-specversion": "1.0",
        "ce-id": f"reading-{number:09d}",
        "ce-source": SOURCE,
        "ce-type": TYPE_PREFIX + ReadingReportedV1.TYPE,
        "ce-time": at,
        "content-type": "application/json",
    }
    return Said(body.encode(), headers)


def framed(wire: Wire, id: str, data: Contract) -> bytes:
    """Any claim of the company as bytes of the protocol."""
    envelope = Envelope(id, SOURCE, TYPE_PREFIX + data.TYPE, datetime.now(UTC), data.model_dump_json().encode())
    return wire.frame(f"events.{data.TYPE}", lines(envelope.headers()), envelope.data)


def frames(wire: Wire, first: int, count: int) -> Iterator[bytes]:
    """Readings as bytes of the protocol, ready to be published over this connection."""
    return frames_of(wire, range(first, first + count))


def frames_of(wire: Wire, numbers: Iterable[int]) -> Iterator[bytes]:
    """The same for any numbers."""
    for number in numbers:
        said = fast(number)
        yield wire.frame(SUBJECT, lines(said.headers), said.body)


def bodies(first: int, count: int) -> Iterator[bytes]:
    """Readings for brokers without CloudEvents headers: the id stands in the body."""
    for number in range(first, first + count):
        said = fast(number)
        yield b'{"id":"%s",%s' % (said.headers["ce-id"].encode(), said.body[1:])


def lines(headers: Mapping[str, str]) -> bytes:
    """Headers as lines of the protocol."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


def _values(number: int) -> list[float]:
    return [round(10 + place * 7 + number % 97 / 10, 1) for place in range(len(PROPERTIES))]


def _device(number: int) -> str:
    return f"messstelle-{number:03d}"
