"""Devices from a CSV file: right rows become declarations, wrong rows are named, and no cell is ever a formula."""

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from builders_sensor_ingest import NOON, a_datastream, a_device
from hypothesis import given
from hypothesis import strategies as st

from oker_contracts import Refused
from oker_contracts.sensor.device_declared_v2 import DeviceDeclaredV2
from sensor_ingest import domain, onboarding, units
from sensor_ingest.domain import Device, Point, ProfileRef, Terms
from sensor_ingest.onboarding import Result

TERMS = Terms(("environment", "grid"), units.check_unit, lambda ref: ref.name == "dragino-lht65", NOON)
HEADER = "device;name;property;unit;dataset;observed_property"
RIGHT = "trafo-12;Trafostation Bültenweg;power_1;kW;grid;Wirkleistung"
PLACED = f"{HEADER};longitude;latitude;altitude"
FULL = ";".join(onboarding.COLUMNS)


def a_file(*rows: str, header: str = HEADER) -> bytes:
    return "\r\n".join([header, *rows]).encode()


def judged(body: bytes, *known: Device, terms: Terms = TERMS) -> tuple[list[Result], list[dict[str, Any]]]:
    """The results, and the data of the declarations."""
    rows = onboarding.read_rows(body)
    results, claims = onboarding.judge("stadtwerke", rows, {device.device: device for device in known}, terms)
    return results, [json.loads(claim.data) for claim in claims.values()]


def refused(body: bytes, *known: Device) -> list[tuple[int, str, str]]:
    return [(r.row, r.code, r.column) for r in judged(body, *known)[0] if r.outcome == "refused"]


def known_device(**said: Any) -> Device:
    words: dict[str, Any] = {
        "location": Point(10.5, 52.25, 71.5),
        "profile": ProfileRef("dragino-lht65", 1),
        "hardware": "h-1",
        "declared": (NOON - timedelta(days=1), "/scada", "1"),
    }
    return replace(a_device(), **(words | said))


def test_rows_of_a_device_become_one_declaration() -> None:
    second = "trafo-12;;temperature;Cel;environment;Lufttemperatur"

    results, declared = judged(a_file(RIGHT, second))

    assert [(r.row, r.device, r.outcome) for r in results] == [(2, "trafo-12", "accepted"), (3, "trafo-12", "accepted")]
    assert len({result.id for result in results}) == 1
    assert DeviceDeclaredV2.model_validate_json(json.dumps(declared[0])).name == "Trafostation Bültenweg"
    assert [stream["property"] for stream in declared[0]["datastreams"]] == ["power_1", "temperature"]


