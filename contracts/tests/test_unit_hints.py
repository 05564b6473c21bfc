"""Who writes a unit as on paper hears how UCUM writes it, and not the pattern that it breaks."""

import json
from typing import Any

import pytest

from oker_contracts import Reason, Refused, reader
from oker_contracts.unit_hints import hint


def refused(type: str, data: dict[str, Any]) -> Refused:
    with pytest.raises(Refused) as caught:
        reader().data(reader().entry(f"de.oker.{type}"), json.dumps(data).encode())
    return caught.value


def a_reading(unit: str) -> dict[str, Any]:
    results = [{"property": "t", "value": 21.5, "unit": unit}]
    return {"device": "pump-7", "phenomenon_time": "2026-01-31T12:00:00Z", "results": results}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("°C", "Cel"),
        ("° C", "Cel"),
        ("Cel ", "Cel"),
        ("m³/h", "m3/h"),
        ("µg/m³", "ug/m3"),
        ("μS/cm", "uS/cm"),
        ("W/m²", "W/m2"),
        ("kΩ", "kOhm"),
        ("m·s⁻¹", "m.s-1"),
        ("°F", "[degF]"),
        ("‰", "[ppth]"),
    ],
)
def test_a_unit_that_is_not_ascii_is_refused_with_what_to_write(said: str, meant: str) -> None:
    found = refused("sensor.reading_reported.v1", a_reading(said))

    assert (found.reason, found.path) == (Reason.FIELD_VALUE_INVALID, "$.results[0].unit")
    assert found.detail == f"{said!r} is no UCUM unit; write {meant}."


@pytest.mark.parametrize("said", ["温度", "☃", "\u202e", "°\x00", "é" * 32])
def test_a_unit_that_means_nothing_gets_no_guess(said: str) -> None:
    assert "see ucum.org" in refused("sensor.reading_reported.v1", a_reading(said)).detail


def test_all_claims_that_name_a_unit_say_it_alike() -> None:
    stream = {"property": "t", "unit": "°C", "dataset": "d", "observed_property": "Air temperature"}
    declared = refused("sensor.device_declared.v2", {"device": "d", "name": "D", "datastreams": [stream]})
    many = refused("sensor.readings_reported.v1", {"readings": [a_reading("°C")]})

    assert declared.detail == many.detail == "'°C' is no UCUM unit; write Cel."


def test_what_is_right_already_gets_no_hint() -> None:
    assert [hint(code) for code in ("Cel", "m3/h", "{visitors}")] == [None, None, None]
