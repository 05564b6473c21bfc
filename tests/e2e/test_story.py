"""The story of the demo, held against what each of its people could see."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from oker_testkit.bus import messages
from oker_testkit.procedure import BOARD, OVERRIDE
from oker_testkit.stack import Stack
from oker_testkit.story import DEV_EUI, Story, Told

RUN = "e2e"


@pytest.fixture(scope="module")
def story(stack: Stack) -> Story:
    return Story(stack, tell=lambda _line: None, run=RUN)


@pytest.fixture(scope="module")
def before(stack: Stack) -> Any:
    """The ledger before the story; other tests share the stack."""
    return readings(oker(stack, "ledger"))


@pytest.fixture(scope="module")
def told(story: Story, before: Any) -> Told:
    """The story is played once; each test looks at one part of what came of it."""
    return asyncio.run(story.play())


def readings(ledger: Any) -> dict[str, Counter[str]]:
    """The readings of each company."""
    return {row["partner"]: Counter(row["readings"]) for row in ledger["partners"]}


def oker(stack: Stack, *arguments: str) -> Any:
    """The command `oker`, as the operator runs it; its JSON."""
    command = [str(Path(sys.executable).parent / "oker"), *arguments, "--json"]
    environment = {**os.environ, "OKER_ENV_FILE": str(stack.folder / "env")}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout)


def text(mail: EmailMessage) -> str:
    body = mail.get_body()
    assert body is not None
    return str(body.get_content())


def test_the_catalogue_of_table_3_is_imported_once(told: Told) -> None:
    assert told.catalogue["fields_of_action"] == 10
    assert told.catalogue["goals"] == 9
    assert told.catalogue["projects"] == 35
    assert told.catalogue["assignments"] == 48
    assert told.catalogue["new_projects_when_repeated"] == 0
    energy = next(field for field in told.fields if field["title"] == "Energie")
    assert energy["projects"] == 0


async def test_readings_of_all_three_ways_are_kept_with_their_origin(story: Story, told: Told) -> None:
    async def values(partner: str, device: str, property: str) -> list[tuple[float, str, str]]:
        path = f"/devices/{partner}/{device}/{property}/observations"
        rows = await story.ask("sensor-ingest", "GET", path, "unit-1", "unit")
        return [(row["value"], row["unit"], row["event_id"]) for row in rows]

    assert await values("stadtwerke", "trafo-12", "power_1") == [
        (420.0, "kW", f"r-http-{RUN}"),
        (412.5, "kW", f"r-native-{RUN}"),
    ]
    assert await values("stadtwerke", DEV_EUI, "temperature_1") == [(22.5, "Cel", f"dedup-{RUN}")]
    assert await values("stadtwerke", DEV_EUI, "relative_humidity_2") == [(50.0, "%", f"dedup-{RUN}")]
    counts = await values("verkehr", "laser-burgplatz", "visitors_1")
    assert [value for value, _, _ in counts] == [310.0, 940.0]


def test_a_step_too_early_is_refused_with_all_that_is_missing(told: Told) -> None:
    refused = told.decided.refused_step

    assert refused["status"] == 409
    places = {row["path"] for row in refused["missing"]}
    assert {"$.marks.digital_technology", "$.department", "$.budget", "$.risks", "$.success_criteria"} <= places
    assert all(row["sentence_de"] and row["sentence_en"] for row in refused["missing"])


def test_candidates_on_which_assessments_lie_far_apart_are_discussed_and_recused_ones_do_not_count(told: Told) -> None:
    first, second, third = told.decided.projects
    spread = {row["project_id"]: row for row in told.decided.spread}

    assert told.decided.round["discuss"] == [second]
    assert {project: row["count"] for project, row in spread.items()} == {first: 2, second: 3, third: 3}


def test_the_result_follows_from_the_ballots_that_count(told: Told) -> None:
    lines = told.decided.result["lines"]

    assert [line["rank"] for line in lines] == [1, 2, 3]
    assert [line["project_id"] for line in lines] == told.decided.projects
    # Scores 5, 5, 5 and 5, 4, 5 with weights 2/5 + 1/5 and 1/5 + 1/5: 3 + 2/5 * 14/3
    assert lines[0]["score"] == "73/15"
    assert [line["ballots"] for line in lines] == [3, 3, 2]
    assert all(line["why_de"] and line["why_en"] for line in lines)


def test_the_decision_stands_beside_the_computed_result_with_its_reason(told: Told) -> None:
    first, second, third = told.decided.projects
    lines = {line["project_id"]: line for line in told.decided.decision["lines"]}

    assert (lines[first]["computed"], lines[first]["decided"]) == ("selected", "selected")
    assert (lines[second]["computed"], lines[second]["decided"]) == ("rejected", "deferred")
    assert lines[second]["reason"] == OVERRIDE
    assert told.decided.states == {first: "selected", second: "deferred", third: "rejected"}
    assert told.decided.session["state"] == "closed"


def test_a_stranger_verifies_the_decision_and_an_altered_score_is_named(told: Told) -> None:
    verified, altered = told.decided.verified, told.decided.altered

    assert verified is not None
    assert altered is not None
    assert verified.returncode == 0
    assert told.decided.decision["result_sha256"] in verified.stdout
    assert altered.returncode == 1
    assert 'score: said "173/15", computed "73/15"' in altered.stdout


@pytest.mark.parametrize("service", ["project-registry", "selection-scoring"])
def test_the_tables_are_what_the_facts_say(stack: Stack, told: Told, service: str) -> None:
    """With the service's own rights, while it runs."""
    assert told.decided.decision
    command = [sys.executable, "-m", service.replace("-", "_"), "rebuild"]
    environment = {**os.environ, **stack.environment(service)}

    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    assert result.returncode == 0, result.stdout + result.stderr
    assert " yes" in result.stdout
    assert " NO" not in result.stdout


