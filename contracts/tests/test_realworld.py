"""Messages that others wrote: published vectors and hostile inputs, none of which may cause another exception."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from oker_contracts import Contract, Envelope, Reason, Refused, read_envelope
from oker_contracts.envelope import STRUCTURED, read_json
from oker_contracts.project.proposed_v2 import ProjectProposedV2
from oker_contracts.reading import validate
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1

BROKEN = {Reason.BODY_EMPTY, Reason.ENCODING_INVALID, Reason.JSON_BROKEN, Reason.JSON_TOO_DEEP}
HEAD = (
    b'{"device":"d","phenomenon_time":"2021-06-12T13:00:00Z","results":[{"property":"t","value":1,"unit":"Cel"}],"x":'
)
EVENT = b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":'


def structured(body: bytes) -> Envelope:
    """Read a structured event."""
    return read_envelope({"content-type": STRUCTURED}, body)


def as_field(body: bytes) -> object:
    """As a field that nobody reads, of a reading in binary mode."""
    return validate(ReadingReportedV1, HEAD + body + b"}")


def as_data(body: bytes) -> object:
    """As the data of a structured event."""
    return structured(EVENT + body + b"}")


def as_field_of_data(body: bytes) -> object:
    """As a field that nobody reads, of a reading in structured mode."""
    return validate(ReadingReportedV1, structured(EVENT + HEAD + body + b"}}").data)


PLACES = [read_json, as_field, as_data, as_field_of_data]


def outcome(read: Callable[[bytes], object], body: bytes) -> Reason | None:
    """The code of the refusal; ``None`` if there was none. Another exception fails the test."""
    try:
        read(body)
    except Refused as refused:
        return refused.reason
    return None


def torture(realworld: Path, verdict: str) -> Iterator[tuple[str, bytes]]:
    """Files of the JSON parsing test suite."""
    files = sorted((realworld / "json-torture").glob(f"*/{verdict}*.json"))
    assert files, f"json-torture has no file {verdict}*.json"
    return ((file.name, file.read_bytes()) for file in files)


@pytest.mark.parametrize("read", PLACES)
def test_what_must_be_refused_is_refused(realworld: Path, read: Callable[[bytes], object]) -> None:
    outcomes = {name: outcome(read, body) for name, body in torture(realworld, "n_")}

    assert {name: code for name, code in outcomes.items() if code not in BROKEN} == {}


@pytest.mark.parametrize("read", PLACES)
def test_what_must_be_accepted_is_accepted(realworld: Path, read: Callable[[bytes], object]) -> None:
    outcomes = {name: outcome(read, body) for name, body in torture(realworld, "y_")}

    assert {name: code for name, code in outcomes.items() if code is not None} == {}


@pytest.mark.parametrize("read", [*PLACES, structured, lambda body: validate(ReadingReportedV1, body)])
@pytest.mark.parametrize("verdict", ["i_", "n_", "y_", "number_", "object_", "string_"])
def test_everything_has_an_outcome(realworld: Path, verdict: str, read: Callable[[bytes], object]) -> None:
    for _, body in torture(realworld, verdict):
        outcome(read, body)


@pytest.mark.parametrize("verdict", ["n_", "y_"])
def test_none_of_them_is_a_reading(realworld: Path, verdict: str) -> None:
    accepted = [
        name
        for name, body in torture(realworld, verdict)
        if outcome(lambda said: validate(ReadingReportedV1, said), body) is None
    ]

    assert accepted == []


@pytest.mark.parametrize("read", PLACES)
def test_what_the_suite_leaves_open_is_decided_the_same_every_time(
    realworld: Path, read: Callable[[bytes], object]
) -> None:
    for name, body in torture(realworld, "i_"):
        assert outcome(read, body) == outcome(read, body), name


def naughty(realworld: Path) -> list[str]:
    """The big list of naughty strings."""
    said: list[str] = json.loads((realworld / "naughty-strings" / "blns.json").read_text("utf-8"))
    assert len(said) > 200
    return said


@pytest.mark.parametrize("field", ["id", "source", "subject", "correlationid"])
def test_naughty_attributes_come_back_or_are_named(realworld: Path, field: str) -> None:
    for text in naughty(realworld):
        said: dict[str, Any] = {"id": "1", "source": "/s", "type": "t", field: text}
        headers = Envelope(time=None, data=b"{}", **said).headers()
        body = json.dumps(said | {"specversion": "1.0", "data": {}}).encode()

        binary = told(headers, b"{}", field)

        assert binary == told({"content-type": STRUCTURED}, body, field)
        assert binary in [(text, ""), (None, ""), (str(Reason.ATTRIBUTE_INVALID), field)] or not text


def told(headers: dict[str, str], body: bytes, field: str) -> tuple[str | None, str]:
    """The attribute as it was heard, or the code and where it is missing or wrong."""
    try:
        return getattr(read_envelope(headers, body), field), ""
    except Refused as refused:
        return str(refused.reason), refused.path.removeprefix("ce-").removeprefix("$.")


def test_most_naughty_strings_are_fine_ids(realworld: Path) -> None:
    strings = naughty(realworld)

    heard = [told(Envelope(text, "/s", "t", None, b"").headers(), b"", "id") for text in strings if text]

    refused = [text for text, said in zip(filter(None, strings), heard, strict=True) if said != (text, "")]
    assert all(
        any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or ord(c) & 0xFFFE == 0xFFFE for c in text) for text in refused
    )
    assert len(refused) < 20


def test_naughty_titles_are_kept_or_named(realworld: Path) -> None:
    for text in naughty(realworld):
        body = json.dumps({"proposal": "p", "title": text, "fields_of_action": ["energie"]}).encode()

        assert kept(ProjectProposedV2, body, "title") in (text.strip(), "$.title")


def test_naughty_device_ids_are_kept_or_named(realworld: Path) -> None:
    for text in naughty(realworld):
        body = HEAD.replace(b'"device":"d"', b'"device":' + json.dumps(text).encode()) + b"0}"

        assert kept(ReadingReportedV1, body, "device") in (text, "$.device")


def kept(model: type[Contract], body: bytes, field: str) -> object:
    """The field as it was heard, or the path of the refusal."""
    try:
        return getattr(validate(model, body), field)
    except Refused as refused:
        return refused.path


def test_the_events_of_the_json_format_are_read_or_refused_for_their_data(realworld: Path) -> None:
    outcomes = {
        file.stem: outcome(structured, json.dumps(json.loads(file.read_text("utf-8"))["event"]).encode())
        for file in (realworld / "cloudevents" / "spec_json_format").glob("*.json")
    }

    assert outcomes == {
        "json-format-0": Reason.CONTENT_TYPE_UNSUPPORTED,  # data in Thrift
        "json-format-2": None,
        "json-format-4": None,
        "json-format-6": Reason.FIELD_TYPE_WRONG,  # a batch
    }


def test_the_events_of_the_java_sdk_are_read_as_it_reads_them(realworld: Path) -> None:
    cases = json.loads((realworld / "cloudevents" / "sdk_java_json_v1.json").read_text("utf-8"))

    outcomes = {case["id"]: outcome(structured, json.dumps(case["event"]).encode()) for case in cases}

    assert {name: code for name, code in outcomes.items() if code is not None} == {
        "v1/fail_numeric_long": Reason.ATTRIBUTE_INVALID,
        "v1/text_data": Reason.CONTENT_TYPE_UNSUPPORTED,  # data that is no JSON
    }


def test_the_java_sdks_attributes_and_data_are_what_it_says(realworld: Path) -> None:
    cases = json.loads((realworld / "cloudevents" / "sdk_java_json_v1.json").read_text("utf-8"))
    event = next(case["event"] for case in cases if case["id"] == "v1/base64_json_data")

    envelope = structured(json.dumps(event).encode())

    assert (envelope.id, envelope.source, envelope.type) == ("1", "http://localhost/source", "mock.test")
    assert (envelope.subject, envelope.data) == ("sub", b"{}")
    assert envelope.time is not None
    assert envelope.time.isoformat() == "2018-04-26T14:48:09+02:00"


def test_the_bindings_example_message_is_read() -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-type": "com.example.someevent",
        "ce-time": "2018-04-05T03:56:24Z",
        "ce-id": "1234-1234-1234",
        "ce-source": "/mycontext/subcontext",
        "Content-Type": "application/json; charset=utf-8",
    }

    envelope = read_envelope(headers, b'{"message": "Hello World!"}')

    assert (envelope.id, envelope.source) == ("1234-1234-1234", "/mycontext/subcontext")