def test_all_columns_are_read() -> None:
    row = (
        "t-1;p;%;grid;Feuchte;Name;Im Keller;dragino-lht65;3;70B3D57ED0001A2C;10.5;52.25;71.5;https://x.org/p;900;0;100"
    )

    (said,) = judged(a_file(row, header=FULL))[1]

    assert said == {
        "device": "t-1",
        "name": "Name",
        "description": "Im Keller",
        "profile": {"name": "dragino-lht65", "version": 3},
        "hardware": "70B3D57ED0001A2C",
        "location": {"type": "Point", "coordinates": [10.5, 52.25, 71.5]},
        "datastreams": [
            {
                "property": "p",
                "unit": "%",
                "dataset": "grid",
                "observed_property": "Feuchte",
                "definition": "https://x.org/p",
                "interval_seconds": 900,
                "minimum": 0.0,
                "maximum": 100.0,
            }
        ],
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("separator", [";", ","])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_a_spreadsheet_saves_is_read(encoding: str, separator: str, newline: str) -> None:
    text = newline.join([HEADER.upper(), "", RIGHT, ";;;;;", ""]).replace(";", separator)

    results, declared = judged(text.encode(encoding))

    assert [(result.row, result.outcome) for result in results] == [(3, "accepted")]
    assert declared[0]["name"] == "Trafostation Bültenweg"


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        ("trafo 12;N;power_1;kW;grid;W", "field_value_invalid", "device"),
        (";N;power_1;kW;grid;W", "field_value_invalid", "device"),
        ("t;;power_1;kW;grid;W", "field_missing", "name"),
        ("t;N;Power;kW;grid;W", "field_value_invalid", "property"),
        ("t;N;power_1;kWh;grid;W", "unit_unknown", "unit"),
        ("t;N;power_1;;grid;W", "unit_unknown", "unit"),
        ("t;N;power_1;m³;grid;W", "unit_unknown", "unit"),
        ("t;N;power_1;kW;visitors;W", "dataset_unknown", "dataset"),
        ("t;N;power_1;kW;Grid!;W", "field_value_invalid", "dataset"),
        ("t;N;power_1;kW;grid;", "field_value_invalid", "observed_property"),
        ("t;N;power_1;kW;grid", "field_value_invalid", ""),
        ("t;N;power_1;kW;grid;W;x", "field_value_invalid", ""),
        ("t;N;power_1;kW;grid;" + "x" * 20_001, "field_value_invalid", ""),
    ],
)
def test_a_wrong_row_is_named_with_its_column(row: str, code: str, column: str) -> None:
    assert refused(a_file(RIGHT, row)) == [(3, code, column)]


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("longitude", "10,5", "field_value_invalid"),
        ("latitude", "1.052,5", "field_value_invalid"),
        ("longitude", "181", "number_out_of_range"),
        ("latitude", "N 52", "field_type_wrong"),
        ("altitude", "nan", "field_type_wrong"),
        ("interval_seconds", "1.5", "field_type_wrong"),
        ("interval_seconds", "0", "number_out_of_range"),
        ("minimum", "1e999", "number_out_of_range"),
        ("maximum", "-1", "field_value_invalid"),
        ("profile", "dragino-lht66", "profile_unknown"),
        ("profile", "No Slug", "field_value_invalid"),
        ("profile_version", "x", "field_type_wrong"),
        ("definition", "not a uri", "field_value_invalid"),
        ("hardware", "no id!", "field_value_invalid"),
    ],
)
def test_a_wrong_cell_is_named_with_its_column(column: str, cell: str, code: str) -> None:
    right = "t-1;p;%;grid;Feuchte;Name;Im Keller;dragino-lht65;3;h-1;10.5;52.25;71.5;https://x.org/p;900;0;100"
    cells = right.split(";")
    cells[onboarding.COLUMNS.index(column)] = cell

    (found,) = judged(a_file(";".join(cells), header=FULL))[0]

    assert (found.outcome, found.code) == ("refused", code)
    assert found.column == ("minimum" if column == "maximum" else column)
    assert judged(a_file(right, header=FULL))[0][0].outcome == "accepted"


def test_a_decimal_comma_is_said_to_be_one() -> None:
    (found,) = judged(a_file(RIGHT + ";10,5;52.2;", header=PLACED))[0]

    assert found.detail == "The number has a decimal comma; write it with a point: 10.5."


def test_half_a_place_is_no_place() -> None:
    assert refused(a_file(RIGHT + ";10.5;;", header=PLACED)) == [(2, "field_missing", "latitude")]
    assert refused(a_file(RIGHT + ";;;70", header=PLACED)) == [(2, "field_missing", "longitude")]


def test_a_device_with_a_wrong_row_gets_its_right_ones() -> None:
    wrong, third = "trafo-12;;power_2;kw;grid;W", "trafo-12;;power_3;W;grid;W"

    results, declared = judged(a_file(RIGHT, wrong, third))

    assert [result.outcome for result in results] == ["accepted", "refused", "accepted"]
    assert [stream["property"] for stream in declared[0]["datastreams"]] == ["power_1", "power_3"]


