"""Cayenne LPP, SenML (RFC 8428) and plain JSON: from bytes and bodies to numbers with units and times."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders_codecs import NOON, body_refusal, refusal
from hypothesis import given
from hypothesis import strategies as st
from ucumvert import PintUcumRegistry

from oker_contracts import Refused
from sensor_ingest.codecs import Decoded, Measurement, Profile, builtin, cayenne_lpp, decode_frame, decode_json, senml

LPP = builtin()["cayenne-lpp@1"]
SENML = builtin()["senml@1"]
PLAIN = builtin()["plain-json@1"]
NO_PINT = {"[pH]"}
"""UCUM has it, ucumvert's table of Pint not."""


def read(profile: Profile, said: Any, now: datetime | None = NOON) -> list[tuple[datetime | None, list[Decoded]]]:
    return decode_json(profile, json.dumps(said).encode(), now=now)


def test_every_type_of_cayenne_lpp_is_decoded() -> None:
    payload = bytes.fromhex(
        "0100ff0201640302154a0403eab6056501f40666320767ff640868630971fe58000f06820a7329ef0b8601630231fe660c8807fd8700bef500086a"
    )

    assert decode_frame(LPP, payload, 1, NOON) == [
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
    ("payload", "expected"),
    [
        ("0164000186a0", Decoded("generic_1", 100_000, "1")),
        ("01740149", Decoded("voltage_1", 3.29, "V")),
        ("027505dc", Decoded("current_2", 1.5, "A")),
        ("037600000032", Decoded("frequency_3", 50, "Hz")),
        ("047863", Decoded("percentage_4", 99, "%")),
        ("0579ffec", Decoded("altitude_5", -20, "m")),
        ("067d01c2", Decoded("concentration_6", 450, "[ppm]")),
        ("07800064", Decoded("power_7", 100, "W")),
        ("0882000004d2", Decoded("distance_8", 1.234, "m")),
        ("0983000003e9", Decoded("energy_9", 1.001, "kW.h")),
        ("0a84005a", Decoded("direction_10", 90, "deg")),
        ("0b856592e180", Decoded("unix_time_11", 1_704_124_800, "s")),
        ("0c8e01", Decoded("switch_12", 1, "1")),
        ("0d7afffc18", Decoded("load_13", -1.0, "kg")),
    ],
)
def test_the_later_types_of_cayenne_lpp_are_decoded(payload: str, expected: Decoded) -> None:
    assert decode_frame(LPP, bytes.fromhex(payload), 1, NOON) == [expected]


def test_a_colour_has_three_parts() -> None:
    assert [d.value for d in decode_frame(LPP, bytes.fromhex("0187ff8000"), 1, NOON)] == [255, 128, 0]


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        ("01", "byte 0: a channel without a type"),
        ("016700", "byte 2: 2 bytes expected, 1 are left"),
        ("01ff00", "byte 1: type 255 is not of Cayenne LPP"),
        ("0c8807fd8700bef50008", "byte 8: 3 bytes expected, 2 are left"),
        ("016700e1016700e2", "byte 4: temperature_1 comes a second time"),
    ],
)
def test_bytes_that_cannot_be_decoded_are_named(payload: str, sentence: str) -> None:
    reason, path, detail = refusal(LPP, bytes.fromhex(payload))

    assert (reason, path) == ("payload_undecodable", "$.data")
    assert sentence in detail


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(payload: bytes) -> None:
    try:
        found = cayenne_lpp.decode(payload)
    except Refused:
        return
    assert len(found) * 2 <= len(payload)
    assert len({each.property for each in found}) == len(found)


def test_a_cayenne_channel_gets_name_and_unit_by_a_measurement() -> None:
    level = Measurement("analog_in_3", "water_level", "m", factor=2.0)

    found = decode_frame(Profile("p", 1, "cayenne_lpp", measurements=(level,)), bytes.fromhex("0302154a"), 1, NOON)

    assert found == [Decoded("water_level", 109.0, "m")]


