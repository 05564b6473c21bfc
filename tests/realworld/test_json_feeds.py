"""Plain JSON as others send it, read by declarative mappings: citizens' sensors and car parks.

A record of a feed is what an adapter would publish on `readings/<device>`. Feeds in XML or CSV, and those whose free
places have to be added up, need an adapter that does more; they are not tried here.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from oker_contracts.base import parse_instant
from oker_testkit.counts import Counts
from sensor_ingest.codecs import Measurement, Profile, decode_json

Feed = tuple[Callable[[Any], list[Any]], str | None, dict[str, tuple[str, Callable[[Any], float | None]]]]
PARKING: dict[str, Feed] = {
    "ellwangen_sensit/source/ellwangen_sensit.json": (
        list,
        None,
        {
            "free": ("actualStatus.vacantSpaces", lambda site: site["actualStatus"]["vacantSpaces"]),
            "capacity": ("actualStatus.parkingCapacity", lambda site: site["actualStatus"]["parkingCapacity"]),
        },
    ),
    "freiburg_disabled_sensors/source/freiburg_disabled_sensors.geojson": (
        lambda feed: feed["features"],
        None,
        {"occupied": ("properties.status", lambda spot: spot["properties"]["status"])},
    ),
    "kienzler_ulm/source/kienzler_ulm.json": (
        list,
        None,
        {
            "free": ("bookable", lambda site: site["bookable"]),
            "capacity": ("sum_boxes", lambda site: site["sum_boxes"]),
        },
    ),
    "mannheim_buchen/source/mannheim.json": (
        lambda feed: feed["items"],
        "realtime_data_updated_at",
        {"free": ("realtime_free_capacity", lambda site: site["realtime_free_capacity"])},
    ),
    "velobrix/source/velobrix.json": (
        list,
        None,
        {
            "free": ("countFreeLogicalBoxes", lambda site: site["countFreeLogicalBoxes"]),
            "below": ("boxTypes[0].countFreeLogicalBoxes", lambda site: site["boxTypes"][0]["countFreeLogicalBoxes"]),
        },
    ),
}


def mapping(paths: dict[str, str], units: dict[str, str], time_path: str | None = None) -> Profile:
    """A profile that reads plain JSON."""
    measurements = tuple(Measurement(path, name, units.get(name, "1")) for name, path in paths.items())
    return Profile("feed", 1, "json", measurements=measurements, time_path=time_path)


def decoded(profile: Profile, record: Any) -> tuple[Any, dict[str, float]]:
    """Time and values of a record with one time."""
    ((at, found),) = decode_json(profile, json.dumps(record).encode())
    return at, {number.property: number.value for number in found}


@pytest.mark.parametrize("name", PARKING)
def test_records_of_car_parks_become_readings(realworld: Path, counts: Counts, name: str) -> None:
    split, time_path, wanted = PARKING[name]
    profile = mapping({key: path for key, (path, _) in wanted.items()}, {}, time_path)
    tally = counts.of(f"german-parking-feeds: {name.split('/')[0]}")
    records: Sequence[Any] = split(json.loads((realworld / "german-parking-feeds" / name).read_text("utf-8")))

    for number, record in enumerate(records):
        with tally.case(str(number)):
            at, values = decoded(profile, record)
            assert values == {key: look(record) for key, (_, look) in wanted.items()}
            assert at == (parse_instant(record[time_path]) if time_path else None)
    tally.check()


def test_numbers_of_citizens_sensors_are_read_out_of_their_texts(realworld: Path, counts: Counts) -> None:
    """sensor.community says `{"value_type": "SDS_P1", "value": "5.38"}`: a name beside a number in quotes."""
    units = {"pm10": "ug/m3", "pm2_5": "ug/m3"}
    types = {"pm10": "SDS_P1", "pm2_5": "SDS_P2", "samples": "samples", "shortest": "min_micro", "longest": "max_micro"}
    profile = mapping({name: f"sensordatavalues[value_type={kind}].value" for name, kind in types.items()}, units)
    tally = counts.of("citizen-sensor-push")

    for file in sorted((realworld / "citizen-sensor-push").glob("*.json")):
        body = json.loads(file.read_text("utf-8"))
        said = {row["value_type"]: row["value"] for row in body["sensordatavalues"]}
        _, values = decoded(profile, body)
        for name, kind in types.items():
            with tally.case(f"{file.name} {kind}"):
                assert values[name] == float(said[kind])
    tally.check()


def test_a_number_with_its_unit_in_one_text_is_explained(realworld: Path, counts: Counts) -> None:
    """`"-59 dBm"` is no number: nothing is guessed out of it."""
    profile = mapping({"signal": "sensordatavalues[value_type=signal].value"}, {"signal": "dB[mW]"})
    tally = counts.of("citizen-sensor-push: no number")

    for file in sorted((realworld / "citizen-sensor-push").glob("*.json")):
        with tally.case(file.name):
            found = decode_json(profile, file.read_bytes())
            assert found == []
    tally.check()