def test_the_calendar_follows_from_the_resolution(told: Told) -> None:
    cycles = [(cycle["kind"], cycle["due_on"][:4]) for cycle in told.calendar["cycles"]]

    assert cycles[0] == ("structures", "2021")
    assert [year for kind, year in cycles if kind == "strategy"] == ["2022", "2024", "2026", "2028", "2030"]


def test_gap_decision_and_kpi_are_mailed_to_those_they_concern(told: Told) -> None:
    mails: dict[str, list[str]] = {}
    for mail in told.mails:
        word = str(mail["Subject"]).split(":", 1)[0]
        mails.setdefault(word, []).append(str(mail["To"]).removesuffix("@braunschweig.example"))

    assert {word: sorted(holders) for word, holders in mails.items()} == {
        "Niemand zuständig": ["cdo-1"],
        "Nobody responsible": ["dezernat-1"],
        "Wieder besetzt": ["cdo-1"],
        "Filled again": ["dezernat-1"],
        "Entscheidung": ["cdo-1", *BOARD[:2]],
        "Decision": BOARD[2:],
        "Ziel verfehlt": ["cdo-1", "officer-66"],
    }
    assert len({mail["Message-ID"] for mail in told.mails}) == len(told.mails)
    german = next(mail for mail in told.mails if str(mail["Subject"]).startswith("Entscheidung"))
    assert OVERRIDE in text(german)


def test_the_ledger_balances_on_both_levels_for_both_companies(stack: Stack, before: Any, told: Told) -> None:
    ledger = oker(stack, "ledger")

    assert ledger["balanced"] is True
    rows = {row["partner"]: row for row in ledger["partners"]}
    assert set(rows) == {"stadtwerke", "verkehr"}
    for row in rows.values():
        counted, read = row["messages"], row["readings"]
        assert counted["accepted"] == counted["settled"] + counted["quarantined"] + counted["pending"]
        parts = ("stored", "duplicate", "corrected", "quarantined")
        assert read["read"] == sum(read[part] for part in parts)
    added = {partner: counts - before[partner] for partner, counts in readings(ledger).items()}
    assert added["stadtwerke"] == {"read": 6, "stored": 4, "duplicate": 1, "quarantined": 1}
    assert added["verkehr"] == {"read": 3, "stored": 2, "quarantined": 1}


def test_the_troublemakers_are_quarantined_with_reason_and_path(stack: Stack, told: Told) -> None:
    async def quarantined() -> list[tuple[str, str, bytes]]:
        operator = await stack.connect("operator", inbox_prefix="_INBOX_operator")
        try:
            rows = [
                (msg.headers["Oker-Reason"], msg.headers["Oker-Path"], msg.data)
                async for msg in messages(operator.jetstream(), "QUARANTINE")
            ]
        finally:
            await operator.close()
        return rows

    found = asyncio.run(quarantined())

    assert {(reason, path) for reason, path, _ in found} >= {
        ("json_broken", "$"),
        ("device_unknown", "$.device"),
        ("unit_mismatch", "$.results[0].unit"),
    }
    assert b'{"device": "trafo-12", ' in {body for _, _, body in found}


def test_the_trail_leads_from_the_reading_to_the_mails_and_back(stack: Stack, told: Told) -> None:
    forth = json.dumps(oker(stack, "trail", told.reading_id))
    for name in ("sensor.reading_reported", "sensor.observations_recorded", "evaluation.kpi_assessed"):
        assert name in forth
    assert forth.count("notification.mail_sent.v1") == 2

    decision = json.dumps(oker(stack, "trail", f"proposal-{RUN}"))
    for name in ("project.registered.v2", "project.profile_recorded.v1", "selection.candidate_listed.v2"):
        assert name in decision
    for name in ("selection.candidates_frozen.v1", "selection.round_closed.v1", "selection.decision_taken.v2"):
        assert name in decision