def test_a_pack_is_resolved_with_base_values_and_times() -> None:
    pack = [
        {"bn": "urn:dev:mac:1:", "bt": 1_700_000_000, "bu": "Cel", "bv": 20, "n": "indoor", "v": 1.5},
        {"n": "indoor", "t": 60, "v": -2},
        {"n": "current", "u": "mA", "t": 60, "v": 3, "s": 7},
        {"bs": 100, "n": "current", "u": "mA", "t": 120, "s": 7},
    ]
    start = datetime.fromtimestamp(1_700_000_000, UTC)

    assert read(SENML, pack) == [
        (start, [Decoded("indoor", 21.5, "Cel")]),
        (
            start + timedelta(seconds=60),
            [Decoded("indoor", 18.0, "Cel"), Decoded("current", 23.0, "mA"), Decoded("current_sum", 7.0, "mA.s")],
        ),
        (start + timedelta(seconds=120), [Decoded("current_sum", 107.0, "mA.s")]),
    ]


def test_small_times_are_relative_to_now() -> None:
    pack = [{"n": "temp", "u": "Cel", "v": 1}, {"n": "temp", "u": "Cel", "t": -60.5, "v": 2}]

    assert [at for at, _ in read(SENML, pack)] == [NOON, NOON - timedelta(seconds=60.5)]
    assert read(SENML, pack[:1], now=None) == [(None, [Decoded("temp", 1.0, "Cel")])]
    assert body_refusal(SENML, json.dumps(pack).encode(), now=None)[:2] == ("field_value_invalid", "$[1].t")


def test_truth_is_a_number_and_text_is_passed_over() -> None:
    pack = [{"bn": "urn:x:", "n": "open", "vb": True}, {"n": "label", "vs": "Room"}, {"n": "raw", "vd": "aGkK"}]

    assert read(SENML, pack) == [(NOON, [Decoded("open", 1.0, "1")])]


def test_a_record_without_a_name_of_its_own_is_named_by_its_unit() -> None:
    pack = [{"bn": "urn:dev:ow:10e2", "bu": "%RH", "v": 20}, {"u": "lon", "v": 24.3}, {"u": "lat", "v": 60.1}]

    assert [decoded.property for _, found in read(SENML, pack) for decoded in found] == [
        "relative_humidity",
        "longitude",
        "latitude",
    ]


def test_records_are_chosen_and_named_by_measurements() -> None:
    wanted = (Measurement("urn:dev:1:level", "fill_level", "%", 100.0), Measurement("temp", "temperature", "Cel"))
    pack = [{"bn": "urn:dev:1:", "n": "level", "u": "/", "v": 0.5}, {"n": "temp", "v": 3}, {"n": "x", "v": 1}]

    assert read(Profile("p", 1, "senml", measurements=wanted), pack) == [
        (NOON, [Decoded("fill_level", 50.0, "%"), Decoded("temperature", 3.0, "Cel")])
    ]


