"""CloudEvents as the specification, an SDK and the conformance suite write them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from oker_contracts import Refused, read_envelope
from oker_contracts.base import parse_instant
from oker_contracts.envelope import STRUCTURED
from oker_testkit.counts import Counts

OUTLINE = re.compile(r"Scenario Outline:(?P<name>[^\n]*)\n(?P<body>.*?)(?=Scenario Outline:|\Z)", re.DOTALL)
QUOTED = re.compile(r'"""\n(.*?)\n\s*"""', re.DOTALL)


def same(event: dict[str, Any]) -> None:
    """Assert that a structured event is read with the attributes and the data that it has."""
    envelope = read_envelope({"content-type": STRUCTURED}, json.dumps(event).encode())

    for name in ("id", "source", "type", "subject"):
        assert getattr(envelope, name) == event.get(name), name
    assert envelope.time == (parse_instant(event["time"]) if "time" in event else None)
    if "data" in event:
        assert json.loads(envelope.data) == event["data"]


def test_events_of_the_specification(realworld: Path, counts: Counts) -> None:
    tally = counts.of("cloudevents: specification")

    for file in sorted((realworld / "cloudevents" / "spec_json_format").glob("*.json")):
        said = json.loads(file.read_text("utf-8"))["event"]
        for number, event in enumerate(said if isinstance(said, list) else [said]):
            with tally.case(f"{file.stem}[{number}]"):
                same(event)
    tally.check()


def test_events_of_the_java_sdk(realworld: Path, counts: Counts) -> None:
    """What it calls `fail_…` is refused; all else is read, upper case in names of extensions included."""
    tally = counts.of("cloudevents: Java SDK")

    for case in json.loads((realworld / "cloudevents" / "sdk_java_json_v1.json").read_text("utf-8")):
        with tally.case(case["id"]):
            if "fail_" in case["id"]:
                assert is_refused(case["event"])
            else:
                same(case["event"])
    tally.check()


def is_refused(event: dict[str, Any]) -> bool:
    """Whether a structured event is refused."""
    try:
        read_envelope({"content-type": STRUCTURED}, json.dumps(event).encode())
    except Refused:
        return True
    return False


def test_requests_of_the_conformance_suite(realworld: Path, counts: Counts) -> None:
    tally = counts.of("cloudevents: conformance over HTTP")
    feature = (realworld / "cloudevents" / "conformance_features" / "http-protocol-binding.feature").read_text("utf-8")

    for name, request, wanted, data in requests(feature):
        with tally.case(name):
            head, _, body = request.partition("\n\n")
            headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
            envelope = read_envelope(headers, body.encode())
            for attribute in ("id", "source", "type"):
                assert getattr(envelope, attribute) == wanted[attribute]
            assert envelope.time == parse_instant(wanted["time"])
            assert json.loads(envelope.data) == json.loads(data)
    tally.check()


def requests(feature: str) -> Iterator[tuple[str, str, dict[str, str], str]]:
    """Name, HTTP request, expected attributes and data of each example of a Gherkin feature."""
    for outline in OUTLINE.finditer(feature):
        body, _, examples = outline["body"].partition("Examples:")
        kinds = [row.strip(" |") for row in examples.splitlines() if row.strip().startswith("|")][1:]
        table = [[cell.strip() for cell in row.strip(" |").split("|")] for row in body.splitlines() if "|" in row]
        for kind in kinds:
            request, data = (unindented(text).replace("<contentType>", kind) for text in QUOTED.findall(body))
            yield f"{outline['name'].strip()} {kind}", request, {row[0]: row[-1] for row in table}, data


def unindented(text: str) -> str:
    """A doc string without the indentation of the feature."""
    return "\n".join(line[8:] for line in text.splitlines())
