"""`oker ledger verify` counts all again and names the first difference; rows of the ledger balance one by one."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from oker_bus.router import matches
from oker_bus.store import run
from oker_cli.ledger import lines_of, rows_of
from oker_cli.ledger_verify import gaps, settled_twice
from oker_contracts.sensor.reading_reported_v1 import ReadingReportedV1


async def verify(oker: Any, platform: Any, *more: str) -> Any:
    return await asyncio.to_thread(oker, "ledger", "verify", *more, env=platform.env)


async def three_messages(platform: Any) -> None:
    """Two readings are stored, one message is in quarantine."""
    await platform.say("verkehr", "r-1", platform.reading)
    await platform.say("verkehr", "r-2", platform.reading)
    await platform.say("verkehr", "r-3", {"device": "trafo-12"})
    await platform.settled(3)
    await platform.read("settled", "stored")
    platform.recounted = {"verkehr": {"stored": 2, "corrected": 0}}


async def test_a_ledger_that_is_right_is_said_to_be_with_what_was_counted(oker: Any, platform: Any) -> None:
    await three_messages(platform)

    said = await verify(oker, platform, "--json")
    shown = await verify(oker, platform)

    assert said.code == 0, said.err
    stadtwerke, verkehr = said.json
    assert (stadtwerke["first"], stadtwerke["last"], stadtwerke["difference"]) == (1, 0, None)
    counted = {
        name: verkehr[name] for name in ("first", "last", "pending", "gone", "settlements", "days", "observations")
    }
    assert counted == {"first": 1, "last": 3, "pending": 0, "gone": 0, "settlements": 3, "days": 1, "observations": 2}
    assert shown.out.count("agrees") == 2


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (
            "DELETE FROM settlement WHERE sequence = 2",
            "IN_verkehr, sequence 2 (ingest.verkehr.sensor.reading_reported.v1): acknowledged, and sensor-ingest has"
            " not settled it",
        ),
        (
            "INSERT INTO settlement SELECT consumer, stream, 9, stored_at, partner, outcome, read, stored, duplicate,"
            " corrected, quarantined, settled_at FROM settlement WHERE sequence = 1",
            "IN_verkehr, sequence 9: sensor-ingest has settled it, and the stream ends at 3",
        ),
        (
            "INSERT INTO settlement SELECT consumer, stream, sequence, stored_at + interval '1 s', partner, outcome,"
            " read, stored, duplicate, corrected, quarantined, settled_at FROM settlement WHERE sequence = 1",
            "IN_verkehr, sequence 1: sensor-ingest has settled it twice",
        ),
        (
            "UPDATE ledger_day SET messages_settled = messages_settled + 1",
            "of source '/s': the ledger says 3 messages settled, the settlements 2",
        ),
        (
            "UPDATE ledger_day SET read = read + 1, duplicate = duplicate + 1",
            "the ledger says 3 readings read, the settlements 2",
        ),
        (
            "DELETE FROM quarantine",
            "sensor-ingest-claims on IN_verkehr, sequence 3: the message was refused, and is not in quarantine",
        ),
        (
            "UPDATE settlement SET read = 1, quarantined = 1 WHERE sequence = 3;"
            "UPDATE ledger_day SET read = read + 1, quarantined = quarantined + 1",
            "sequence 3: 1 readings were refused, 0 are in quarantine",
        ),
        (
            "UPDATE quarantine SET sequence = 2",
            "sequence 3: the message was refused, and is not in quarantine",
        ),
    ],
)
async def test_the_first_difference_is_named(oker: Any, platform: Any, damage: str, sentence: str) -> None:
    await three_messages(platform)
    for statement in damage.split(";"):
        await platform.sql(statement)

    said = await verify(oker, platform)

    assert said.code == 1
    assert said.err.startswith("oker: verkehr: ")
    assert sentence in said.err


async def test_a_table_that_lost_a_value_is_a_difference(oker: Any, platform: Any) -> None:
    await three_messages(platform)
    platform.recounted = {"verkehr": {"stored": 1, "corrected": 0}}

    said = await verify(oker, platform)
    await platform.sql("UPDATE ledger_day SET erased_stored = 1")
    erased = await verify(oker, platform)
    ledger = await asyncio.to_thread(oker, "ledger", "--json", env=platform.env)

    assert "sensor-ingest: 2 readings stored ≠ 1 recounted from the tables + 0 erased" in said.err
    assert erased.code == 0, erased.err
    assert ledger.code == 0, ledger.err


async def test_a_sequence_that_two_services_settled_is_a_difference(oker: Any, platform: Any) -> None:
    await three_messages(platform)
    values = "'project-registry-claims', 'IN_verkehr', 2, now(), 'verkehr', 'settled', 0, 0, 0, 0, 0, now()"
    async with platform.buses["project-registry"].sessions() as session, session.begin():
        await run(session, text(f"INSERT INTO settlement VALUES ({values})"))  # noqa: S608

    said = await verify(oker, platform)

    assert "IN_verkehr, sequence 2: both sensor-ingest and project-registry have settled it" in said.err


async def test_what_waits_is_pending_and_no_difference(oker: Any, platform: Any) -> None:
    await platform.say("verkehr", "r-1", platform.reading)
    await platform.settled(1)
    platform.recounted = {}
    async with platform.buses["sensor-ingest"].sessions() as session:
        await run(session, text("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE"))
        await platform.say("verkehr", "r-2", platform.reading)
        await platform.say("verkehr", "r-3", platform.reading)

        said = await verify(oker, platform, "--json", "--partner", "verkehr")
        await session.rollback()
    await platform.settled(3)

    assert said.code == 0, said.err
    assert [(one["partner"], one["last"], one["pending"]) for one in said.json] == [("verkehr", 3, 2)]


async def test_what_an_operator_deleted_from_the_stream_is_no_difference(oker: Any, platform: Any) -> None:
    await three_messages(platform)
    admin = await platform.broker.connect("topology")
    await admin.jetstream().delete_msg("IN_verkehr", 2)
    await admin.close()

    settled = await verify(oker, platform, "--json", "--partner", "verkehr")
    await platform.sql("DELETE FROM settlement WHERE sequence = 2")
    gone = await verify(oker, platform, "--json", "--partner", "verkehr")

    assert (settled.code, settled.json[0]["gone"]) == (0, 0)
    assert gone.json[0]["gone"] == 1
    assert "the ledger says 2 messages settled, the settlements 1" in gone.json[0]["difference"]


async def test_the_ledger_is_split_by_company_source_and_day(oker: Any, platform: Any) -> None:
    await three_messages(platform)
    await platform.say("stadtwerke", "r-1", platform.reading)
    await platform.settled(4)

    said = await asyncio.to_thread(oker, "ledger", "--by-day", "--by-source", "--json", env=platform.env)
    shown = await asyncio.to_thread(oker, "ledger", "--by-source", "--partner", "verkehr", env=platform.env)

    assert said.code == 0, said.err
    day = said.json[0]["day"]
    rows = [(row["partner"], row["source"], row["day"], row["messages_settled"]) for row in said.json]
    assert rows == [("stadtwerke", "/s", day, 1), ("verkehr", "/s", day, 2)]
    assert "3 ended = 2 settled + 0 duplicate + 1 quarantined" in shown.out
    assert "stadtwerke" not in shown.out
    assert ReadingReportedV1.TYPE not in shown.out


def test_rows_of_several_services_are_added_up() -> None:
    row = dict.fromkeys(("messages_settled", "messages_duplicate", "messages_quarantined"), 1)
    row |= dict.fromkeys(("read", "stored", "duplicate", "corrected", "quarantined"), 2)
    row |= {"partner": "verkehr", "day": "2026-05-04", "erased_stored": 0, "erased_corrected": 0}
    fact = row | {"partner": None}

    (added,) = rows_of([{"rows": [row, fact]}, {"rows": [row]}], ["day"])

    messages, readings = lines_of(added)
    assert messages.equation == "6 ended = 2 settled + 2 duplicate + 2 quarantined"
    assert not readings.balances


@given(st.sets(st.integers(1, 60)), st.integers(1, 30), st.integers(30, 60))
def test_gaps_are_exactly_what_no_range_covers(settled: set[int], first: int, last: int) -> None:
    ranges = [(n, n) for n in settled if first <= n <= last]

    found = {n for begin, end in gaps(first, last, ranges) for n in range(begin, end + 1)}

    assert found == set(range(first, last + 1)) - settled


@given(st.lists(st.sets(st.integers(1, 30)), min_size=2, max_size=3))
def test_the_first_sequence_that_two_have_settled_is_found(settled: list[set[int]]) -> None:
    both = {n for one in settled for n in one if sum(n in other for other in settled) > 1}

    found = settled_twice({f"{name}": [(n, n) for n in one] for name, one in enumerate(settled)})

    assert (found[0] if found else None) == (min(both) if both else None)


@pytest.mark.parametrize(
    ("pattern", "subject", "fits"),
    [
        ("ingest.*.sensor.>", "ingest.verkehr.sensor.x.v1", True),
        ("ingest.*.sensor.>", "ingest.verkehr.sensor", False),
        ("ingest.*.sensor.>", "ingest.verkehr.project.x", False),
        ("a.*", "a.b", True),
        ("a.*", "a.b.c", False),
        ("a.b.c", "a.b", False),
    ],
)
def test_a_subject_fits_a_pattern_as_the_broker_says(pattern: str, subject: str, fits: bool) -> None:
    assert matches(pattern, subject) is fits