@pytest.mark.parametrize(
    ("pack", "reason", "path"),
    [
        ({}, "field_type_wrong", "$"),
        ([1], "field_type_wrong", "$[0]"),
        ([{"n": "a"}], "field_missing", "$[0].v"),
        ([{"n": "a", "v": "1"}], "field_type_wrong", "$[0].v"),
        ([{"n": "a", "v": True}], "field_type_wrong", "$[0].v"),
        ([{"n": "a", "v": 1e16}], "number_out_of_range", "$[0].v"),
        ([{"n": "a", "v": 1, "vs": "x"}], "field_value_invalid", "$[0]"),
        ([{"n": "a", "vb": 1}], "field_type_wrong", "$[0].vb"),
        ([{"n": "a b", "v": 1}], "field_value_invalid", "$[0].n"),
        ([{"v": 1, "u": "Cel"}], "field_value_invalid", "$[0].n"),
        ([{"n": 7, "v": 1}], "field_type_wrong", "$[0].n"),
        ([{"n": "a", "u": "degC", "v": 1}], "unit_unknown", "$[0].u"),
        ([{"n": "a", "t": "now", "v": 1}], "field_type_wrong", "$[0].t"),
        ([{"n": "a", "t": 1e14, "v": 1}], "field_value_invalid", "$[0].t"),
        ([{"bver": 11, "n": "a", "v": 1}], "field_value_invalid", "$[0].bver"),
        ([{"must_": 1, "n": "a", "v": 1}], "field_value_invalid", "$[0].must_"),
        ([{"bn": "urn:1", "u": "/", "v": 1}], "field_value_invalid", "$[0].n"),
        ([{"n": "a", "v": 1}, {"n": "a", "v": 2}], "payload_undecodable", "$"),
        ([{"n": "a", "v": 1}] * 2001, "field_value_invalid", "$"),
    ],
)
def test_what_is_wrong_with_a_pack_is_named(pack: Any, reason: str, path: str) -> None:
    assert body_refusal(SENML, json.dumps(pack).encode())[:2] == (reason, path)


def test_every_unit_that_comes_of_a_codec_is_ucum() -> None:
    units = {*senml.SAME, *senml.OTHER.values(), *(row[-1] for row in cayenne_lpp._SINGLE.values())}
    units |= {wanted.unit for profile in builtin().values() for wanted in profile.measurements}
    registry = PintUcumRegistry()

    for unit in units - NO_PINT:
        assert registry.from_ucum(unit) is not None