def test_rows_of_a_device_must_not_contradict() -> None:
    other = "trafo-12;Other name;power_2;kW;grid;W"

    assert refused(a_file(RIGHT, other)) == [(3, "field_value_invalid", "name")]
    assert refused(a_file(RIGHT, RIGHT)) == [(3, "field_value_invalid", "property")]
    assert refused(a_file("trafo-12;;power_2;kW;grid;W", other)) == [(2, "field_missing", "name")]


def test_what_no_row_says_of_a_known_device_stays() -> None:
    (said,) = judged(a_file("trafo-12;;power_2;kW;grid;W"), known_device())[1]

    assert said["name"] == "Trafostation"
    assert (said["hardware"], said["profile"]) == ("h-1", {"name": "dragino-lht65", "version": 1})
    assert said["location"] == {"type": "Point", "coordinates": [10.5, 52.25, 71.5]}


def test_a_unit_that_would_change_is_refused_before_it_is_handed_in() -> None:
    assert refused(a_file("trafo-12;;power_1;W;grid;W"), known_device()) == [(2, "unit_changed", "unit")]


def test_a_file_that_was_taken_changes_nothing_when_it_comes_again() -> None:
    file = a_file("trafo-12;;power_1;kW;grid;Wirkleistung")

    results, declared = judged(file, known_device())

    assert ([result.outcome for result in results], declared) == (["unchanged"], [])
    assert judged(a_file("trafo-12;New;power_1;kW;grid;Wirkleistung"), known_device())[0][0].outcome == "accepted"


def test_what_any_row_says_of_the_device_counts() -> None:
    rows = ["trafo-12;;power_1;kW;grid;Wirkleistung;", "trafo-12;;power_2;kW;grid;Wirkleistung;h-9"]
    known = known_device(datastreams=domain.by_property([a_datastream("power_1"), a_datastream("power_2")]))

    results, declared = judged(a_file(*rows, header=f"{HEADER};hardware"), known)

    assert [result.outcome for result in results] == ["accepted", "accepted"]
    assert declared[0]["hardware"] == "h-9"


def test_a_file_sent_twice_says_the_same_event_and_taken_back_another() -> None:
    file = a_file("trafo-12;New;power_1;kW;grid;Wirkleistung")
    meanwhile = known_device(declared=(NOON - timedelta(hours=1), "/scada", "2"))

    def id(*known: Device, now: timedelta = timedelta()) -> str:
        return judged(file, *known, terms=replace(TERMS, now=NOON + now))[0][0].id

    assert id(known_device()) == id(known_device(), now=timedelta(hours=1))
    assert len({id(), id(known_device()), id(meanwhile)}) == 3


def test_many_datastreams_of_a_device_are_several_declarations() -> None:
    rows = [f"trafo-12;Trafo;power_{n};kW;grid;W" for n in range(130)]

    results, declared = judged(a_file(*rows))

    assert [len(said["datastreams"]) for said in declared] == [64, 64, 2]
    assert {result.outcome for result in results} == {"accepted"}


