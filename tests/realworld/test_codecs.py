"""Codecs and formats against published vectors and recorded frames.

A device for which no profile is shipped counts as a case that does not hold. Our codecs use the vendors' names and may
say more than a vector expects; numbers may differ by 1e-9 of their size.
"""

import dataclasses
import json
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from oker_contracts import Refused
from oker_testkit.counts import Counts
from sensor_ingest.codecs import Profile, builtin, decode_frame, senml
from sensor_ingest.codecs.decoding import decoded_data
from sensor_ingest.codecs.javascript import CodecErrors
from sensor_ingest.codecs.vectors import differences

VECTORS = "lorawan-codec-vectors-ttn"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAMILIES = {
    "bosch": "bosch-tps110",
    "browan": "browan-tabs",
    "elsys": "elsys",
    "opensource": "paxcounter",
    "sensecap": "sensecap-air",
    "tekzitel": "tekzipark",
}
"""Vendors all of whose devices have one profile; for others it is named by vendor and device."""
CALIBRATED = {"decentlab-dl-kl66": {"model": "dl-kl66", "f0": "15383.72", "k": "46.4859"}}
"""Variables of an individual device."""
MILESIGHT = {
    "am102l": "am102",
    "am103l": "am103",
    "am307l": "am307",
    "am308l": "am308",
    "am319l": "am319",
    "em300-sld-zld": "em300-sld",
    "vs34x": "vs340",
}
NOT_MEASURED = ("lora_", "ts")


def shipped(vendor: str, device: str) -> Profile | None:
    """The profile of a device in a data set; its names carry variants behind the model."""
    name = FAMILIES.get(vendor, f"{vendor}-{MILESIGHT.get(device, device) if vendor == 'milesight' else device}")
    found = [profile for profile in builtin().values() if name == profile.name or name.startswith(f"{profile.name}-")]
    if not found:
        return None
    profile = max(found, key=lambda each: len(each.name))
    return dataclasses.replace(profile, variables=CALIBRATED.get(profile.name, profile.variables))


def rows(file: Path) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in file.read_text("utf-8").splitlines())


def said(profile: Profile, payload: bytes, f_port: int) -> Any:
    return decoded_data(profile, payload, f_port, NOW, None, lambda: 0.0)


def within(got: Any, expected: Any) -> Any:
    """Of what was decoded, the part that the vector speaks of."""
    if isinstance(got, dict) and isinstance(expected, dict):
        return {name: within(got[name], expected[name]) for name in expected if name in got}
    return got


def without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_null(inner) for name, inner in value.items() if inner is not None}
    return value


def hold(row: dict[str, Any]) -> None:
    profile = shipped(row["vendor"], row["device"])
    assert profile, "no profile is shipped"
    expected, payload = row["expected"], bytes.fromhex(row["bytes_hex"])
    if expected.get("errors"):
        with pytest.raises(CodecErrors) as caught:
            said(profile, payload, row["fPort"])
        assert list(caught.value.errors) == expected["errors"]
        return
    data = without_null(expected["data"])
    assert list(differences(data, within(said(profile, payload, row["fPort"]), data))) == []


def test_published_vectors_hold(realworld: Path, counts: Counts) -> None:
    everything = list(rows(realworld / VECTORS / "vectors.jsonl"))
    names = sorted({row["vendor"] for row in everything if shipped(row["vendor"], row["device"])})
    tallies = {name: counts.of(f"{VECTORS}: {name}") for name in names}
    whole = counts.of(VECTORS)

    for row in everything:
        with whole.case(row["id"]):
            hold(row)
        if row["vendor"] in tallies:
            with tallies[row["vendor"]].case(row["id"]):
                hold(row)

    for tally in (whole, *tallies.values()):
        tally.check()


@cache
def frames(file: Path) -> list[tuple[str, str, bytes, int, dict[str, Any]]]:
    """Vendor, device, bytes, port and the values that the data set's converter gives."""
    found = []
    for row in rows(file):
        uplink = row["payload"].get("uplink_message", row["payload"])
        payload = b64decode(uplink.get("frm_payload", uplink.get("data", "")))
        port = uplink.get("f_port", uplink.get("fPort", 0))
        values = row["expected"].get("telemetry", [])
        first = values[0].get("values", {}) if isinstance(values, list) and values else values
        found.append((row["vendor"].lower(), row["device"].lower(), payload, port, first or {}))
    return found


