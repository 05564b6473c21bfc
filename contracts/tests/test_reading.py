"""From bytes to the newest version, with the path of what is wrong."""

import json
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from oker_contracts import Catalog, CatalogEntry, Contract, Envelope, Reader, Reason, Refused, reader
from oker_contracts.base import Title
from oker_contracts.project.proposed_v2 import ProjectProposedV2
from oker_contracts.reading import json_path, validate
from oker_contracts.selection.round_opened_v1 import Criterion
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1

AT = datetime(2021, 6, 12, 13, tzinfo=UTC)


class NoteTakenV1(Contract):
    """The first of three versions."""

    TYPE: ClassVar[str] = "test.note_taken.v1"

    note: str


class NoteTakenV2(Contract):
    """The second."""

    TYPE: ClassVar[str] = "test.note_taken.v2"

    text: str


class NoteTakenV3(Contract):
    """The third."""

    TYPE: ClassVar[str] = "test.note_taken.v3"

    text: Title
    lines: int


def an_envelope(type: str, data: object, **said: Any) -> Envelope:
    """An envelope around data."""
    return Envelope("1", "/s", f"de.oker.{type}", None, json.dumps(data).encode(), **said)


def an_entry(model: type[Contract], newest: str, upcast: Any = None) -> CatalogEntry:
    """One version of an event."""
    return CatalogEntry(model.TYPE, model, "o", "claim", "released", ("partners",), (), upcast, newest)


def a_reading(time: object = "2021-06-12T13:00:00Z", value: str = "1", **said: object) -> bytes:
    """A reading as bytes; ``value`` as it is written."""
    result = {"property": "t", "value": "VALUE", "unit": "Cel"}
    body = json.dumps({"device": "d", "phenomenon_time": time, "results": [result], **said})
    return body.replace('"VALUE"', value).encode()


def refusal(model: type[Contract], body: bytes) -> tuple[Reason, str]:
    """Why data was refused, and where."""
    with pytest.raises(Refused) as caught:
        validate(model, body)
    return caught.value.reason, caught.value.path


def test_a_proposal_of_version_1_is_heard_as_version_2() -> None:
    said = {"proposal": "p-1", "title": "Leihfahrräder", "field_of_action": "mobilitaet", "goals": ["ziel"]}

    event = reader().event(an_envelope("project.proposed.v1", said, correlationid="c"), AT, "verkehr")

    assert event.type == "project.proposed.v2"
    assert event.data == ProjectProposedV2(
        proposal="p-1", title="Leihfahrräder", fields_of_action=["mobilitaet"], goals=["ziel"]
    )
    assert (event.partner, event.time, event.correlationid) == ("verkehr", AT, "c")


def test_versions_are_lifted_step_by_step_to_the_newest() -> None:
    entries = [
        an_entry(NoteTakenV1, "test.note_taken.v2", lambda said: {"text": said["note"]}),
        an_entry(NoteTakenV2, "test.note_taken.v3", lambda said: said | {"lines": said["text"].count("\n") + 1}),
        an_entry(NoteTakenV3, "test.note_taken.v3"),
    ]
    lifting = Reader(Catalog({entry.name: entry for entry in entries}))

    event = lifting.event(an_envelope("test.note_taken.v1", {"note": "eins"}), AT)

    assert event.type == "test.note_taken.v3"
    assert event.data == NoteTakenV3(text="eins", lines=1)


@pytest.mark.parametrize(
    ("type", "reason"),
    [
        ("sensor.reading_reported.v2", Reason.VERSION_UNKNOWN),
        ("sensor.reading_invented.v1", Reason.TYPE_UNKNOWN),
        ("", Reason.TYPE_UNKNOWN),
        (".", Reason.TYPE_UNKNOWN),
    ],
)
def test_what_is_not_in_the_catalog_is_told_apart(type: str, reason: Reason) -> None:
    with pytest.raises(Refused) as caught:
        reader().event(an_envelope(type, {}), AT)

    assert (caught.value.reason, caught.value.path) == (reason, "ce-type")


