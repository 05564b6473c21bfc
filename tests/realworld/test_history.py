"""A month of a real weather station comes late, in batches and backwards: each value, and each day, is what it was.

The station writes the fixed offset +01:00, in summer as well, and the clocks of Europe/Berlin change within the month.
"""

import csv
import json
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from math import isclose
from pathlib import Path
from typing import Any

import pytest

from oker_bus.edge import Sessions
from oker_contracts.sensor.device_declared_v2 import DeclaredDatastream, DeviceDeclaredV2
from oker_contracts.sensor.readings_reported_v1 import ReadingsReportedV1
from oker_testkit.bus import TestBus
from oker_testkit.counts import Counts
from sensor_ingest import domain, store

FOLDER = "sensor-timeseries-bedretto"
STATION = "bedretto"
SERIES = {"T": ("temperature", "Cel"), "H": ("humidity", "%"), "P": ("rain", "mm")}
AS_WRITTEN = timezone(timedelta(hours=1))
CHUNK = 500


def rows(folder: Path, name: str) -> list[tuple[str, float]]:
    """Time and value as they stand in the file."""
    with (folder / FOLDER / f"{name}_BED.csv").open(encoding="utf-8") as file:
        return [(row["time"], float(row["value"])) for row in csv.DictReader(file)]


async def bring(bus: TestBus, name: str, history: list[tuple[str, float]]) -> None:
    """Declare the station's datastream and report its history, the newest chunk first."""
    property, unit = SERIES[name]
    stream = DeclaredDatastream(property=property, unit=unit, dataset="environment", observed_property=property)
    await bus.publish(
        DeviceDeclaredV2(device=STATION, name="Bedretto", datastreams=[stream]),
        partner="stadtwerke",
        id=f"device-{name}",
    )
    for start in reversed(range(0, len(history), CHUNK)):
        readings = [
            {
                "device": STATION,
                "phenomenon_time": at,
                "results": [{"property": property, "value": value, "unit": unit}],
            }
            for at, value in history[start : start + CHUNK]
        ]
        said = ReadingsReportedV1.model_validate_json(json.dumps({"readings": readings}))
        await bus.publish(said, partner="stadtwerke", id=f"{name}-{start}")
    await bus.settled(60)


async def kept(sessions: Sessions, name: str) -> dict[datetime, float]:
    """What counts for the datastream, by time."""
    async with sessions() as session:
        id = domain.datastream_id("stadtwerke", STATION, SERIES[name][0])
        found = await store.observations(session, id, None, 100_000)
    return {row["phenomenon_time"]: row["value"] for row in found}


@pytest.mark.parametrize("name", SERIES)
async def test_a_month_of_history_is_kept_value_by_value_and_day_by_day(
    bus: TestBus, sessions: Sessions, realworld: Path, counts: Counts, name: str
) -> None:
    history = rows(realworld, name)
    await bring(bus, name, history)
    found = await kept(sessions, name)

    values = counts.of(f"{FOLDER}: values of {SERIES[name][0]}")
    for at, value in history:
        with values.case(at):
            assert found[datetime.fromisoformat(at)] == value
    assert len(found) == len(history)
    days = counts.of(f"{FOLDER}: days of {SERIES[name][0]}")
    by_day = daily(found)
    for wanted in json.loads((realworld / FOLDER / f"{name}_BED_daily_expected.json").read_text("utf-8")):
        with days.case(wanted["day"]):
            assert_day(by_day[wanted["day"]], wanted)
    values.check()
    days.check()


def daily(found: dict[datetime, float]) -> dict[str, list[float]]:
    """The values of each day, by the clock of the station."""
    days: dict[str, list[float]] = defaultdict(list)
    for at, value in found.items():
        days[at.astimezone(AS_WRITTEN).date().isoformat()].append(value)
    return days


def assert_day(values: list[float], wanted: dict[str, Any]) -> None:
    """Number, least, greatest and mean of a day."""
    assert (len(values), min(values), max(values)) == (wanted["count"], wanted["min"], wanted["max"])
    assert isclose(sum(values) / len(values), wanted["mean"], abs_tol=1e-6)
