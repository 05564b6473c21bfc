"""CloudEvents, binary and structured: what is said can be heard, and what cannot be heard is explained."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oker_contracts import Envelope, Reason, Refused, event_key, read_envelope
from oker_contracts.envelope import MAX_ATTRIBUTE, STRUCTURED, _any

HEADERS = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t", "content-type": "application/json"}
EVENT: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
FORBIDDEN = [chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)]
FORBIDDEN += [chr(code) for code in range(0xFDD0, 0xFDF0)]
attributes = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=FORBIDDEN), min_size=1, max_size=MAX_ATTRIBUTE
)
slugs = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)
times = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def refusal(headers: dict[str, str], body: bytes = b"{}") -> tuple[Reason, str]:
    """Why an event was refused, and where."""
    with pytest.raises(Refused) as caught:
        read_envelope(headers, body)
    return caught.value.reason, caught.value.path


def structured(said: object) -> Envelope:
    """Read a structured event."""
    return read_envelope({"Content-Type": STRUCTURED}, json.dumps(said).encode())


def structured_refusal(**said: object) -> tuple[Reason, str]:
    """Why a structured event was refused, and where."""
    return refusal({"content-type": STRUCTURED}, json.dumps(EVENT | said).encode())


@given(id=attributes, source=attributes, subject=st.none() | attributes, time=st.none() | times)
def test_any_id_and_source_come_back_from_headers(
    id: str, source: str, subject: str | None, time: datetime | None
) -> None:
    said = Envelope(id, source, "t", time, b"{}", subject, correlationid=id, causationid=source)

    headers = said.headers()

    assert all(value.isascii() and value.isprintable() and " " not in value for value in headers.values())
    assert read_envelope(headers, b"{}") == said


@given(id=attributes, source=attributes, data=json_values, indent=st.none() | st.integers(0, 3))
def test_structured_mode_says_the_same_as_binary_mode(id: str, source: str, data: object, indent: int | None) -> None:
    head = json.dumps({"id": id, "other": 5, "source": source, "specversion": "1.0"}, indent=indent)
    data_written = json.dumps(data, ensure_ascii=indent is None, indent=indent).encode()
    body = head[:-1].encode() + b', "data" : ' + data_written + b' , "type":"t"}'

    envelope = read_envelope({"content-type": STRUCTURED}, body)

    assert envelope == read_envelope(Envelope(id, source, "t", None, b"").headers(), data_written)


def test_structured_data_stays_as_it_was_written() -> None:
    body = b'{"type":"t", "data" :\t{"value": 1.10, "big":1e400, "text":"\\ud800", "n":NULL}\n, "specversion":"1.0"}'
    body = body.replace(b"NULL", b"null").replace(b'"type":"t"', b'"type":"t","id":"1","source":"/s"')

    envelope = read_envelope({"content-type": STRUCTURED}, body)

    assert envelope.data == b'{"value": 1.10, "big":1e400, "text":"\\ud800", "n":null}'


@given(source=attributes, id=attributes, one=st.none() | slugs, other=st.none() | slugs)
def test_equal_ids_of_two_companies_are_two_events(source: str, id: str, one: str | None, other: str | None) -> None:
    assert (event_key(one, source, id) == event_key(other, source, id)) == (one == other)


@given(partner=slugs, one=st.tuples(attributes, attributes), other=st.tuples(attributes, attributes))
def test_equal_keys_mean_equal_source_and_id(partner: str, one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (event_key(partner, *one) == event_key(partner, *other)) == (one == other)


def test_company_source_and_id_do_not_run_into_each_other() -> None:
    assert len({event_key("ab", "c", "d"), event_key("a", "bc", "d"), event_key("a", "b", "cd")}) == 3


def test_the_bindings_example_is_encoded_as_they_say() -> None:
    said = Envelope("Euro € 😀", "/s", "t", None, b"{}")

    assert said.headers()["ce-id"] == "Euro%20%E2%82%AC%20%F0%9F%98%80"


@pytest.mark.parametrize(
    ("header", "id"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e2%82%ac", "€"),
        ('"Euro%20%E2%82%AC"', "Euro €"),
        (r'"a \"quoted\" id"', 'a "quoted" id'),
        ("%31", "1"),
        ("100%", "100%"),
        ("%2525", "%25"),
    ],
)
def test_header_values_are_decoded_once(header: str, id: str) -> None:
    assert read_envelope(HEADERS | {"ce-id": header}, b"{}").id == id


@pytest.mark.parametrize(
    "header", ["%C0%A0", "%FF", "%ED%A0%80", "Euro €", "\udce2\udc82", "%00", "a%0D%0Ab", "%EF%BF%BE"]
)
def test_header_values_that_are_no_text_are_refused(header: str) -> None:
    assert refusal(HEADERS | {"ce-id": header}) == (Reason.ATTRIBUTE_INVALID, "ce-id")


def test_two_ids_that_are_no_text_never_become_one() -> None:
    assert refusal(HEADERS | {"ce-id": "%FE"}) == refusal(HEADERS | {"ce-id": "%FF"})


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_a_required_attribute_that_is_missing_is_named(name: str) -> None:
    without = {key: value for key, value in HEADERS.items() if key != f"ce-{name}"}

    assert refusal(without) == (Reason.ATTRIBUTE_MISSING, f"ce-{name}")
    assert structured_refusal(**{name: None}) == (Reason.ATTRIBUTE_MISSING, f"$.{name}")
    assert structured_refusal(**{name: ""}) == (Reason.ATTRIBUTE_MISSING, f"$.{name}")


@pytest.mark.parametrize("wrong", [0, False, 7, [], {}, ["1"]], ids=repr)
@pytest.mark.parametrize("name", ["id", "source", "type", "time", "subject", "correlationid"])
def test_an_attribute_of_a_wrong_type_is_refused_not_overlooked(name: str, wrong: object) -> None:
    assert structured_refusal(**{name: wrong}) == (Reason.ATTRIBUTE_INVALID, f"$.{name}")


@pytest.mark.parametrize("name", ["time", "subject", "datacontenttype"])
def test_an_empty_attribute_is_refused(name: str) -> None:
    assert structured_refusal(**{name: ""}) == (Reason.ATTRIBUTE_INVALID, f"$.{name}")


def test_null_means_left_out() -> None:
    said = structured(EVENT | {"subject": None, "time": None, "correlationid": None, "other": None})

    assert (said.subject, said.time, said.correlationid, said.data) == (None, None, None, b"")


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 4.2, [], {}], ids=repr)
def test_an_extension_of_no_cloudevents_type_is_refused(value: object) -> None:
    assert structured_refusal(comexample=value) == (Reason.ATTRIBUTE_INVALID, "$.comexample")


def test_another_specversion_is_refused() -> None:
    assert refusal(HEADERS | {"ce-specversion": "0.3"}) == (Reason.SPECVERSION_UNSUPPORTED, "ce-specversion")
    assert structured_refusal(specversion="2.0") == (Reason.SPECVERSION_UNSUPPORTED, "$.specversion")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/cloudevents-batch+json", "application/cloudevents+xml", "application/xml", ""],
)
def test_what_is_no_json_is_refused(content_type: str) -> None:
    assert refusal(HEADERS | {"content-type": content_type}) == (Reason.CONTENT_TYPE_UNSUPPORTED, "content-type")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "application/senml+json", "Application/JSON"]
)
def test_json_has_many_names(content_type: str) -> None:
    assert read_envelope(HEADERS | {"content-type": content_type}, b"{}").id == "1"
    assert structured(EVENT | {"datacontenttype": content_type, "data": {}}).data == b"{}"


def test_structured_data_of_another_type_is_refused() -> None:
    said = structured_refusal(datacontenttype="text/plain", data="Hallo")

    assert said == (Reason.CONTENT_TYPE_UNSUPPORTED, "$.datacontenttype")


def test_base64_data_is_read() -> None:
    assert structured(EVENT | {"data_base64": b64encode(b'{"a":1}').decode()}).data == b'{"a":1}'
    assert structured_refusal(data_base64="%%%") == (Reason.FIELD_VALUE_INVALID, "$.data_base64")
    assert structured_refusal(data_base64="ä") == (Reason.FIELD_VALUE_INVALID, "$.data_base64")
    assert structured_refusal(data_base64="e30=", data={}) == (Reason.ATTRIBUTE_INVALID, "$.data_base64")


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2021-06-12T15:00:00+02:00", datetime(2021, 6, 12, 13, tzinfo=UTC)),
        ("2021-06-12t13:00:00z", datetime(2021, 6, 12, 13, tzinfo=UTC)),
        ("2021-06-12T13:00:00.1234567Z", datetime(2021, 6, 12, 13, 0, 0, 123456, UTC)),
        ("2021-06-12T00:00:00-00:00", datetime(2021, 6, 12, tzinfo=timezone(timedelta()))),
    ],
)
def test_times_are_rfc_3339(said: str, moment: datetime) -> None:
    assert structured(EVENT | {"time": said}).time == moment


@pytest.mark.parametrize(
    "said",
    [
        "2021-06-12",
        "2021-06-12T13:00:00",
        "2021-06-12 13:00:00Z",
        "2021-06-12T13:00Z",
        "1623502800",
        "20210612T130000Z",
        "2021-06-31T13:00:00Z",
        "2021-06-12T13:00:00+25:00",
        "٢٠٢١-06-12T13:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "morgen",
    ],
)
def test_all_else_is_no_time(said: str) -> None:
    assert structured_refusal(time=said) == (Reason.ATTRIBUTE_INVALID, "$.time")


def test_an_attribute_has_a_limit() -> None:
    assert structured(EVENT | {"id": "x" * MAX_ATTRIBUTE}).id == "x" * MAX_ATTRIBUTE
    assert structured_refusal(id="x" * (MAX_ATTRIBUTE + 1)) == (Reason.ATTRIBUTE_INVALID, "$.id")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"null", b"7"])
def test_a_structured_event_is_an_object(body: bytes) -> None:
    assert refusal({"content-type": STRUCTURED}, body) == (Reason.FIELD_TYPE_WRONG, "$")


def test_no_headers_are_a_missing_attribute() -> None:
    with pytest.raises(Refused) as caught:
        read_envelope(None, b"{}")

    assert (caught.value.reason, caught.value.path) == (Reason.ATTRIBUTE_MISSING, "ce-specversion")


names = st.sampled_from(
    [
        "ce-specversion",
        "ce-id",
        "ce-source",
        "ce-type",
        "ce-time",
        "ce-subject",
        "ce-traceparent",
        "ce-x",
        "Ce-Id",
        "CE-TYPE",
        "ce-",
        "content-type",
        "Content-Type",
        "Nats-Msg-Id",
    ]
)
values = st.sampled_from(["", " ", "ä", "\x7f", "x" * MAX_ATTRIBUTE, "x" * (MAX_ATTRIBUTE + 1), STRUCTURED]) | (
    st.sampled_from(
        [
            "1.0",
            "1",
            "/s",
            "de.oker.t",
            "application/json",
            "text/plain",
            '"q"',
            "a%20b",
            "%FF",
            "2026-01-31T12:00:00Z",
            "noon",
        ]
    )
)


@given(st.dictionaries(names, values, max_size=8), st.booleans())
@example({"ce-x": "ä"}, True)
def test_the_short_way_of_the_usual_envelope_reads_what_the_long_one_reads(
    changed: dict[str, str], whole: bool
) -> None:
    headers = (HEADERS if whole else {}) | changed

    def heard(read: Any) -> Any:
        try:
            return read(headers, b"{}")
        except Refused as refused:
            return refused.reason, refused.path, refused.detail

    assert heard(read_envelope) == heard(_any)
