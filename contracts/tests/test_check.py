"""A company checks its messages alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oker_contracts.check import check, main

READING = "sensor.reading_reported.v1"


def a_reading(**said: Any) -> dict[str, Any]:
    """The data of a valid reading."""
    result = {"property": "visitors", "value": 412, "unit": "{visitors}"}
    return {"device": "counter-1", "phenomenon_time": "2021-06-12T13:00:00Z", "results": [result]} | said


def an_event(data: object, **said: Any) -> bytes:
    """A structured CloudEvent."""
    head = {"specversion": "1.0", "id": "1", "source": "/counters", "type": f"de.oker.{READING}"}
    return json.dumps({**head, "data": data, **said}).encode()


def found(body: bytes, type: str | None = None) -> list[tuple[str, str]]:
    """Codes and paths."""
    return [(str(refused.reason), refused.path) for refused in check(body, type)]


def test_a_valid_event_and_valid_data_have_no_fault() -> None:
    assert found(an_event(a_reading())) == []
    assert found(json.dumps(a_reading()).encode(), READING) == []
    assert found(json.dumps(a_reading()).encode(), f"de.oker.{READING}") == []


def test_all_faults_are_told_at_once() -> None:
    broken = a_reading(device=7, results=[{"property": "Visitors", "value": "many"}])

    assert found(an_event(broken)) == [
        ("field_type_wrong", "$.device"),
        ("field_value_invalid", "$.results[0].property"),
        ("field_type_wrong", "$.results[0].value"),
        ("field_missing", "$.results[0].unit"),
    ]


@pytest.mark.parametrize(
    ("body", "type", "fault"),
    [
        (an_event(a_reading(), id=None), None, ("attribute_missing", "$.id")),
        (an_event(a_reading(), type="de.oker.sensor.reading_reported.v9"), None, ("version_unknown", "$.type")),
        (b"{}", "sensor.unheard_of.v1", ("type_unknown", "type")),
        (b"", READING, ("body_empty", "$")),
        (b"{", READING, ("json_broken", "$")),
        (b'{"device": "\xff"}', READING, ("encoding_invalid", "$")),
        (b"[" * 100_000, READING, ("json_too_deep", "$")),
        (b"[" * 100_000, None, ("json_too_deep", "$")),
        (b"[]", READING, ("field_type_wrong", "$")),
        (json.dumps(a_reading(extra=float("nan"))).encode(), READING, ("json_broken", "$")),
    ],
)
def test_each_fault_has_its_code_and_path(body: bytes, type: str | None, fault: tuple[str, str]) -> None:
    assert found(body, type) == [fault]


def test_an_older_version_is_checked_against_the_newest_too() -> None:
    goals = [f"goal-{number}" for number in range(10)]
    proposal = {"proposal": "p-1", "title": "T", "field_of_action": "energie", "goals": goals}

    assert found(json.dumps(proposal).encode(), "project.proposed.v1") == [("field_value_invalid", "$.goals")]


def test_the_command_prints_and_exits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(an_event(a_reading()))
    bad.write_text(json.dumps(a_reading(device="")))

    assert main([str(good)]) == 0
    assert capsys.readouterr().out == "valid\n"
    assert main([str(bad), "--type", READING]) == 1
    assert capsys.readouterr().out.startswith("field_value_invalid $.device ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(tmp_path / "none.json")])

    assert caught.value.code == 2
    assert "none.json cannot be read: No such file or directory." in capsys.readouterr().err


def test_the_command_reads_a_pipe() -> None:
    command = [sys.executable, "-m", "oker_contracts.check", "-"]

    done = subprocess.run(command, input=an_event(a_reading()), capture_output=True, timeout=30, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"valid\n", b"")