def test_a_flat_object_says_its_numbers_itself() -> None:
    said = {"temperature": 21.4, "humidity": {"value": 40, "unit": "%"}, "open": True, "name": "a", "left": None}

    found = [Decoded("temperature", 21.4, None), Decoded("humidity", 40.0, "%"), Decoded("open", 1.0, None)]
    assert read(PLAIN, said) == [(None, found)]
    assert read(PLAIN, {**said, "time": "2026-01-31T13:00:00+01:00"}) == [
        (datetime(2026, 1, 31, 12, tzinfo=UTC), found)
    ]
    assert [at for at, _ in read(PLAIN, [said, {**said, "timestamp": "2026-01-31T12:00:00Z"}])] == [
        None,
        datetime(2026, 1, 31, 12, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("said", "reason", "path"),
    [
        (7, "field_type_wrong", "$"),
        ({}, "field_missing", "$"),
        ([{"a": 1}, {}], "field_missing", "$[1]"),
        ({"name": "x", "time": "2026-01-31T12:00:00Z"}, "field_missing", "$"),
        ({"temperature": "21.4"}, "field_type_wrong", "$.temperature"),
        ({"t": {"value": "1"}}, "field_type_wrong", "$.t.value"),
        ({"t": {"value": 1, "unit": 7}}, "field_type_wrong", "$.t.unit"),
        ({"sensors": {"t": 1}}, "field_type_wrong", "$.sensors"),
        ({"t": [1]}, "field_type_wrong", "$.t"),
        ({"t": 1e300}, "number_out_of_range", "$.t"),
        ({"t": 1, "time": 1700000000}, "field_type_wrong", "$.time"),
        ({"t": 1, "time": "yesterday"}, "field_value_invalid", "$.time"),
        (
            {"t": 1, "time": "2026-01-31T12:00:00Z", "timestamp": "2026-01-31T12:00:00Z"},
            "field_value_invalid",
            "$.timestamp",
        ),
    ],
)
def test_what_is_wrong_with_plain_json_is_named(said: Any, reason: str, path: str) -> None:
    assert body_refusal(PLAIN, json.dumps(said).encode())[:2] == (reason, path)


def test_nested_json_is_read_by_paths_and_its_own_times() -> None:
    profile = Profile(
        "station",
        1,
        "json",
        measurements=(Measurement("readings[*].t", "temperature", "Cel", 0.1), Measurement("batt", "battery", "V")),
        time_path="readings[*].at",
        time_format="unix_ms",
    )
    said = {"readings": [{"t": 215, "at": 1_700_000_000_000}, {"t": "220", "at": 1_700_000_060_500}, {"at": 1}]}
    start = datetime.fromtimestamp(1_700_000_000, UTC)

    assert read(profile, said) == [
        (start, [Decoded("temperature", 21.5, "Cel")]),
        (start + timedelta(seconds=60.5), [Decoded("temperature", 22.0, "Cel")]),
    ]
    assert body_refusal(profile, json.dumps({**said, "batt": 3.6}).encode())[:2] == (
        "field_missing",
        "$.readings[*].at",
    )
    broken = {"readings": [{"t": 1, "at": "soon"}]}
    assert body_refusal(profile, json.dumps(broken).encode())[:2] == ("field_type_wrong", "$.readings[*].at")


@pytest.mark.parametrize("how", ["rfc3339", "unix_s", "unix_ms"])
def test_one_time_counts_for_all_numbers_of_a_body(how: Any) -> None:
    wanted = (
        Measurement("data.a", "a", "1"),
        Measurement('data["b c"]', "b", "1"),
        Measurement("list[x=2].v", "c", "1"),
    )
    profile = Profile("p", 1, "json", measurements=wanted, time_path="$.at", time_format=how)
    at = {"rfc3339": "2023-11-14T22:13:20Z", "unix_s": 1_700_000_000, "unix_ms": "1700000000000"}[how]
    said = {"at": at, "data": {"a": 1, "b c": 2}, "list": [{"x": 1, "v": 8}, {"x": 2, "v": 9}]}

    found = [Decoded("a", 1.0, "1"), Decoded("b", 2.0, "1"), Decoded("c", 9.0, "1")]
    assert read(profile, said) == [(datetime.fromtimestamp(1_700_000_000, UTC), found)]


def test_two_values_of_one_property_at_one_time_are_refused() -> None:
    profile = Profile("p", 1, "json", measurements=(Measurement("v[*]", "a", "1"),))

    assert body_refusal(profile, b'{"v": [1, 2]}')[0] == "payload_undecodable"


def test_a_frame_may_carry_json_but_no_time_of_its_own() -> None:
    assert decode_frame(PLAIN, b'{"t": 1}', 1, NOON) == [Decoded("t", 1.0, None)]
    assert refusal(PLAIN, b'{"t": 1, "time": "2020-01-01T00:00:00Z"}')[:2] == ("payload_undecodable", "$.data")


def test_what_the_network_server_decoded_is_read_by_paths() -> None:
    profile = Profile("p", 1, "object", measurements=(Measurement("a.b[1]", "a", "m"),))

    assert decode_frame(profile, b"", 1, NOON, {"a": {"b": [1, 2]}}) == [Decoded("a", 2.0, "m")]
    assert refusal(profile)[:2] == ("payload_undecodable", "$.data")


def test_a_profile_without_a_codec_decodes_nothing() -> None:
    assert refusal(Profile("p", 1, "none"))[:2] == ("codec_missing", "$.data")
    assert body_refusal(LPP, b"{}")[:2] == ("codec_missing", "$")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda x: (
            st.lists(x, max_size=3)
            | st.dictionaries(
                st.sampled_from(["n", "v", "u", "t", "bn", "bt", "value", "time", "s", "vb"]), x, max_size=4
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_read_or_refused(said: Any) -> None:
    wanted = Profile(
        "p", 1, "json", measurements=(Measurement("[*].v", "v", "1"),), time_path="[*].t", time_format="unix_s"
    )
    paths = []
    for profile in (SENML, PLAIN, wanted):
        try:
            found = read(profile, said)
        except Refused as refused:
            found = []
            paths.append(refused.path)
        assert all(abs(decoded.value) <= 1e15 for _, values in found for decoded in values)
    assert all(path.startswith("$") for path in paths)
