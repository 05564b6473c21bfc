"""`oker devices` against the running platform: a file of devices goes in, what is wrong in it is named."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from oker_testkit.bus import eventually
from oker_testkit.stack import Stack

HEADER = "device;name;property;unit;dataset;observed_property;longitude;latitude"
Oker = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


@pytest.fixture
def oker(stack: Stack, tmp_path: Path) -> Oker:
    """The command, with the token of a company."""
    token = stack.token("office", "partner", partner="stadtwerke")["Authorization"].removeprefix("Bearer ")
    urls = json.dumps({"sensor-ingest": stack.url("sensor-ingest")})
    env = {**os.environ, "OKER_TOKEN": token, "OKER_SERVICE_URLS": urls}

    async def run(*said: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "oker_cli", "devices", *said]
        return await asyncio.to_thread(
            subprocess.run, command, env=env, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
        )

    return run


async def test_devices_of_a_file_are_known_and_a_second_run_changes_nothing(oker: Oker, tmp_path: Path) -> None:
    name = f"pegel-{uuid4().hex[:8]}"
    rows = [f"{name}-{n};Pegel Oker {n};level;cm;environment;Wasserstand;10.52;52.26" for n in range(3)]
    file = tmp_path / "devices.csv"
    file.write_text("\n".join([HEADER, *rows]), "utf-8-sig")

    async def listed() -> dict[str, str]:
        found = json.loads((await oker("list", "--json", "--property", "level")).stdout)
        return {device["device"]: device["name"] for device in found if device["device"].startswith(name)}

    async def known() -> bool:
        return len(await listed()) == 3

    first = await oker("import", str(file))
    await eventually(known, "the devices are known")
    again = await oker("import", str(file))

    assert (first.returncode, first.stderr) == (0, "")
    assert "3 rows: 3 accepted, 0 unchanged, 0 refused" in first.stdout
    assert "3 rows: 0 accepted, 3 unchanged, 0 refused" in again.stdout
    assert (await listed())[f"{name}-1"] == "Pegel Oker 1"
    places = json.loads((await oker("list", "--geojson", "--property", "level")).stdout)["features"]
    assert {"type": "Point", "coordinates": [10.52, 52.26]} in [place["geometry"] for place in places]
    assert f"{name}-2" in (await oker("list")).stdout


async def test_a_wrong_row_is_named_and_the_command_says_so(oker: Oker, tmp_path: Path) -> None:
    name = f"pegel-{uuid4().hex[:8]}"
    file = tmp_path / "devices.csv"
    right = f"{name};Pegel;level;cm;environment;Wasserstand;10.52;52.26"
    file.write_text(
        f"{HEADER}\n{right}\n{name};;flow;m³/h;environment;Abfluss;;\n{name};;depth;cm;grid;Tiefe;10,5;52.2"
    )

    said = await oker("import", str(file))

    assert said.returncode == 1
    assert said.stderr == "oker: 2 of 3 rows did not go in; mend them and import the file again\n"
    assert "unit_unknown" in said.stdout
    assert "write m3/h" in said.stdout
    assert "decimal comma" in said.stdout
    assert f"Some rows only: {name}" in said.stdout


async def test_a_file_that_is_none_is_said_so(oker: Oker, tmp_path: Path) -> None:
    missing = await oker("import", "nowhere.csv")
    (tmp_path / "empty.csv").write_text("")
    empty = await oker("import", "empty.csv")

    assert (missing.returncode, missing.stderr) == (2, "oker: nowhere.csv cannot be read: No such file or directory\n")
    assert empty.returncode == 1
    assert "body_empty" in empty.stderr
