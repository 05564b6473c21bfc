"""What a row of a history says, in the words of German archives as well, and how rows become events."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oker_cli import import_rows
from oker_cli.failure import Failure
from oker_cli.import_rows import MOST_ROWS, Chunk, Fault, Layout, Repeated, Row, cut, read_csv, read_jsonl, reading_of
from oker_contracts.sensor.readings_reported_v1 import ReadingsReportedV1

BERLIN = ZoneInfo("Europe/Berlin")
HEADING = "device,phenomenon_time,property,value,unit"
GOOD = {
    "device": "pump-7",
    "phenomenon_time": "2026-01-31T12:00:00+01:00",
    "property": "flow",
    "value": "41.5",
    "unit": "m3/h",
}


def said(layout: Layout = Layout(), **changes: Any) -> dict[str, Any]:  # noqa: B008
    return reading_of(Row(2, GOOD | changes), layout)


def fault(layout: Layout = Layout(), **changes: Any) -> tuple[str, str]:  # noqa: B008
    with pytest.raises(Fault) as caught:
        said(layout, **changes)
    return caught.value.column, caught.value.sentence


def at(time: str, layout: Layout) -> datetime:
    return datetime.fromisoformat(said(layout, phenomenon_time=time)["phenomenon_time"])


def test_a_row_is_a_reading_that_was_determined_when_it_was_true() -> None:
    assert said() == {
        "device": "pump-7",
        "phenomenon_time": "2026-01-31T12:00:00+01:00",
        "result_time": "2026-01-31T12:00:00+01:00",
        "results": [{"property": "flow", "value": 41.5, "unit": "m3/h"}],
    }


def test_a_row_may_say_when_it_was_determined() -> None:
    assert said(result_time="2026-02-01T00:00:00Z")["result_time"] == "2026-02-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"device": ""}, "device"),
        ({"device": "../etc"}, "device"),
        ({"device": "=cmd|' /C calc'!A0"}, "device"),
        ({"device": "a\x00b"}, "device"),
        ({"device": "pump\udcff"}, "device"),
        ({"device": 7}, "device"),
        ({"property": "Flow"}, "property"),
        ({"unit": "m3 / h"}, "unit"),
        ({"unit": None}, "unit"),
        ({"value": ""}, "value"),
        ({"value": "n/a"}, "value"),
        ({"value": "NaN"}, "value"),
        ({"value": "-inf"}, "value"),
        ({"value": "1e400"}, "value"),
        ({"value": "1_000"}, "value"),
        ({"value": True}, "value"),
        ({"value": [1]}, "value"),
        ({"value": "1e16"}, "value"),
        ({"phenomenon_time": "yesterday"}, "phenomenon_time"),
        ({"phenomenon_time": "2026-02-30T00:00:00Z"}, "phenomenon_time"),
        ({"phenomenon_time": 1_700_000_000}, "phenomenon_time"),
        ({"result_time": "12:00"}, "result_time"),
    ],
)
def test_a_wrong_row_is_named_by_its_column(changes: dict[str, Any], column: str) -> None:
    assert fault(**changes)[0] == column


def test_a_decimal_comma_is_read_if_it_was_announced_and_named_if_not() -> None:
    comma = Layout(decimal=",")

    assert said(comma, value="-1,25")["results"][0]["value"] == -1.25
    assert "--decimal ," in fault(value="1,25")[1]
    assert "no thousands" in fault(comma, value="1.250,5")[1]
    assert fault(comma, value="1,250,5")[0] == "value"


# time


@pytest.mark.parametrize("time", ["2026-07-01 12:00", "2026-07-01T12:00:00", "01.07.2026 12:00", "01.07.2026 12:00:00"])
def test_a_local_time_is_read_in_the_zone_that_was_named(time: str) -> None:
    assert at(time, Layout(timezone=BERLIN)) == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert "--timezone" in fault(phenomenon_time=time)[1]


def test_an_offset_counts_more_than_the_zone() -> None:
    assert at("2026-07-01T12:00:00+01:00", Layout(timezone=BERLIN)) == datetime(2026, 7, 1, 11, tzinfo=UTC)


@pytest.mark.parametrize("time", ["2026-03-29 02:00:00", "2026-03-29 02:30:00", "29.03.2026 02:59"])
def test_the_hour_that_is_missing_in_march_is_refused_by_name(time: str) -> None:
    for fold in ("first", "second", "refuse"):
        column, sentence = fault(Layout(timezone=BERLIN, fold=fold), phenomenon_time=time)  # type: ignore[arg-type]
        assert (column, "is not there" in sentence) == ("phenomenon_time", True)


def test_the_hour_that_is_there_twice_in_october_has_to_be_said() -> None:
    time = "2026-10-25 02:30:00"

    assert "--fold" in fault(Layout(timezone=BERLIN), phenomenon_time=time)[1]
    assert at(time, Layout(timezone=BERLIN, fold="first")) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert at(time, Layout(timezone=BERLIN, fold="second")) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@given(st.integers(946_684_800, 4_102_444_800).map(lambda second: datetime.fromtimestamp(second, UTC)))
def test_every_moment_comes_back_from_its_local_time_or_is_refused(moment: datetime) -> None:
    local = moment.astimezone(BERLIN).replace(tzinfo=None).isoformat()
    try:
        first, second = (at(local, Layout(timezone=BERLIN, fold=fold)) for fold in ("first", "second"))
    except Fault:
        pytest.fail("a time that was there was refused")
    assert moment in (first, second)
    assert second - first in (timedelta(0), timedelta(hours=1))


# files


def rows(text: str, layout: Layout = Layout()) -> list[Row]:  # noqa: B008
    return list(read_csv(StringIO(text, newline=""), layout))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_heading_s(delimiter: str) -> None:
    text = f"\ufeff{HEADING}\r\npump-7,2026-01-31T12:00:00Z,flow,41.5,m3/h\r\n".replace(",", delimiter)

    (row,) = rows(text)

    assert (row.line, row.cells["device"], row.cells["unit"]) == (2, "pump-7", "m3/h")


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    text = f'{HEADING}\na,"2026\n",flow,1,m\n\nb,2026,flow\nc,2026,flow,1,m\n'

    assert [(row.line, row.cells["device"], row.fault is None) for row in rows(text)] == [
        (2, "a", True),
        (5, "b", False),
        (6, "c", True),
    ]


def test_a_row_that_is_no_csv_harms_no_neighbour() -> None:
    text = f"{HEADING}\n{'x' * 200_000},2026,flow,1,m\nb,2026,flow,1,m\n"

    broken, good = rows(text)

    assert broken.fault is not None
    assert (good.line, good.cells["device"]) == (3, "b")


def test_a_heading_that_lacks_a_column_says_how_to_name_it() -> None:
    with pytest.raises(Failure, match="--column device=HEADING") as caught:
        rows("time,procedure,value\n")

    assert caught.value.code == 2


def test_a_file_s_own_headings_and_constants_are_read() -> None:
    layout = Layout(
        columns={"phenomenon_time": "time", "device": "procedure"}, constants={"property": "temperature", "unit": "Cel"}
    )

    (row,) = rows("time,procedure,value,qualityIndex\n2023-03-01T00:00:00+01:00,T_BED,-4.780000,100\n", layout)

    reading = reading_of(row, layout)
    assert (reading["device"], reading["results"]) == (
        "T_BED",
        [{"property": "temperature", "value": -4.78, "unit": "Cel"}],
    )


def test_json_lines_are_rows_too() -> None:
    text = f'{json.dumps(GOOD | {"value": 41.5})}\n\n[]\n{{"device"\n{"[" * 100_000}\n'

    read = list(read_jsonl(StringIO(text), Layout()))

    assert [(row.line, row.fault is None) for row in read] == [(1, True), (3, False), (4, False), (5, False)]
    assert reading_of(read[0], Layout())["results"][0]["value"] == 41.5


# events


def a_row(number: int, **changes: Any) -> Row:
    time = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    return Row(number + 2, GOOD | {"phenomenon_time": time.isoformat()} | changes)


def events(read: list[Row]) -> list[Chunk]:
    return [piece for piece in cut(read, Layout()) if isinstance(piece, Chunk)]


def test_results_of_one_device_and_time_are_one_reading() -> None:
    (event,) = events([a_row(0), a_row(0, property="level", unit="m"), a_row(1)])

    assert [len(reading["results"]) for reading in event.readings] == [2, 1]
    assert [[row.line for row in kept] for kept in event.rows] == [[2, 2], [3]]


def test_one_event_names_each_device_property_and_time_once() -> None:
    first, second = events([a_row(0), a_row(1), a_row(0, value="2", result_time="2026-02-01T00:00:00Z")])

    assert (first.count, second.count) == (2, 1)


def pieces(*read: Row) -> list[Any]:
    return list(cut(read, Layout()))


def test_a_second_value_for_one_time_is_refused_and_names_the_line_of_the_first() -> None:
    named, event = pieces(a_row(0), a_row(0, value="2"))

    assert named[1].column == "value"
    assert named[1].sentence.startswith("line 2 says another value")
    assert event.count == 1


@pytest.mark.parametrize("time", ["2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z"])
def test_a_row_that_says_the_same_again_is_sent_once(time: str) -> None:
    repeated, event = pieces(a_row(0), a_row(0, phenomenon_time=time, value="41.50"))

    assert isinstance(repeated, Repeated)
    assert event.count == 1


def test_the_hour_that_is_there_twice_hides_no_value_behind_another() -> None:
    layout = Layout(timezone=BERLIN, fold="first")
    row = a_row(0, phenomenon_time="2025-10-26 02:30")

    named, event = cut([row, a_row(1, phenomenon_time="2025-10-26 02:30", value="9")], layout)

    assert isinstance(named, tuple)
    assert isinstance(event, Chunk)


def test_a_row_long_before_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_rows, "MOST_EARLIER", 2)

    made = events([a_row(0), a_row(1), a_row(2), a_row(0, value="9"), a_row(2, value="9")])

    assert sum(event.count for event in made) == 4


values = st.lists(st.tuples(st.integers(0, 300), st.sampled_from(["flow", "level"]), st.integers(0, 9)), max_size=60)


@given(values)
def test_every_row_is_in_one_event_that_the_contract_takes(said: list[tuple[int, str, int]]) -> None:
    read = [a_row(number, property=name, value=str(value)) for number, name, value in said]

    made = events(read)

    first: dict[tuple[int, str], Row] = {}
    for (number, name, _), row in zip(said, read, strict=True):
        first.setdefault((number, name), row)
    inside = [row for event in made for rows in event.rows for row in rows]
    assert inside == list(first.values())
    for event in made:
        assert isinstance(ReadingsReportedV1.model_validate_json(event.data), ReadingsReportedV1)


def test_an_event_has_a_thousand_rows_at_most_and_one_row_changes_few_events() -> None:
    read = [a_row(number) for number in range(6_000)]
    before = {event.id for event in events(read)}
    mended = [a_row(3_000, value="99"), *read[3_001:]]

    after = events([*read[:3_000], *mended])
    inserted = events([*read[:2_000], a_row(7_000), *read[2_000:]])

    assert max(event.count for event in after) <= MOST_ROWS
    assert len({event.id for event in after} - before) == 1
    assert len({event.id for event in inserted} - before) <= 3
    assert {event.id for event in events(read)} == before


def test_a_wrong_row_stands_aside_and_its_neighbours_go_in() -> None:
    found = pieces(a_row(0), a_row(1, value="x"), a_row(2))

    assert [type(piece) for piece in found] == [tuple, Chunk]
    assert found[1].count == 2
