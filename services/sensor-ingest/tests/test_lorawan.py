"""ChirpStack v4 as it really speaks, and other dialects refused by their names."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders_sensor_ingest import EUI, NOON, an_uplink, topic
from hypothesis import given
from hypothesis import strategies as st

from oker_contracts import Reason, Refused
from sensor_ingest import lorawan
from sensor_ingest.lorawan import NetworkEvent, read_message, read_webhook

LATER = NOON + timedelta(minutes=1)
DEDUPLICATION = "57433366-50a6-4dc2-8145-2df1bbc70d9e"
TTS_TOPIC = "v3/weather@ttn/devices/eui-70b3d57ed0000001/up"


def read(body: bytes, event: str = "up") -> NetworkEvent:
    """As over MQTT; over HTTP it must be the same."""
    said = read_message(topic(event), body, LATER)
    assert said == read_webhook("chirpstack", event, body, LATER)
    return said


def refusal(at_topic: str, body: bytes) -> tuple[str, str, str]:
    """Reason, path and sentence."""
    with pytest.raises(Refused) as caught:
        read_message(at_topic, body, LATER)
    return str(caught.value.reason), caught.value.path, caught.value.detail


def an_event(**said: Any) -> bytes:
    """An event that is no uplink."""
    head = {"deduplicationId": "c9dbe358-2578-4fb7-b295-66b44edc45a6", "time": NOON.isoformat()}
    body = {**head, "deviceInfo": {"devEui": EUI}, **said}
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def test_an_uplink_is_read() -> None:
    assert read(an_uplink(b"\x01\x67\x00\xe1")) == NetworkEvent(
        hardware=EUI,
        kind="up",
        id=DEDUPLICATION,
        time=NOON,
        session="20000001",
        f_cnt=4,
        f_port=2,
        payload=b"\x01\x67\x00\xe1",
        network_object=None,
        state={"dev_addr": "20000001", "dr": 5, "rssi": -35, "snr": 11.5, "gateways": 1},
        network="chirpstack",
    )


def test_what_is_zero_is_left_out_by_the_sender() -> None:
    said = read(an_uplink(fCnt=None, fPort=None, data=None, dr=None))

    assert (said.f_cnt, said.f_port, said.payload) == (0, 0, b"")


def test_several_gateways_are_one_uplink_with_the_best_signal() -> None:
    heard = [{"rssi": -110, "snr": 2.0}, {"rssi": -71, "snr": 9.25}, {"rssi": -120}, {"snr": 30}, "noise"]

    said = read(an_uplink(rxInfo=heard))

    assert {name: said.state[name] for name in ("rssi", "snr", "gateways")} == {"rssi": -71, "snr": 9.25, "gateways": 5}


@pytest.mark.parametrize(
    "rx", [{}, [], [7], "strong", [{"rssi": "loud"}], [{"rssi": True}], [{"rssi": 1e300}], [{"rssi": 10**400}], None]
)
def test_a_signal_that_cannot_be_read_costs_no_uplink(rx: Any) -> None:
    said = read(an_uplink(rxInfo=rx, txInfo=rx, dr=rx))

    assert "rssi" not in said.state
    assert said.payload is not None


def test_what_the_server_s_own_codec_said_comes_along() -> None:
    assert read(an_uplink(object={"temperature": 21.5})).network_object == {"temperature": 21.5}


def test_a_dev_eui_is_the_same_in_upper_and_lower_case() -> None:
    said = read_message(topic(eui=EUI), an_uplink(deviceInfo={"devEui": EUI.upper()}), LATER)

    assert said == read_message(topic(eui=EUI.upper()), an_uplink(), LATER)


def test_nanoseconds_of_a_server_are_cut_to_microseconds_and_times_are_utc() -> None:
    said = read(an_uplink(time="2022-07-18T11:33:28.823500726+02:00"))

    assert said.time == datetime(2022, 7, 18, 9, 33, 28, 823500, tzinfo=UTC)
    assert said.time.tzinfo is UTC


@pytest.mark.parametrize(
    ("event", "said", "kind", "state"),
    [
        ("join", {"devAddr": "00189440"}, "join", {"dev_addr": "00189440"}),
        ("status", {"margin": 10, "batteryLevel": 88.3}, "status", {"battery": 88.3, "margin": 10}),
        ("status", {}, "status", {"battery": 0, "margin": 0}),
        ("status", {"batteryLevelUnavailable": True, "margin": -3}, "status", {"margin": -3}),
        ("status", {"externalPowerSource": True}, "status", {"battery": 0, "external_power": True, "margin": 0}),
        (
            "ack",
            {"queueItemId": "q-1", "acknowledged": True, "fCntDown": 3},
            "ack",
            {"acknowledged": True, "f_cnt_down": 3, "queue_item": "q-1"},
        ),
        ("ack", {}, "ack", {"acknowledged": False, "f_cnt_down": 0}),
        (
            "txack",
            {"downlinkId": 3461958127, "fCntDown": 2, "gatewayId": "0016c001f153a14c"},
            "txack",
            {"f_cnt_down": 2, "downlink": "3461958127", "gateway": "0016c001f153a14c"},
        ),
        (
            "log",
            {
                "level": "ERROR",
                "code": "UPLINK_MIC",
                "description": "x\x00" * 300,
                "context": {"deduplication_id": "u"},
            },
            "log",
            {"level": "ERROR", "code": "UPLINK_MIC", "description": "x" * 100, "uplink": "u"},
        ),
        (
            "location",
            {"location": {"latitude": 52.25, "longitude": 10.5}},
            "location",
            {"location": {"latitude": 52.25, "longitude": 10.5, "altitude": 0}},
        ),
        (
            "integration",
            {"integrationName": "loracloud", "eventType": "x", "object": {"temperature": 21.5}},
            "other",
            {"integration": "loracloud", "event": "x"},
        ),
    ],
)
def test_other_events_carry_state_and_no_reading(event: str, said: dict[str, Any], kind: str, state: Any) -> None:
    found = read(an_event(**said), event)

    assert (found.kind, found.hardware, found.time, found.state) == (kind, EUI, NOON, state)
    assert (found.f_cnt, found.f_port, found.payload, found.network_object) == (None, None, None, None)


def test_an_answer_that_came_with_an_uplink_is_another_event_than_the_uplink() -> None:
    said = an_event(deduplicationId=DEDUPLICATION)

    assert len({read(an_uplink()).id, read(said, "ack").id, read(said, "status").id, read(said, "location").id}) == 4


def test_an_event_without_an_identity_gets_one_from_what_it_says() -> None:
    log, same, other = (
        read(an_event(deduplicationId=None, **said), "log").id
        for said in ({"level": "INFO", "code": "OTAA"}, {"code": "OTAA"}, {"code": "UPLINK_MIC"})
    )

    assert log == same != other


@pytest.mark.parametrize(
    ("at_topic", "body", "reason", "path"),
    [
        ("readings/trafo-12", b"21.5", "topic_unmapped", "topic"),
        (topic("unheard"), an_uplink(), "topic_unmapped", "topic"),
        (topic(eui="70b3d57ed000000"), an_uplink(), "dialect_foreign", "$.deviceInfo"),
        (topic() + "/x", b"{}", "topic_unmapped", "topic"),
        (topic(eui="0000000000000001"), an_uplink(), "topic_mismatch", "$.deviceInfo.devEui"),
        (topic(), b"", "body_empty", "$"),
        (topic(), b"[]", "field_type_wrong", "$"),
        (topic(), b"null", "field_type_wrong", "$"),
        (topic(), b'{"time": ', "json_broken", "$"),
        (topic(), b'{"object": {"a": NaN}}', "json_broken", "$"),
        (topic(), b"\xff\xfe", "encoding_invalid", "$"),
        (topic(), b"[" * 60_000, "json_too_deep", "$"),
        (topic(), b" " * 64_001, "body_too_large", "$"),
        (topic(), an_uplink(deduplicationId=None), "field_missing", "$.deduplicationId"),
        (topic(), an_uplink(deduplicationId="a\x00b"), "field_value_invalid", "$.deduplicationId"),
        (topic(), an_uplink(deduplicationId=7), "field_type_wrong", "$.deduplicationId"),
        (topic(), an_uplink(time=None), "field_missing", "$.time"),
        (topic(), an_uplink(time=1_700_000_000), "field_type_wrong", "$.time"),
        (topic(), an_uplink(deviceInfo={}), "field_missing", "$.deviceInfo.devEui"),
        (topic(), an_uplink(deviceInfo={"devEui": "xyz"}), "field_value_invalid", "$.deviceInfo.devEui"),
        (topic(), an_uplink(devAddr="\x00"), "field_value_invalid", "$.devAddr"),
        (topic(), an_uplink(fPort=256), "number_out_of_range", "$.fPort"),
        (topic(), an_uplink(fPort="2"), "field_type_wrong", "$.fPort"),
        (topic(), an_uplink(fCnt=-1), "number_out_of_range", "$.fCnt"),
        (topic(), an_uplink(fCnt=True), "field_type_wrong", "$.fCnt"),
        (topic(), an_uplink(data="%%%"), "field_value_invalid", "$.data"),
        (topic(), an_uplink(data="AWf/1w"), "field_value_invalid", "$.data"),
        (topic(), an_uplink(b"x" * 800), "field_value_invalid", "$.data"),
        (topic(), an_uplink(data=["AQ=="]), "field_type_wrong", "$.data"),
        (topic("join"), b"{}", "field_missing", "$.time"),
        (topic("log"), b"not JSON", "json_broken", "$"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(at_topic: str, body: bytes, reason: str, path: str) -> None:
    assert refusal(at_topic, body)[:2] == (reason, path)


@pytest.mark.parametrize("at_topic", [topic(), TTS_TOPIC, "anything/else"])
@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"applicationID": "1", "devEUI": "cLPVftAAAAE=", "data": "AWcA4Q=="}, "ChirpStack v3"),
        ({"app_id": "a", "dev_id": "b", "payload_raw": "AWcA4Q=="}, "The Things Network v2"),
        ({"cmd": "rx", "EUI": "70B3D57ED0000001", "data": "016700e1"}, "LORIOT"),
        ({"DevEUI_uplink": {"DevEUI": "70B3D57ED0000001"}}, "ThingPark"),
        ({"DevEUI_location": {"DevEUI": "70B3D57ED0000001"}}, "ThingPark"),
        ({"dev_eui": "70B3D57ED0000001", "hotspots": [], "payload": "AQ=="}, "Helium Console"),
        ({"WirelessDeviceId": "x", "PayloadData": "AQ=="}, "AWS IoT Core for LoRaWAN"),
    ],
)
def test_other_dialects_are_refused_by_their_name(at_topic: str, body: dict[str, Any], name: str) -> None:
    reason, _, sentence = refusal(at_topic, json.dumps(body).encode())

    assert reason == "dialect_foreign"
    assert f"This is {name}" in sentence


@pytest.mark.parametrize(
    ("at_topic", "body", "way_out"),
    [
        (topic(), b'{"end_device_ids": {"device_id": "x"}}', "/lorawan/things-stack"),
        (TTS_TOPIC, an_uplink(), "/lorawan/chirpstack"),
        ("our/own/topic", an_uplink(), "application/<id>/device/<DevEUI>/event/<event>"),
    ],
)
def test_what_is_read_here_but_elsewhere_is_told_where(at_topic: str, body: bytes, way_out: str) -> None:
    reason, _, sentence = refusal(at_topic, body)

    assert reason == "dialect_foreign"
    assert way_out in sentence


@pytest.mark.parametrize(
    "body",
    [
        b"\n$57433366-50a6-4dc2-8145-2df1bbc70d9e\x12\x0c\x08\xc9\xb5\xea\xc3\x06\x10\x80",
        b"\n\x0c\x08\xc9\xb5\xea\xc3\x06\x10\x80\x82\xff\x01",
    ],
)
def test_protocol_buffers_are_named_with_the_way_out(body: bytes) -> None:
    for event in ("up", "log"):
        reason, path, sentence = refusal(topic(event), body)
        assert (reason, path) == ("dialect_foreign", "$")
        assert "to JSON" in sentence


def test_a_gateway_s_own_topic_is_named() -> None:
    assert "a gateway's own frames" in refusal("eu868/gateway/0016c001f153a14c/event/up", b"\x12\x00")[2]


def test_an_event_that_chirpstack_does_not_have_is_refused_over_http() -> None:
    with pytest.raises(Refused) as caught:
        read_webhook("chirpstack", "unheard", an_uplink(), LATER)
    assert (caught.value.reason, caught.value.path) == (Reason.TOPIC_UNMAPPED, "event")


@given(st.text(max_size=40), st.binary(max_size=200) | st.recursive(st.none(), st.lists).map(repr).map(str.encode))
def test_nothing_but_a_refusal_comes_of_noise(at_topic: str, body: bytes) -> None:
    for said in (at_topic, topic(), topic("log"), TTS_TOPIC):
        with pytest.raises(Refused):
            read_message(said, body, LATER)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ("devAddr", "rxInfo", "txInfo", "dr", "object", "margin", "batteryLevel", "location", "level", "fCntDown")


@given(st.sampled_from(sorted(lorawan.chirpstack.EVENTS)), st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_whatever_stands_beside_the_needed_fields_ends_as_state_that_can_be_stored(
    event: str, said: dict[str, Any]
) -> None:
    try:
        found = read(an_uplink(**said) if event == "up" else an_event(**said), event)
    except Refused:
        return
    stored = json.dumps(found.state, allow_nan=False)
    assert len(stored) < 4_000
    assert "\\u0000" not in stored


@pytest.mark.parametrize(
    ("at", "reason"),
    [(NOON + timedelta(minutes=6), "time_in_future"), (datetime(1999, 12, 31, tzinfo=UTC), "time_too_old")],
)
def test_state_from_the_future_or_before_2000_is_refused(at: datetime, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        lorawan.check_time(read(an_event(time=at.isoformat()), "join"), NOON, datetime(2000, 1, 1, tzinfo=UTC))
    assert (str(caught.value.reason), caught.value.path) == (reason, "$.time")