@pytest.mark.parametrize("vendor", ["bosch", "decentlab", "elsys", "milesight"])
@pytest.mark.parametrize("name", ["chirpstack_v4.jsonl", "tts_v3_community.jsonl"])
def test_recorded_frames_give_the_values_of_the_converter(
    realworld: Path, counts: Counts, name: str, vendor: str
) -> None:
    tally = counts.of(f"lorawan-uplinks-thingsboard/{name}: decoded, {vendor}")
    for number, (maker, device, payload, port, expected) in enumerate(
        frames(realworld / "lorawan-uplinks-thingsboard" / name)
    ):
        if maker != vendor or not payload:
            continue
        with tally.case(f"{device} {number}"):
            profile = shipped(vendor, "tps110" if vendor == "bosch" else device)
            assert profile, "no profile is shipped"
            got = said(profile, payload, port)
            for key, value in expected.items():
                if not key.startswith(NOT_MEASURED) and isinstance(value, (int, float)):
                    number_said = got["motion" if key == "pir" and vendor == "elsys" else key]
                    number_said = number_said["value"] if isinstance(number_said, dict) else number_said
                    assert number_said == pytest.approx(float(value), rel=1e-9), key
    tally.check()


def flat(expected: dict[str, Any]) -> dict[str, float]:
    """Axes by the name of their property: ``gps_12.latitude`` becomes ``gps_12_latitude``."""
    axes = {name: value for name, value in expected.items() if isinstance(value, dict)}
    single = {name: value for name, value in expected.items() if name not in axes}
    return single | {f"{name}_{axis}": value for name, parts in axes.items() for axis, value in parts.items()}


def test_cayenne_lpp_of_other_implementations_is_decoded_alike(realworld: Path, counts: Counts) -> None:
    tally = counts.of("lorawan-cayennelpp")
    for vector in json.loads((realworld / "lorawan-cayennelpp" / "vectors.json").read_text()):
        with tally.case(vector["id"]):
            found = decode_frame(builtin()["cayenne-lpp@1"], bytes.fromhex(vector["hex"]), 1, NOW)
            assert {each.property: each.value for each in found} == pytest.approx(flat(vector["expected"]), abs=1e-5)
    tally.check()


def resolved(pack: Any, now: datetime) -> list[dict[str, Any]]:
    return [
        {
            name: value
            for name, value in {
                "n": record.name,
                "u": record.unit,
                "t": record.time.timestamp() if record.time else None,
                "v": record.value,
                "vb": record.flag,
            }.items()
            if value is not None
        }
        for record in senml.resolve(pack, now)
    ]


def test_the_examples_of_senml_are_resolved(realworld: Path, counts: Counts) -> None:
    tally = counts.of("senml-rfc8428")
    for file in sorted((realworld / "senml-rfc8428").glob("*.resolved.json")):
        with tally.case(file.name):
            expected = json.loads(file.read_text())
            pack = json.loads(file.with_name(file.name.replace(".resolved", "")).read_text())
            # what has no time of its own has that of the run which made the example; the example lost its "vd" records
            now = datetime.fromtimestamp(expected[0]["t"], UTC)
            without_data = [{k: v for k, v in record.items() if k != "vs"} for record in expected]
            got = resolved([record for record in pack if "vd" not in record], now)
            assert list(differences(without_data, got)) == []
    with tally.case("ex13.json, which has no resolved form"):
        pack = json.loads((realworld / "senml-rfc8428" / "ex13.json").read_text())
        assert [record["t"] for record in resolved(pack, NOW)] == [1320078429.0] * 2 + [1320078429.1] * 2
    tally.check()


def test_noise_in_place_of_a_frame_is_refused_or_read(realworld: Path, counts: Counts) -> None:
    tally = counts.of("lorawan-uplinks-thingsboard: frames in foreign profiles")
    found = frames(realworld / "lorawan-uplinks-thingsboard" / "chirpstack_v4.jsonl")
    outcomes = [
        [_outcome(profile, payload, port) for _, _, payload, port, _ in found] for profile in builtin().values()
    ]
    for number, (_, device, _, _, _) in enumerate(found):
        with tally.case(f"{device} {number}"):
            assert not [said[number] for said in outcomes if "was stopped" in said[number] or " threw " in said[number]]
    tally.check()


def _outcome(profile: Profile, payload: bytes, port: int) -> str:
    try:
        return str(decode_frame(profile, payload, port, NOW))
    except Refused as refused:
        return refused.detail
