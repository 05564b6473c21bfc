"""The Things Stack v3: webhooks, and its own MQTT topics bridged."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders_sensor_ingest import EUI, NOON, a_things_stack_message, a_things_stack_uplink
from hypothesis import given
from hypothesis import strategies as st

from oker_contracts import Refused
from sensor_ingest.lorawan import NetworkEvent, read_message, read_webhook, things_stack

LATER = NOON + timedelta(minutes=1)
SESSION = "AYfqmb0pc/1uRZv9xUydgQ=="


def topic(event: str = "up", device: str = f"eui-{EUI}", application: str = "weather@ttn") -> str:
    return f"v3/{application}/devices/{device}/{event}"


def read(body: bytes, event: str = "up") -> NetworkEvent:
    """As over HTTP; over MQTT it must be the same."""
    said = read_webhook("things-stack", "", body, LATER)
    assert said == read_message(topic(event), body, LATER)
    return said


def refusal(body: bytes, at_topic: str | None = None) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        read_message(at_topic, body, LATER) if at_topic else read_webhook("things-stack", "", body, LATER)
    return str(caught.value.reason), caught.value.path


def test_an_uplink_is_read() -> None:
    assert read(a_things_stack_uplink(b"\x01\x67\x00\xe1")) == NetworkEvent(
        hardware=EUI,
        kind="up",
        id=f"{SESSION}-4-2026-01-15T12:00:00+00:00",
        time=NOON,
        session=SESSION,
        f_cnt=4,
        f_port=2,
        payload=b"\x01\x67\x00\xe1",
        network_object=None,
        state={"dev_addr": "20000001", "spreading_factor": 7, "rssi": -35, "snr": 13.2, "gateways": 2},
        network="things-stack",
    )


def test_what_is_zero_is_left_out_by_the_sender() -> None:
    said = read(a_things_stack_uplink(f_cnt=None, f_port=None, frm_payload=None))

    assert (said.f_cnt, said.f_port, said.payload) == (0, 0, b"")


def test_a_webhook_that_is_tried_again_says_the_same_event() -> None:
    first = read_webhook("things-stack", "", a_things_stack_uplink(), NOON)

    assert read_webhook("things-stack", "", a_things_stack_uplink(), LATER) == first


def test_the_same_counter_of_another_session_is_another_event() -> None:
    ids = {
        read(a_things_stack_uplink(**changes)).id
        for changes in (
            {},
            {"session_key_id": "other"},
            {"f_cnt": 5},
            {"received_at": "2026-01-15T12:00:01Z"},
        )
    }

    assert len(ids) == 4


@pytest.mark.parametrize(
    ("of_uplink", "of_message", "time"),
    [
        ("2026-01-15T11:59:58.123456789Z", "2026-01-15T12:00:00Z", NOON - timedelta(microseconds=1_876_544)),
        (None, "2026-01-15T12:00:00Z", NOON),
        (None, None, NOON - timedelta(seconds=1)),
    ],
)
def test_the_time_is_the_network_server_s_or_else_the_next_best(
    of_uplink: str | None, of_message: str | None, time: datetime
) -> None:
    gateways = [{"received_at": "2026-01-15T12:00:01Z"}, "?", {}, {"received_at": "2026-01-15T11:59:59Z"}]

    said = read(without_times(received_at=of_uplink, rx_metadata=gateways, of_message=of_message))

    assert said.time == time
    assert said.time.tzinfo is UTC


@pytest.mark.parametrize("gateways", [None, [], "?", [{"received_at": "yesterday"}]])
def test_an_uplink_in_which_no_server_names_a_time_is_known_by_all_else_that_it_says(gateways: Any) -> None:
    """It has the time at which it came in, which is another one when it is sent again."""
    said, again = (read_webhook("things-stack", "", without_times(rx_metadata=gateways), at) for at in (NOON, LATER))
    ids = {
        read(without_times(**changes)).id
        for changes in ({}, {"f_cnt": 5}, {"f_port": 3}, {"payload": b"other"}, {"session_key_id": "other"})
    }

    assert (said.time, again.time, said.timed) == (NOON, LATER, False)
    assert said.id == again.id
    assert len(ids) == 5


def without_times(of_message: str | None = None, **changes: Any) -> bytes:
    """An uplink of which no server says when it came in."""
    body = json.loads(a_things_stack_uplink(**({"received_at": None} | changes))) | {"received_at": of_message}
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def test_without_a_session_the_address_stands_for_it() -> None:
    assert read(a_things_stack_uplink(session_key_id=None)).session == "20000001"


def test_a_device_without_a_dev_eui_is_named_by_its_application_too() -> None:
    ids = {"device_id": "level-7", "application_ids": {"application_id": "water"}}

    said = read_webhook("things-stack", "", a_things_stack_uplink(end_device_ids=ids), LATER)
    named = read_webhook(
        "things-stack", "", a_things_stack_uplink(end_device_ids=ids | {"dev_eui": EUI.upper()}), LATER
    )
    by_name = read_webhook(
        "things-stack", "", a_things_stack_uplink(end_device_ids=ids | {"device_id": f"eui-{EUI}"}), LATER
    )

    assert (said.hardware, named.hardware, by_name.hardware) == ("water:level-7", EUI, EUI)


@pytest.mark.parametrize(
    ("event", "member", "said", "kind", "state"),
    [
        ("join", "join_accept", {"session_key_id": SESSION}, "join", {"dev_addr": "20000001"}),
        ("down/ack", "downlink_ack", {"f_cnt": 3}, "ack", {"acknowledged": True, "f_cnt_down": 3}),
        ("down/nack", "downlink_nack", {"f_cnt": 3}, "ack", {"acknowledged": False, "f_cnt_down": 3}),
        ("down/sent", "downlink_sent", {"f_port": 9}, "txack", {"f_cnt_down": 0, "f_port": 9}),
        ("down/queued", "downlink_queued", {}, "other", {"f_cnt_down": 0}),
        ("down/invalidated", "downlink_queue_invalidated", {"last_f_cnt_down": 1}, "other", {"f_cnt_down": 0}),
        (
            "down/failed",
            "downlink_failed",
            {"downlink": {"f_cnt": 2}, "error": {"name": "no_session", "message_format": "no device session"}},
            "log",
            {"f_cnt_down": 2, "code": "no_session", "description": "no device session"},
        ),
        (
            "location/solved",
            "location_solved",
            {"service": "lbs", "location": {"latitude": 52.25, "longitude": 10.5, "source": "SOURCE_GPS"}},
            "location",
            {
                "service": "lbs",
                "location": {"latitude": 52.25, "longitude": 10.5, "altitude": 0, "source": "SOURCE_GPS"},
            },
        ),
        ("service/data", "service_data", {"service": "x", "data": {"temperature": 21.5}}, "other", {"service": "x"}),
    ],
)
def test_other_messages_carry_state_and_no_reading(
    event: str, member: str, said: dict[str, Any], kind: str, state: dict[str, Any]
) -> None:
    found = read(a_things_stack_message(member, said), event)

    expected = state | ({"event": member} if member.startswith("downlink") else {})
    assert (found.kind, found.hardware, found.time, found.state) == (kind, EUI, NOON, expected)
    assert (found.f_cnt, found.f_port, found.payload, found.network_object) == (None, None, None, None)


def test_a_normalized_uplink_says_the_uplink_once_more_and_is_no_reading() -> None:
    normalized = {"f_cnt": 4, "f_port": 2, "frm_payload": "AWcA4Q==", "normalized_payload": {"air": {"temperature": 1}}}

    said = read_webhook("things-stack", "", a_things_stack_message("uplink_normalized", normalized), LATER)

    assert (said.kind, said.payload) == ("other", None)
    assert said.id != read(a_things_stack_uplink()).id


def test_a_simulated_uplink_is_no_reading() -> None:
    body = json.loads(a_things_stack_uplink()) | {"simulated": True}

    said = read_webhook("things-stack", "", json.dumps(body).encode(), LATER)

    assert (said.kind, said.payload, said.state["simulated"]) == ("other", None, True)


def test_a_join_begins_the_session_of_the_uplinks_after_it() -> None:
    joined = read(a_things_stack_message("join_accept", {"session_key_id": SESSION}), "join")

    assert joined.session == read(a_things_stack_uplink()).session


def test_the_battery_comes_with_an_uplink() -> None:
    said = read(a_things_stack_uplink(last_battery_percentage={"f_cnt": 3, "value": 62.5}))

    assert said.state["battery"] == 62.5


@pytest.mark.parametrize(
    ("body", "reason", "path"),
    [
        (b"", "body_empty", "$"),
        (b"[]", "field_type_wrong", "$"),
        (b"{}", "field_missing", "$.end_device_ids"),
        (a_things_stack_message("unheard", {}), "field_missing", "$.uplink_message"),
        (a_things_stack_uplink(f_cnt=2**32), "field_value_invalid", "$.uplink_message.f_cnt"),
        (a_things_stack_uplink(f_port=256), "number_out_of_range", "$.uplink_message.f_port"),
        (a_things_stack_uplink(frm_payload="%"), "field_value_invalid", "$.uplink_message.frm_payload"),
        (a_things_stack_uplink(received_at="yesterday"), "field_value_invalid", "$.uplink_message.received_at"),
        (a_things_stack_uplink(session_key_id="\x00"), "field_value_invalid", "$.uplink_message.session_key_id"),
        (
            a_things_stack_uplink(end_device_ids={"device_id": "a b", "application_ids": {"application_id": "c"}}),
            "field_missing",
            "$.end_device_ids.dev_eui",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(body: bytes, reason: str, path: str) -> None:
    assert refusal(body) == (reason, path)


@pytest.mark.parametrize(
    ("at_topic", "path"),
    [
        (topic(device="other"), "$.end_device_ids.device_id"),
        (topic(application="other@ttn"), "$.end_device_ids.application_ids.application_id"),
        (topic("join"), "$.uplink_message"),
    ],
)
def test_a_topic_that_names_something_else_than_the_body_is_refused(at_topic: str, path: str) -> None:
    assert refusal(a_things_stack_uplink(), at_topic) == ("topic_mismatch", path)


def test_the_open_source_edition_has_no_tenant_in_its_topics() -> None:
    assert read_message(topic(application="weather"), a_things_stack_uplink(), LATER) == read(a_things_stack_uplink())


@pytest.mark.parametrize("event", ["down/push", "down/replace", "up/x"])
def test_what_is_sent_to_the_network_server_is_not_mapped(event: str) -> None:
    assert refusal(b'{"downlinks": []}', topic(event)) == ("topic_unmapped", "topic")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ("rx_metadata", "settings", "decoded_payload", "last_battery_percentage", "error", "downlink", "location")


@given(st.sampled_from(sorted(things_stack.KINDS)), st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_whatever_stands_beside_the_needed_fields_ends_as_state_that_can_be_stored(
    member: str, said: dict[str, Any]
) -> None:
    try:
        found = read_webhook("things-stack", "", a_things_stack_message(member, said), LATER)
    except Refused:
        return
    stored = json.dumps([found.state, found.session, found.id], allow_nan=False)
    assert len(stored) < 4_000
    assert "\\u0000" not in stored
