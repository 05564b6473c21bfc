"""ChirpStack v4 as it really speaks, other dialects refused by their names, Cayenne LPP byte by byte."""

import json
import os
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders_sensor_ingest import EUI, NOON, an_uplink, topic
from hypothesis import given
from hypothesis import strategies as st

from oker_contracts import Refused
from sensor_ingest import lorawan
from sensor_ingest.lorawan import Decoded, Frame, decode_cayenne_lpp, read_message

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Recorded messages of real network servers, where this machine has them."""
    folder = Path(os.environ.get("OKER_REALWORLD_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real-world data in {folder}; name the folder in OKER_REALWORLD_DATA")
    return folder


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    lines = (folder / "lorawan-uplinks-thingsboard" / name).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def refusal(at_topic: str, body: bytes) -> tuple[str, str, str]:
    """Reason, path and sentence."""
    with pytest.raises(Refused) as caught:
        read_message(at_topic, body)
    return str(caught.value.reason), caught.value.path, caught.value.detail


def test_an_uplink_is_read() -> None:
    assert read_message(topic(), an_uplink(b"\x01\x67\x00\xe1")) == Frame(
        device=EUI,
        time=NOON,
        id="57433366-50a6-4dc2-8145-2df1bbc70d9e",
        counter=4,
        port=2,
        payload=b"\x01\x67\x00\xe1",
    )


def test_what_is_zero_is_left_out_by_the_sender() -> None:
    frame = read_message(topic(), an_uplink(fCnt=None, fPort=None, data=None))

    assert frame is not None
    assert (frame.counter, frame.port, frame.payload) == (0, 0, b"")


def test_a_dev_eui_is_the_same_in_upper_and_lower_case() -> None:
    frame = read_message(topic(eui=EUI), an_uplink(deviceInfo={"devEui": EUI.upper()}))

    assert frame == read_message(topic(eui=EUI.upper()), an_uplink())


def test_nanoseconds_of_a_server_are_cut_to_microseconds() -> None:
    frame = read_message(topic(), an_uplink(time="2022-07-18T09:33:28.823500726+00:00"))

    assert frame is not None
    assert frame.time == datetime(2022, 7, 18, 9, 33, 28, 823500, tzinfo=UTC)


@pytest.mark.parametrize("event", sorted(lorawan.NO_READING))
@pytest.mark.parametrize("body", [an_uplink(), b"", b"not JSON"])
def test_other_events_carry_no_reading(event: str, body: bytes) -> None:
    assert read_message(topic(event), body) is None


@pytest.mark.parametrize(
    ("at_topic", "body", "reason", "path"),
    [
        ("readings/trafo-12", b"21.5", "topic_unmapped", "topic"),
        (topic("unheard"), an_uplink(), "topic_unmapped", "topic"),
        (topic(eui="70b3d57ed000000"), an_uplink(), "topic_unmapped", "topic"),
        (topic() + "/x", an_uplink(), "topic_unmapped", "topic"),
        (topic(eui="0000000000000001"), an_uplink(), "topic_mismatch", "$.deviceInfo.devEui"),
        (topic(), b"", "body_empty", "$"),
        (topic(), b"[]", "field_type_wrong", "$"),
        (topic(), b"null", "field_type_wrong", "$"),
        (topic(), b'{"time": ', "json_broken", "$"),
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
        (topic(), an_uplink(fPort=256), "number_out_of_range", "$.fPort"),
        (topic(), an_uplink(fCnt=-1), "number_out_of_range", "$.fCnt"),
        (topic(), an_uplink(data="%%%"), "field_value_invalid", "$.data"),
        (topic(), an_uplink(data="AWf/1w"), "field_value_invalid", "$.data"),
        (topic(), an_uplink(b"x" * 800), "field_value_invalid", "$.data"),
        (topic(), an_uplink(data=["AQ=="]), "field_type_wrong", "$.data"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(at_topic: str, body: bytes, reason: str, path: str) -> None:
    assert refusal(at_topic, body)[:2] == (reason, path)


TTS_TOPIC = "v3/weather@ttn/devices/eui-70b3d57ed0000001/up"


@pytest.mark.parametrize("at_topic", [topic(), TTS_TOPIC])
@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"applicationID": "1", "devEUI": "cLPVftAAAAE=", "data": "AWcA4Q=="}, "ChirpStack v3"),
        ({"end_device_ids": {"device_id": "x"}, "uplink_message": {"frm_payload": "AWcA4Q=="}}, "The Things Stack v3"),
        ({"end_device_ids": {"device_id": "x"}, "join_accept": {}}, "The Things Stack v3"),
        ({"cmd": "rx", "EUI": "70B3D57ED0000001", "data": "016700e1"}, "LORIOT"),
        ({"DevEUI_uplink": {"DevEUI": "70B3D57ED0000001"}}, "ThingPark"),
    ],
)
def test_other_dialects_are_refused_by_their_name(at_topic: str, body: dict[str, Any], name: str) -> None:
    reason, _, sentence = refusal(at_topic, json.dumps(body).encode())

    assert reason == "dialect_foreign"
    assert f"This is {name}" in sentence


@given(st.text(max_size=40), st.binary(max_size=200) | st.recursive(st.none(), st.lists).map(repr).map(str.encode))
def test_nothing_but_a_refusal_comes_of_noise(at_topic: str, body: bytes) -> None:
    for said in (at_topic, topic()):
        with pytest.raises(Refused):
            read_message(said, body)


ALL_TYPES = bytes.fromhex(
    "0100ff0201640302154a0403eab6056501f40666320767ff640868630971fe58000f06820a7329ef0b8601630231fe660c8807fd8700bef500086a"
)


def test_every_type_of_cayenne_lpp_is_decoded() -> None:
    assert decode_cayenne_lpp(ALL_TYPES) == [
        Decoded("digital_in_1", 255, "1"),
        Decoded("digital_out_2", 100, "1"),
        Decoded("analog_in_3", 54.5, "1"),
        Decoded("analog_out_4", -54.5, "1"),
        Decoded("luminosity_5", 500, "lx"),
        Decoded("presence_6", 50, "1"),
        Decoded("temperature_7", -15.6, "Cel"),
        Decoded("relative_humidity_8", 49.5, "%"),
        Decoded("accelerometer_9_x", -0.424, "[g]"),
        Decoded("accelerometer_9_y", 0.015, "[g]"),
        Decoded("accelerometer_9_z", 1.666, "[g]"),
        Decoded("barometric_pressure_10", 1073.5, "hPa"),
        Decoded("gyrometer_11_x", 3.55, "deg/s"),
        Decoded("gyrometer_11_y", 5.61, "deg/s"),
        Decoded("gyrometer_11_z", -4.1, "deg/s"),
        Decoded("gps_12_latitude", 52.3655, "deg"),
        Decoded("gps_12_longitude", 4.8885, "deg"),
        Decoded("gps_12_altitude", 21.54, "m"),
    ]


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        ("01", "byte 0: a channel without a type"),
        ("016700", "byte 2: 2 bytes expected, 1 are left"),
        ("01ff00", "byte 1: type 255 is not of Cayenne LPP"),
        ("0c8807fd8700bef50008", "byte 8: 3 bytes expected, 2 are left"),
    ],
)
def test_bytes_that_cannot_be_decoded_are_named(payload: str, sentence: str) -> None:
    with pytest.raises(Refused) as refused:
        decode_cayenne_lpp(bytes.fromhex(payload))

    assert (str(refused.value.reason), refused.value.path) == ("payload_undecodable", "$.data")
    assert sentence in refused.value.detail


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(payload: bytes) -> None:
    try:
        found = decode_cayenne_lpp(payload)
    except Refused:
        return
    assert len(found) * 2 <= len(payload)


def flat(expected: dict[str, Any]) -> dict[str, float]:
    """Axes by the name of their property: ``gps_12.latitude`` becomes ``gps_12_latitude``."""
    axes = {name: value for name, value in expected.items() if isinstance(value, dict)}
    single = {name: value for name, value in expected.items() if name not in axes}
    return single | {f"{name}_{axis}": value for name, parts in axes.items() for axis, value in parts.items()}


def test_the_vectors_of_other_implementations_hold(recorded: Path) -> None:
    vectors = json.loads((recorded / "lorawan-cayennelpp" / "vectors.json").read_text())

    assert len(vectors) >= 4
    for vector in vectors:
        found = {decoded.property: decoded.value for decoded in decode_cayenne_lpp(bytes.fromhex(vector["hex"]))}
        assert found == pytest.approx(flat(vector["expected"]), abs=1e-5), vector["id"]


def test_every_recorded_chirpstack_v4_uplink_is_read_right(recorded: Path) -> None:
    uplinks = [row for row in rows(recorded, "chirpstack_v4.jsonl") if "data" in row["payload"]]

    assert len(uplinks) == 135
    for row in uplinks:
        said, expected = row["payload"], row["expected"]
        eui = said["deviceInfo"]["devEui"]
        frame = read_message(topic(eui=eui), json.dumps(said).encode())
        assert frame is not None
        assert frame.device == expected["attributes"].get("eui", eui).lower(), row["id"]
        assert (frame.counter, frame.port) == (said["fCnt"], said["fPort"]), row["id"]
        assert frame.payload == b64decode(said["data"]), row["id"]
        assert abs(frame.time - datetime.fromisoformat(said["time"])) < timedelta(milliseconds=1), row["id"]


def test_a_recorded_status_in_the_place_of_an_uplink_carries_no_bytes(recorded: Path) -> None:
    (status,) = [row["payload"] for row in rows(recorded, "chirpstack_v4.jsonl") if "data" not in row["payload"]]

    frame = read_message(topic(eui=status["deviceInfo"]["devEui"]), json.dumps(status).encode())

    assert frame is not None
    assert frame.payload == b""


@pytest.mark.parametrize(
    ("file", "name", "count"),
    [
        ("chirpstack_v3_legacy.jsonl", "ChirpStack v3", 48),
        ("tts_v3_community.jsonl", "The Things Stack v3", 135),
        ("tts_v3_industries.jsonl", "The Things Stack v3", 135),
        ("other_loriot.jsonl", "LORIOT", 200),
        ("other_thingpark.jsonl", "ThingPark", 48),
        ("other_thingpark_enterprise.jsonl", "ThingPark", 48),
        ("other_http.jsonl", "ChirpStack v3", 26),
    ],
)
def test_every_recorded_message_of_another_dialect_is_refused_by_name(
    recorded: Path, file: str, name: str, count: int
) -> None:
    refusals = [refusal(topic(), json.dumps(row["payload"]).encode()) for row in rows(recorded, file)]

    assert len(refusals) == count
    assert {reason for reason, _, _ in refusals} == {"dialect_foreign"}
    assert all(f"This is {name}" in sentence for _, _, sentence in refusals)


def test_recorded_events_never_become_readings(recorded: Path) -> None:
    events = {path.stem: path.read_bytes() for path in (recorded / "lorawan-events" / "chirpstack_v4").glob("*.json")}

    assert set(events) >= {"join", "status", "ack", "up"}
    for event, body in events.items():
        frame = read_message(topic(event, "0101010101010101"), body)
        assert (frame is not None) == (event == "up")