def test_a_file_is_judged_as_the_handler_will_judge_it() -> None:
    """Each declaration that goes in is registered, in any order, and the device is what the rows say."""
    rows = onboarding.read_rows(a_file(RIGHT, "trafo-12;;power_2;W;environment;W", "z-1;Zähler;power_1;kW;grid;W"))
    _, claims = onboarding.judge("stadtwerke", rows, {}, TERMS)

    for claim in claims.values():
        said = DeviceDeclaredV2.model_validate_json(claim.data)
        device = onboarding.device_of("stadtwerke", said, (NOON, claim.source, claim.id))
        assert domain.register(device, None, TERMS).datastreams.keys() == {s.property for s in said.datastreams}


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        (b"", "body_empty", "$"),
        (HEADER.encode(), "body_empty", "$"),
        (a_file(RIGHT, header=HEADER + ";colour"), "field_value_invalid", "row 1"),
        (a_file(RIGHT, header=HEADER + ";unit"), "field_value_invalid", "row 1"),
        (a_file(RIGHT, header=HEADER.replace("unit", "name2")), "field_value_invalid", "row 1"),
        (a_file(RIGHT, header=HEADER.removesuffix(";observed_property")), "field_missing", "row 1"),
        (a_file(RIGHT).decode().encode("cp1252"), "encoding_invalid", "$"),
        (a_file(RIGHT).decode().encode("utf-16"), "encoding_invalid", "$"),
        (a_file(RIGHT + "\0"), "encoding_invalid", "$"),
        (a_file(RIGHT, '"open'), "field_value_invalid", "row 3"),
        (a_file(*[RIGHT] * 10_001), "body_too_large", "$"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(body: bytes, code: str, path: str) -> None:
    with pytest.raises(Refused) as error:
        onboarding.read_rows(body)

    assert (str(error.value.reason), error.value.path) == (code, path)


def test_cells_that_a_spreadsheet_would_run_are_text() -> None:
    dangerous = ["=1+1", "@SUM(1)", "+1", "-1", "  =cmd", "\t=cmd", "＝1", "\n=1"]

    results = [Result(2, cell, "refused", detail=cell) for cell in dangerous]
    cells = [cell for row in csv.reader(io.StringIO(onboarding.results_csv(results))) for cell in row]

    assert not [cell for cell in cells if cell.strip()[:1] in ("=", "@", "+", "-", "＝")]
    assert cells.count("'=1+1") == 2


cells = st.one_of(st.sampled_from(["t-1", "power_1", "kW", "grid", "10,5", "=1", ""]), st.text(max_size=12))


@given(st.lists(st.lists(cells, min_size=9, max_size=9), min_size=1, max_size=5))
def test_each_row_of_any_file_is_accepted_or_named(rows: list[list[str]]) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL)
    writer.writerows([PLACED.split(";"), *rows])
    try:
        read = onboarding.read_rows(file.getvalue().encode("utf-8", "replace"))
    except Refused:
        return  # the file as a whole, see above
    results, claims = onboarding.judge("stadtwerke", read, {}, TERMS)

    assert [result.row for result in results] == [row.number for row in read]
    assert all(result.id in claims if result.outcome == "accepted" else result.detail for result in results)


WITH_HARDWARE = f"{HEADER};hardware"


def row_of(device: str, hardware: str) -> str:
    return f"{device};Name;power_1;kW;grid;Wirkleistung;{hardware}"


def test_a_row_that_takes_another_device_s_hardware_is_named_and_the_others_go_in() -> None:
    terms = replace(TERMS, holder={"70b3d57ed0001a2c": "pegel-1"}.get)
    rows = [row_of("t-1", "70B3D57ED0001A2C"), row_of("t-2", "h-2")]

    results, _ = judged(a_file(*rows, header=WITH_HARDWARE), terms=terms)

    assert [(r.outcome, r.code, r.column) for r in results] == [
        ("refused", "hardware_taken", "hardware"),
        ("accepted", "", ""),
    ]
    assert "pegel-1" in results[0].detail


def test_of_two_devices_of_a_file_with_one_hardware_the_first_has_it() -> None:
    results, _ = judged(a_file(row_of("t-1", "h-2"), row_of("t-2", "h-2"), header=WITH_HARDWARE))

    assert [(r.device, r.outcome, r.code) for r in results] == [
        ("t-1", "accepted", ""),
        ("t-2", "refused", "hardware_taken"),
    ]


def test_hardware_that_an_earlier_row_frees_may_be_declared_anew() -> None:
    terms = replace(TERMS, holder={"h-1": "trafo-12"}.get)
    rows = [row_of("trafo-12", "h-3"), row_of("t-2", "h-1")]

    results, _ = judged(a_file(*rows, header=WITH_HARDWARE), known_device(), terms=terms)

    assert [r.outcome for r in results] == ["accepted", "accepted"]
