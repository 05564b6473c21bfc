"""`oker quarantine` and `oker outcome`: what was refused, its mending, and what became of an event."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from oker_bus import store


async def refused(platform: Any) -> None:
    """One reading is stored, one is of an unknown device, one message cannot be read."""
    await platform.say("verkehr", "r-1", platform.reading)
    await platform.say("verkehr", "r-2", platform.reading | {"device": "trafo-99"})
    await platform.say("stadtwerke", "r-3", {"device": "trafo-12"})
    await platform.settled(3)


async def run(oker: Any, platform: Any, *words: object, **env: str) -> Any:
    return await asyncio.to_thread(oker, *words, env=platform.env | env)


@pytest.fixture
def as_unit(oker: Any, platform: Any, tmp_path: Path) -> dict[str, str]:
    token = oker("token", "unit-1", "--role", "unit", "--key", tmp_path / "key.json").out.strip()
    return {"OKER_TOKEN": token}


async def places(oker: Any, platform: Any, *words: str) -> dict[str, str]:
    """Reason to place."""
    rows = (await run(oker, platform, "quarantine", "list", "--json", *words)).json
    return {row["reason"]: f"{row['service']}/{row['id']}" for row in rows}


async def test_what_was_refused_is_listed_and_shown(oker: Any, platform: Any) -> None:
    await refused(platform)

    found = await places(oker, platform)
    listed = await run(oker, platform, "quarantine", "list", "--reason", "device_unknown")
    own = await places(oker, platform, "--partner", "stadtwerke")
    shown = await run(oker, platform, "quarantine", "show", found["device_unknown"])
    body = await run(oker, platform, "quarantine", "show", found["device_unknown"], "--body")

    assert set(found) == {"device_unknown", "field_missing"}
    assert found["device_unknown"] in listed.out
    assert "field_missing" not in listed.out
    assert set(own) == {"field_missing"}
    assert "The company has not declared this device." in shown.out
    assert "ce-id: r-2" in shown.out
    assert json.loads(body.out)["device"] == "trafo-99"


async def test_what_is_mended_from_a_file_is_taken(
    oker: Any, platform: Any, as_unit: dict[str, str], tmp_path: Path
) -> None:
    await refused(platform)
    place = (await places(oker, platform))["device_unknown"]
    data = tmp_path / "data.json"
    data.write_text(json.dumps(platform.reading))

    again = await run(oker, platform, "quarantine", "resend", place, **as_unit)
    mended = await run(oker, platform, "quarantine", "mend", place, data, "--header", "ce-subject: pump", **as_unit)
    twice = await run(oker, platform, "quarantine", "resend", place, **as_unit)
    open = await places(oker, platform)
    evidence = await run(oker, platform, "quarantine", "list", "--mended", "--json")

    assert "422: device_unknown $.device" in again.err
    assert (mended.code, mended.out.splitlines()[-1]) == (0, f"{place}: settled")
    assert "409: " in twice.err
    assert "mended already, by unit-1" in twice.err
    assert set(open) == {"field_missing"}
    assert [row["mended_by"] for row in evidence.json] == ["unit-1"]


async def test_all_of_a_reason_are_sent_again(oker: Any, platform: Any, as_unit: dict[str, str]) -> None:
    await refused(platform)

    none = await run(oker, platform, "quarantine", "resend", "--all", "--reason", "device_unknown", **as_unit)
    nobody = await run(oker, platform, "quarantine", "resend", **as_unit)

    assert "sensor-ingest: 1 messages taken again, 0 refusals mended" in none.out
    assert "device_unknown $.device" in none.out
    assert "project-registry: 0 messages taken again, 0 refusals mended" in none.out
    assert nobody.code == 2


async def test_who_only_reads_is_told_that_he_may_not_mend(oker: Any, platform: Any) -> None:
    await refused(platform)
    place = (await places(oker, platform))["device_unknown"]

    said = await run(oker, platform, "quarantine", "resend", place)

    assert said.code == 1
    assert "sensor-ingest refuses OKER_TOKEN: This needs the role unit or partner." in said.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("show", "17"), "'17' is no place like sensor-ingest/17"),
        (("show", "sensor-ingest/x"), "is no place like sensor-ingest/17"),
        (("show", "mail/1"), "OKER_SERVICE_URLS names no service 'mail'"),
        (("show", "sensor-ingest/99"), "sensor-ingest answers 404: There is no 99 in this quarantine."),
        (("mend", "sensor-ingest/1"), "name a file, or a --header"),
        (("mend", "sensor-ingest/1", "missing.json"), "missing.json cannot be read"),
        (("mend", "sensor-ingest/1", "--header", "x"), "'x' is no header like"),
    ],
)
async def test_what_cannot_be_meant_is_said(oker: Any, platform: Any, words: tuple[str, ...], sentence: str) -> None:
    said = await run(oker, platform, "quarantine", *words)

    assert said.code in (1, 2)
    assert sentence in said.err
    assert said.err.count("\n") == 1


async def test_a_company_learns_what_became_of_an_event(oker: Any, platform: Any, tmp_path: Path) -> None:
    await refused(platform)
    words = ("token", "verkehr-system", "--role", "partner", "--partner", "verkehr", "--key", tmp_path / "key.json")
    company = {"OKER_TOKEN": (await asyncio.to_thread(oker, *words)).out.strip()}

    taken = await run(oker, platform, "outcome", "/s", "r-1", **company)
    refusal = await run(oker, platform, "outcome", "/s", "r-2", "--json", **company)
    foreign = await run(oker, platform, "outcome", "/s", "r-3", **company)

    assert (taken.code, "IN_verkehr/1" in taken.out, "settled" in taken.out) == (0, True, True)
    assert refusal.json[0]["outcome"] == "quarantined"
    assert refusal.json[0]["refusals"][0]["code"] == "device_unknown"
    assert foreign.code == 1
    assert "no service that hears companies knows an event 'r-3' of source '/s'" in foreign.err


async def test_an_event_that_waits_is_pending_with_the_rights_that_a_service_has(oker: Any, platform: Any) -> None:
    """The service reads the company's stream for that; the other service, which does not hear it, says nothing."""
    asked = ("outcome", "/s", "r-2", "--partner", "verkehr", "--json")
    async with platform.buses["sensor-ingest"].sessions() as session:
        await store.run(session, text("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE"))
        await platform.say("verkehr", "r-1", platform.reading)
        await platform.say("verkehr", "r-2", platform.reading)

        waits = await run(oker, platform, *asked)
        await session.rollback()
    await platform.settled(2)
    ended = await run(oker, platform, *asked)

    assert [(end["service"], end["outcome"], end["sequence"]) for end in waits.json] == [
        ("sensor-ingest", "pending", 2)
    ]
    assert [end["outcome"] for end in ended.json] == ["settled"]
