"""Device profiles: their vectors are kept, and those shipped with the service read what they say."""

import dataclasses
from typing import Any

import pytest
from builders_codecs import NOON
from hypothesis import given, settings
from hypothesis import strategies as st

from oker_contracts import Refused
from oker_contracts.sensor.profile_declared_v1 import ProfileDeclaredV1
from sensor_ingest.codecs import Decoded, Measurement, Profile, Vector, builtin, check_profile, decode_frame
from sensor_ingest.codecs.paths import PathBroken, find, steps

SCRIPT = (
    "function decodeUplink(i) { return i.fPort === 1 ? { data: { a: { b: i.bytes[0] } } } : { errors: ['port'] }; }"
)
GOOD = Profile(
    "good",
    1,
    "javascript",
    SCRIPT,
    (Measurement("a.b", "a", "1"),),
    vectors=(Vector(1, "07", data={"a": {"b": 7}}), Vector(2, "07", errors=("port",))),
    owner="acme",
)


def faults(**changes: Any) -> list[str]:
    return check_profile(dataclasses.replace(GOOD, **changes))


def test_a_profile_whose_vectors_hold_has_no_fault() -> None:
    assert check_profile(GOOD) == []


@pytest.mark.parametrize(
    ("vector", "fault"),
    [
        (Vector(1, "07", data={"a": {"b": 8}}), "vectors[1].data.a.b: expected 8, got 7"),
        (Vector(1, "07", data={"a": {"b": "7"}}), "vectors[1].data.a.b: expected '7', got 7"),
        (Vector(1, "01", data={"a": {"b": True}}), "vectors[1].data.a.b: expected True, got 1"),
        (Vector(1, "07", data={"a": {"b": 7, "c": 1}}), "vectors[1].data.a.c: expected 1, got nothing"),
        (Vector(1, "07", data={"a": {}}), "vectors[1].data.a.b: expected nothing, got 7"),
        (Vector(1, "07", data={"a": [7]}), "vectors[1].data.a: expected [7], got {'b': 7}"),
        (Vector(1, "07", errors=("port",)), "vectors[1]: expected errors ['port'], got {'a': {'b': 7}}"),
        (Vector(2, "07", data={"a": 1}), "vectors[1]: expected data, got errors ['port']"),
        (Vector(2, "07", errors=("x",)), "vectors[1]: expected errors ['x'], got errors ['port']"),
        (Vector(1, "07"), "vectors[1]: it names neither data nor errors"),
        (Vector(1, "0g", data={}), "vectors[1]: expected data, got: non-hexadecimal number found"),
    ],
)
def test_each_difference_is_named_with_vector_and_path(vector: Vector, fault: str) -> None:
    (found,) = faults(vectors=(GOOD.vectors[0], vector))

    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"vectors": ()}, "vectors: a profile with codec javascript has at least one vector with data"),
        ({"vectors": (Vector(2, "07", errors=("port",)),)}, "vectors: a profile with codec javascript has at least"),
        ({"script": " "}, "script: a profile with codec javascript has a script"),
        ({"script": "x" * 65_537}, "script: it has more than 65536 bytes"),
        ({"codec": "cayenne_lpp", "vectors": ()}, "script: a profile with codec cayenne_lpp has none"),
        ({"measurements": ()}, "measurements: a profile with codec javascript names at least one"),
        ({"measurements": (Measurement("a..b", "a", "1"),)}, "measurements[0].path: 'a..b' is no path: not understood"),
        ({"measurements": (Measurement("a.c", "a", "1"),)}, "measurements[0].path: 'a.c' is in the data of no vector"),
        ({"measurements": (Measurement("a.b", "a", "1", 0.0),)}, "measurements[0].factor: it is a number other than 0"),
        ({"time_path": "t"}, "time_path: only a profile with codec json and measurements has one"),
        (
            {"script": "function decodeUplink( {"},
            "vectors[0]: expected data, got: The script of good@1 cannot be loaded",
        ),
        (
            {"script": "function decodeUplink() { for (;;) {} }"},
            "vectors[0]: expected data, got: Codec good@1 was stopped",
        ),
    ],
)
def test_a_profile_that_cannot_be_used_is_told_why(changes: dict[str, Any], fault: str) -> None:
    assert faults(**changes)[0].startswith(fault)


def test_a_syntax_error_is_told_with_its_line() -> None:
    assert "line 2" in faults(script="var a = 1;\nvar 2b;\nvar c;")[0]


@pytest.mark.parametrize("id", builtin())
def test_a_shipped_profile_keeps_its_vectors_and_the_contract(id: str) -> None:
    profile = builtin()[id]

    assert check_profile(profile) == []
    assert check_profile(dataclasses.replace(profile, owner="acme")) == []
    said = {
        "profile": profile.name,
        "version": profile.version,
        "title": profile.title,
        "codec": profile.codec,
        "script": profile.script,
        "measurements": [dataclasses.asdict(each) for each in profile.measurements],
        "variables": profile.variables,
        "vectors": [
            {**dataclasses.asdict(each), "errors": each.errors and list(each.errors)} for each in profile.vectors
        ],
    }
    assert ProfileDeclaredV1.model_validate(said).profile == profile.id.split("@")[0]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(builtin())), st.binary(max_size=60), st.sampled_from([0, 1, 2, 3, 5, 10, 85, 100, 255]))
def test_a_shipped_codec_reads_or_refuses_any_bytes(id: str, payload: bytes, f_port: int) -> None:
    said: list[Decoded] | Refused
    try:
        said = decode_frame(builtin()[id], payload, f_port, NOON)
    except Refused as refused:
        said = refused

    assert isinstance(said, list) or not ("was stopped" in said.detail or " threw " in said.detail)


def test_a_lht65_gives_its_measurements_with_units() -> None:
    payload = bytes.fromhex("cbb8ff9c01f401fe0c7fff")

    assert decode_frame(builtin()["dragino-lht65@1"], payload, 2, NOON) == [
        Decoded("battery_voltage", 3.0, "V"),
        Decoded("temperature", -1.0, "Cel"),
        Decoded("relative_humidity", 50.0, "%"),
        Decoded("probe_temperature", -5.0, "Cel"),
    ]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", [((), {"b": [1, {"c": 2}], "d.e": 3})]),
        ("a.b[0]", [((), 1)]),
        ("$.a.b[1].c", [((), 2)]),
        ('a["d.e"]', [((), 3)]),
        ("a.b[*]", [((0,), 1), ((1,), {"c": 2})]),
        ("a.b[*].c", [((1,), 2)]),
        ("a.b[c=2].c", [((), 2)]),
        ("a.b[2]", []),
        ("a.x.y", []),
        ("a[0]", []),
    ],
)
def test_a_path_leads_to_its_values(path: str, found: list[Any]) -> None:
    assert list(find({"a": {"b": [1, {"c": 2}], "d.e": 3}}, path)) == found


@pytest.mark.parametrize("path", ["", "$", ".a", "a..b", "a[", "a[x]", "a[-1]", "a b", "a[0]b", "a.", "*", "$.$"])
def test_what_is_no_path_is_refused_with_its_place(path: str) -> None:
    with pytest.raises(PathBroken, match="is no path"):
        steps(path)
