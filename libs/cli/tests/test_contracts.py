"""`oker contracts check`: a company learns alone what the platform would say."""

import json
from pathlib import Path
from typing import Any

import pytest

READING = {
    "device": "trafo-12",
    "phenomenon_time": "2026-05-04T12:00:00+02:00",
    "results": [{"property": "power_1", "value": 412.5, "unit": "kW"}],
}
EVENT = {
    "specversion": "1.0",
    "id": "r-1",
    "source": "/stadtwerke/scada",
    "type": "de.oker.sensor.reading_reported.v1",
    "data": READING,
}


@pytest.fixture
def check(oker: Any, tmp_path: Path) -> Any:
    def check(said: Any, *options: str) -> Any:
        path = tmp_path / "event.json"
        path.write_text(said if isinstance(said, str) else json.dumps(said))
        return oker("contracts", "check", path, *options)

    return check


def test_a_structured_event_is_valid(check: Any) -> None:
    said = check(EVENT)

    assert (said.code, said.out) == (0, "valid: sensor.reading_reported.v1\n")


@pytest.mark.parametrize("name", ["sensor.reading_reported.v1", "de.oker.sensor.reading_reported.v1"])
def test_data_alone_is_checked_against_a_named_event(check: Any, name: str) -> None:
    assert check(READING, "--type", name).code == 0


def test_standard_input_is_read(oker: Any) -> None:
    assert oker("contracts", "check", "-", stdin=json.dumps(EVENT).encode()).code == 0


@pytest.mark.parametrize(
    ("said", "options", "code", "path"),
    [
        ("", (), "body_empty", "$"),
        ("{", (), "json_broken", "$"),
        ({**EVENT, "type": "de.oker.sensor.reading_reported.v9"}, (), "version_unknown", "$.type"),
        ({**EVENT, "type": "de.oker.sensor.nothing.v1"}, (), "type_unknown", "$.type"),
        ({k: v for k, v in EVENT.items() if k != "id"}, (), "attribute_missing", "$.id"),
        (READING, (), "attribute_missing", "$.specversion"),
        ({**EVENT, "data": {**READING, "device": 7}}, (), "field_type_wrong", "$.device"),
        ({**READING, "results": [{"property": "power_1"}]}, ("--type", "sensor.reading_reported.v1"), "field_missing",
         "$.results[0].value"),
        (READING, ("--type", "sensor.reading.v1"), "type_unknown", "--type"),
        (EVENT, ("--type", "project.proposed.v2"), "type_mismatch", "$.type"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_code_and_path(
    check: Any, said: Any, options: tuple[str, ...], code: str, path: str
) -> None:
    verdict = check(said, *options, "--json")

    assert verdict.code == 1
    assert (verdict.json["valid"], verdict.json["code"], verdict.json["path"]) == (False, code, path)
    assert verdict.json["detail"]


def test_the_sentence_holds_code_path_and_detail(check: Any) -> None:
    said = check({**EVENT, "data": {**READING, "device": 7}})

    assert said.code == 1
    assert said.out.splitlines()[:2] == ["not valid: field_type_wrong", "  at $.device"]


def test_a_company_is_told_of_a_newer_version(check: Any) -> None:
    proposal = {"proposal": "p-1", "title": "Bäume", "field_of_action": "umwelt"}

    said = check(proposal, "--type", "project.proposed.v1")

    assert said.code == 0
    assert said.out.splitlines()[1:] == ["  deprecated; the newest version is project.proposed.v2"]


def test_a_company_is_told_that_a_fact_is_not_its_to_send(check: Any) -> None:
    mail = {"message_id": "m", "holder": "cdo-1", "sent_at": "2026-05-04T12:00:00Z"}

    assert "companies may not send it" in check(mail, "--type", "notification.mail_sent.v1").out


def test_a_file_that_is_not_there_is_no_verdict(oker: Any, tmp_path: Path) -> None:
    said = oker("contracts", "check", tmp_path / "nothing.json")

    assert (said.code, said.out) == (2, "")
    assert "nothing.json cannot be read" in said.err
