"""`oker verify`: a third party needs a file and this command, and no platform."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders_decision_file import Facts, a_file, as_lines

from oker_decision.canonical import digest
from oker_decision.file import verify

GOOD = a_file()


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(facts: Facts) -> Path:
        path = tmp_path / "decision.jsonl"
        path.write_bytes(b"".join(as_lines(facts)))
        return path

    return write


def entries(facts: Facts) -> Iterator[dict[str, Any]]:
    """The log of a file, in order."""
    found = []
    for fact in facts[1:]:
        data = dict(fact["data"])
        if fact["type"] == "log":
            found.append(data)
        elif link := data.pop("log", None):
            found.append({**link, "type": fact["type"], "data_sha256": digest(data), "data": data})
    return iter(sorted(found, key=lambda entry: int(entry["number"])))


def test_a_good_file_is_verified_with_figures_and_hashes(oker: Any, written: Any) -> None:
    said = oker("verify", "decision", written(GOOD))

    assert said.code == 0
    assert "VERIFIED" in said.out
    for part in ("candidates   3", "board: 7 given, 6 counted", "recusals     1", GOOD[0]["result_sha256"]):
        assert part in said.out


def test_a_changed_digit_ends_with_code_1_and_is_named(oker: Any, written: Any) -> None:
    facts = copy.deepcopy(GOOD)
    facts[8]["data"]["scores"]["buergernutzen"] = 3

    said = oker("verify", "decision", written(facts))

    assert said.code == 1
    assert "line 9, $.data.scores.buergernutzen: said 3, computed 2" in said.out
    assert "NOT VERIFIED" in said.out


def test_as_json_the_places_can_be_read_by_a_program(oker: Any, written: Any) -> None:
    facts = copy.deepcopy(GOOD)
    facts[0]["round_id"] = "andere"

    said = oker("verify", "decision", written(facts), "--json")

    found = json.loads(said.out)
    assert (said.code, found["verified"], found["faults"][0]["field"]) == (1, False, "$.round_id")


def test_a_forged_file_is_whole_but_not_the_published_one(oker: Any, written: Any) -> None:
    published = GOOD[0]["log_sha256"]
    forged = a_file(overrides={})
    assert verify(as_lines(forged)).holds

    said = oker("verify", "decision", written(forged), "--log-sha256", published)

    assert said.code == 1
    assert "not the file that was published" in said.err


def test_an_earlier_hash_of_the_log_is_found_in_the_file_and_says_how_far_it_reaches(oker: Any, written: Any) -> None:
    place, chain = written(GOOD), list(entries(GOOD))

    first = oker("verify", "decision", place, "--log-sha256", chain[2]["sha256"])
    last = oker("verify", "decision", place, "--log-sha256", GOOD[0]["log_sha256"])
    strange = oker("verify", "decision", place, "--log-sha256", "ab" * 32)

    assert (first.code, last.code, strange.code) == (0, 0, 1)
    assert "that of entry 3 of 8" in first.out
    assert "that of the decision" in last.out
    assert "no hash of its log" in strange.err


def test_a_file_that_is_not_there_ends_with_code_2(oker: Any, tmp_path: Path) -> None:
    assert oker("verify", "decision", tmp_path / "nowhere.jsonl").code == 2


def test_signs_that_steer_a_terminal_are_not_printed(oker: Any, written: Any) -> None:
    facts = copy.deepcopy(GOOD)
    facts[0]["round_id"] = "\x1b[2J\x9b2J"

    said = oker("verify", "decision", written(facts))

    assert said.code == 1
    assert "\x1b" not in said.out
    assert "\x9b" not in said.out


def test_the_log_holds_to_its_head(oker: Any, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(as_lines(list(entries(GOOD)))))

    said = oker("verify", "log", path, "--head", GOOD[0]["log_sha256"])

    assert said.code == 0
    assert "entries  8" in said.out


@pytest.mark.parametrize(
    ("kept", "sentence"),
    [([0, 1, 2, 4, 5, 6, 7], "entry 4, number: said 5"), ([0, 1, 2, 3, 4, 5, 6], "its end was cut off")],
)
def test_what_was_taken_from_the_log_is_told(oker: Any, tmp_path: Path, kept: list[int], sentence: str) -> None:
    path, whole = tmp_path / "log.jsonl", list(entries(GOOD))
    path.write_bytes(b"".join(as_lines([whole[at] for at in kept])))

    said = oker("verify", "log", path, "--head", GOOD[0]["log_sha256"])

    assert said.code == 1
    assert sentence in said.err


def test_the_log_of_a_platform_needs_its_address(oker: Any) -> None:
    said = oker("verify", "log")

    assert said.code == 2
    assert "OKER_SERVICE_URLS" in said.err


@pytest.mark.parametrize(
    "line",
    [b"[" * 100_000, b'{"number": 1, "number": 1}', b"[]", b"\xff", b'{"number": 1, "data_sha256": "\xc2\x9b2J"}'],
)
def test_a_line_that_is_no_entry_of_the_log_is_named_and_never_a_crash(oker: Any, tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(line + b"\n")

    said = oker("verify", "log", path)

    assert said.code == 1
    assert "$" in said.err
    assert "Traceback" not in said.err
    assert "\x9b" not in said.err