@pytest.mark.parametrize(
    ("body", "reason", "path"),
    [
        (a_reading(time=1623502800), Reason.FIELD_TYPE_WRONG, "$.phenomenon_time"),
        (a_reading(time="1623502800"), Reason.FIELD_VALUE_INVALID, "$.phenomenon_time"),
        (a_reading(time="2021-06-12 13:00:00Z"), Reason.FIELD_VALUE_INVALID, "$.phenomenon_time"),
        (a_reading(time="0001-01-01T00:00:00+14:00"), Reason.FIELD_VALUE_INVALID, "$.phenomenon_time"),
        (a_reading(value="1e400"), Reason.NUMBER_OUT_OF_RANGE, "$.results[0].value"),
        (a_reading(value="1" + "0" * 400), Reason.NUMBER_OUT_OF_RANGE, "$.results[0].value"),
        (a_reading(value="1" + "0" * 5000), Reason.NUMBER_OUT_OF_RANGE, "$"),
        (a_reading(value="NaN"), Reason.NUMBER_OUT_OF_RANGE, "$.results[0].value"),
        (a_reading(value="true"), Reason.FIELD_TYPE_WRONG, "$.results[0].value"),
        (a_reading(value="null"), Reason.FIELD_TYPE_WRONG, "$.results[0].value"),
        (a_reading(extra=float("-inf")), Reason.JSON_BROKEN, "$"),
        (a_reading()[:-1], Reason.JSON_BROKEN, "$"),
        (b"\xef\xbb\xbf" + a_reading(), Reason.JSON_BROKEN, "$"),
        (a_reading().decode().encode("utf-16"), Reason.ENCODING_INVALID, "$"),
        (a_reading(extra="x").replace(b'"x"', b'"\\ud800"'), Reason.JSON_BROKEN, "$"),
        (a_reading(extra="x").replace(b'"x"', b"[" * 1000 + b"]" * 1000), Reason.JSON_TOO_DEEP, "$"),
        (a_reading(extra="x").replace(b'"x"', b"[" * 300 + b"]" * 300), Reason.JSON_TOO_DEEP, "$"),
        (b" \n", Reason.BODY_EMPTY, "$"),
    ],
    ids=lambda said: repr(said)[:60],
)
def test_each_fault_has_its_code_and_path(body: bytes, reason: Reason, path: str) -> None:
    assert refusal(ReadingReportedV1, body) == (reason, path)


def test_the_words_nan_and_infinity_are_only_numbers_outside_of_text() -> None:
    assert validate(ReadingReportedV1, a_reading(extra="NaN and Infinity"))


@given(st.datetimes(datetime(2, 1, 2), datetime(9998, 12, 30), timezones=st.timezones()))  # noqa: DTZ001
def test_times_come_back_as_they_were_said(moment: datetime) -> None:
    said = moment.replace(tzinfo=UTC)

    reading = validate(ReadingReportedV1, a_reading(time=said.isoformat()))

    assert isinstance(reading, ReadingReportedV1)
    assert reading.phenomenon_time == said
    assert validate(ReadingReportedV1, reading.model_dump_json().encode()) == reading


@pytest.mark.parametrize("title", ["a\nb", "a\x00", "a\x7f", "a\u2028b", "\x1b[31m", "", "  "], ids=repr)
def test_a_title_is_one_line_of_text(title: str) -> None:
    said = {"proposal": "p", "title": title, "fields_of_action": ["energie"]}

    assert refusal(ProjectProposedV2, json.dumps(said).encode()) == (Reason.FIELD_VALUE_INVALID, "$.title")


def test_a_text_has_lines_and_no_nul() -> None:
    said = {"proposal": "p", "title": "t", "fields_of_action": ["energie"], "summary": "eins\nzwei\tdrei"}
    nul = said | {"summary": "eins\x00zwei"}

    assert validate(ProjectProposedV2, json.dumps(said).encode())
    assert refusal(ProjectProposedV2, json.dumps(nul).encode()) == (Reason.FIELD_VALUE_INVALID, "$.summary")


@pytest.mark.parametrize("weight", ["٣", "1/0", "0.5", "", "1/-2", "1 /2", "22/7\n"])
def test_an_exact_number_is_written_in_ascii_digits(weight: str) -> None:
    with pytest.raises(ValidationError):
        Criterion(criterion="nutzen", title="Nutzen", weight=weight)

    assert Criterion(criterion="nutzen", title="Nutzen", weight="-22/7").weight == "-22/7"


@pytest.mark.parametrize(
    ("loc", "path"),
    [
        ((), "$"),
        (("results", 0, "value"), "$.results[0].value"),
        (("scores", "Bürger Nutzen", "[key]"), "$.scores['Bürger Nutzen']"),
        (("scores", 'it\'s "so"\n', "[key]"), "$.scores['it\\'s \"so\"\\n']"),
        (("scores", "a" * 200), f"$.scores['{'a' * 80}']"),
    ],
)
def test_paths_are_json_paths(loc: tuple[int | str, ...], path: str) -> None:
    assert json_path(loc) == path
