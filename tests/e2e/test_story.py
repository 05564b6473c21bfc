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
from oker_testkit.stack import Stack
from oker_testkit.story import BOARD, DEV_EUI, Story, Told

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


def test_the_decision_follows_from_the_ballots(told: Told) -> None:
    ranking = told.decision["ranking"]

    assert [row["rank"] for row in ranking] == [1, 2, 3]
    assert [row["selected"] for row in ranking] == [True, False, False]
    # Scores 5, 5, 5 and 5, 4, 5 with weights 2/5 + 1/5 and 1/5 + 1/5: 3 + 2/5 * 14/3
    assert ranking[0]["score"] == "73/15"
    assert {row["ballots"] for row in ranking} == {len(BOARD)}


def test_the_calendar_follows_from_the_resolution(told: Told) -> None:
    cycles = [(cycle["kind"], cycle["due_on"][:4]) for cycle in told.calendar["cycles"]]

    assert cycles[0] == ("structures", "2021")
    assert [year for kind, year in cycles if kind == "strategy"] == ["2022", "2024", "2026", "2028", "2030"]


def test_the_decision_is_mailed_to_cdo_and_board_and_the_kpi_to_cdo_and_officer(told: Told) -> None:
    decision = [mail for mail in told.mails if "Besucher je Stunde" not in text(mail)]
    kpi = [mail for mail in told.mails if "Besucher je Stunde" in text(mail)]

    assert sorted(str(mail["To"]) for mail in decision) == sorted(
        f"{holder}@braunschweig.example" for holder in ["cdo-1", *BOARD]
    )
    assert sorted(str(mail["To"]) for mail in kpi) == [
        "cdo-1@braunschweig.example",
        "officer-66@braunschweig.example",
    ]
    assert len({mail["Message-ID"] for mail in told.mails}) == len(told.mails)


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
    assert "project.registered.v1" in decision
    assert "selection.candidate_listed.v1" in decision
