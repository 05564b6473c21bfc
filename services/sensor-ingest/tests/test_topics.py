"""Which topic is taken for what, and what a plain message says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oker_contracts import Refused
from sensor_ingest.topics import Lorawan, Plain, Unmapped, identity, record, route

FORWARDED = ("/oker/mqtt/stadtwerke", "7-1768478400123456")
FLOW = Plain("pump-7", "flow")


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("readings/pump-7", Plain("pump-7")),
        ("readings/pump-7/flow", FLOW),
        ("readings/70b3d57ed0000001/temperature_1", Plain("70b3d57ed0000001", "temperature_1")),
        ("application/1/device/70b3d57ed0000001/event/up", Lorawan()),
        ("v3/app@tenant/devices/station-7/up", Lorawan()),
    ],
)
def test_a_topic_says_what_the_message_is(topic: str, expected: object) -> None:
    assert route(topic) == expected


@pytest.mark.parametrize(
    "topic",
    [
        "readings",
        "readings/",
        "readings//flow",
        "readings/pump-7/",
        "readings/pump-7/Flow",
        "readings/pump-7/flow/x",
        "readings/pümp",
        "readings/" + "a" * 65,
        "/readings/pump-7",
        "Readings/pump-7",
        "v3",
        "tele/tasmota/SENSOR",
        "",
    ],
)
def test_another_topic_is_unmapped_and_says_which_there_are(topic: str) -> None:
    unmapped = route(topic)

    assert isinstance(unmapped, Unmapped)
    assert "readings/" in unmapped.detail or "property" in unmapped.detail


@given(st.text())
def test_every_topic_has_a_route(topic: str) -> None:
    assert isinstance(route(topic), Lorawan | Plain | Unmapped)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15))
def test_a_bare_number_is_the_value_of_the_topic_s_property(value: float) -> None:
    assert json.loads(record(FLOW, f" {json.dumps(value)}\n".encode())) == {"flow": value}


def test_a_value_with_unit_and_time_is_put_under_the_property() -> None:
    said = b'{"value": 41.5, "unit": "m3/h", "time": "2026-01-15T12:00:00Z", "id": "a-1", "rssi": -7}'

    assert json.loads(record(FLOW, said)) == {
        "time": "2026-01-15T12:00:00Z",
        "id": "a-1",
        "flow": {"value": 41.5, "unit": "m3/h"},
    }


def test_a_message_of_the_whole_device_stays_as_it_is() -> None:
    assert record(Plain("pump-7"), b'{"flow": 41.5') == b'{"flow": 41.5'


@pytest.mark.parametrize(
    ("payload", "code", "path"),
    [
        (b"", "body_empty", "$"),
        (b"on", "json_broken", "$"),
        (b"NaN", "json_broken", "$"),
        (b"41,5", "payload_undecodable", "$"),
        (b'"41.5"', "payload_undecodable", "$"),
        (b"true", "payload_undecodable", "$"),
        (b"null", "payload_undecodable", "$"),
        (b"[41.5]", "payload_undecodable", "$"),
        (b"{}", "field_missing", "$.value"),
        (b"\xff", "encoding_invalid", "$"),
        (b"9" * 5_000, "number_out_of_range", "$"),
        (b"1e400", "number_out_of_range", "$"),
        (b"41.5" + b" " * 64_000, "body_too_large", "$"),
    ],
)
def test_what_is_no_number_is_refused_in_words(payload: bytes, code: str, path: str) -> None:
    with pytest.raises(Refused) as caught:
        record(FLOW, payload)

    assert (caught.value.reason, caught.value.path) == (code, path)


def test_a_decimal_comma_is_named() -> None:
    with pytest.raises(Refused, match="decimal point"):
        record(FLOW, b"41,5")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"id": "a-1", "flow": 1}', ("/mqtt/pump-7", "a-1")),
        (b'{"id": 17, "flow": 1}', ("/mqtt/pump-7", "17")),
        (b'{"flow": 1}', FORWARDED),
        (b'{"id": "", "flow": 1}', FORWARDED),
        (b'{"id": true, "flow": 1}', FORWARDED),
        (b'{"id": {"id": 1}, "flow": 1}', FORWARDED),
        (b'{"id": "' + b"a" * 600 + b'"}', FORWARDED),
        (b'["id"]', FORWARDED),
        (b"41.5", FORWARDED),
    ],
)
def test_the_reading_is_known_by_its_own_id_or_by_its_place(payload: bytes, expected: tuple[str, str]) -> None:
    assert identity(Plain("pump-7"), payload, FORWARDED) == expected
