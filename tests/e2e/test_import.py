"""`oker import readings` against the running platform: what goes in, what is named, and what a second run does."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from oker_contracts.sensor.device_declared_v1 import DeclaredDatastream, DeviceDeclaredV1
from oker_testkit.bus import eventually
from oker_testkit.company import Company
from oker_testkit.stack import Stack

HEADING = "device,phenomenon_time,property,value,unit"
START = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Archive:
    """A device of the company, and files of its history."""

    stack: Stack
    folder: Path
    device: str

    def file(self, *rows: str, name: str = "history.csv") -> Path:
        path = self.folder / name
        path.write_text("\n".join([HEADING, *rows]) + "\n")
        return path

    def row(self, minute: int, value: object = 1.5, **said: str) -> str:
        device, unit = said.get("device", self.device), said.get("unit", "m3/h")
        return f"{device},{(START + timedelta(minutes=minute)).isoformat()},flow,{value},{unit}"

    async def declare(self, device: str | None = None) -> None:
        flow = DeclaredDatastream(property="flow", unit="m3/h", dataset="grid", observed_property="Volume flow")
        said = DeviceDeclaredV1(device=device or self.device, name="Pump", datastreams=[flow])
        await Company("stadtwerke", self.stack).say(said, f"{said.device}-declared")

        async def known() -> bool:
            return await self.stored(device) is not None

        await eventually(known, "the device is known", 30)

    async def stored(self, device: str | None = None) -> int | None:
        """How many values count for the device; nothing if it is not known."""
        url = f"{self.stack.url('sensor-ingest')}/devices/stadtwerke/{device or self.device}/flow/observations"
        async with httpx.AsyncClient() as http:
            answer = await http.get(url, params={"limit": 10_000}, headers=self.stack.token("u-1", "unit"))
        return len(answer.json()) if answer.status_code == 200 else None

    async def quarantined(self) -> int:
        """How many rows of the company lie in quarantine."""
        async with httpx.AsyncClient() as http:
            token = self.stack.token("u-1", "unit")
            where = f"{self.stack.url('sensor-ingest')}/quarantine?partner=stadtwerke&limit=1000"
            return len((await http.get(where, headers=token)).json())

    def command(self, file: Path, *options: str) -> tuple[list[str], dict[str, str]]:
        token = self.stack.token("archive", "partner", partner="stadtwerke")["Authorization"].removeprefix("Bearer ")
        urls = json.dumps({"sensor-ingest": self.stack.url("sensor-ingest")})
        said = ["import", "readings", str(file), "--source", "/stadtwerke/archive", *options]
        return [sys.executable, "-m", "oker_cli", *said], {**os.environ, "OKER_TOKEN": token, "OKER_SERVICE_URLS": urls}

    async def bring_in(self, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
        command, env = self.command(file, *options)
        return await asyncio.to_thread(
            subprocess.run, command, env=env, capture_output=True, text=True, cwd=self.folder, timeout=60, check=False
        )

    def rejected(self, file: Path) -> list[dict[str, str]]:
        with file.with_name(f"{file.name}.rejected.csv").open(newline="") as text:
            return list(csv.DictReader(text))


@pytest.fixture
async def archive(stack: Stack, tmp_path: Path) -> Archive:
    """A device that nobody has heard of, declared."""
    made = Archive(stack, tmp_path, f"pump-{uuid4().hex[:8]}")
    await made.declare()
    return made


def has(said: subprocess.CompletedProcess[str], number: int, what: str) -> bool:
    """Whether the table has such a line."""
    return any(str(number) in line and what in line for line in said.stdout.replace(",", "").splitlines())


async def test_a_history_goes_in_and_a_second_run_sends_nothing_again(archive: Archive) -> None:
    file = archive.file(*(archive.row(minute, minute / 10) for minute in range(2_500)))

    first = await archive.bring_in(file)
    again = await archive.bring_in(file)

    assert (first.returncode, first.stderr) == (0, "")
    assert has(first, 2_500, "stored")
    assert again.returncode == 0
    assert has(again, 2_500, "there before")
    assert not has(again, 2_500, "stored")
    assert await archive.stored() == 2_500


async def test_wrong_rows_are_named_and_written_aside_and_the_others_go_in(archive: Archive) -> None:
    rows = [archive.row(0), archive.row(1, "x"), archive.row(2, device="=1+1"), archive.row(3, device="nobody-1")]
    file = archive.file(*rows, archive.row(4, unit="Cel"), archive.row(5))

    said = await archive.bring_in(file)

    assert said.returncode == 1
    assert "4 rows did not go in" in said.stderr
    aside = {int(row["line"]): row for row in archive.rejected(file)}
    assert {line: row["column"] for line, row in aside.items()} == {3: "value", 4: "device", 5: "device", 6: "unit"}
    assert aside[5]["fault"].startswith("device_unknown: ")
    assert aside[6]["fault"].startswith("unit_mismatch: ")
    assert aside[4]["device"] == "'=1+1"
    assert await archive.stored() == 2


async def test_rows_that_were_quarantined_go_in_once_their_device_is_declared(archive: Archive) -> None:
    late = f"{archive.device}-late"
    file = archive.file(archive.row(0), archive.row(1, device=late))
    assert (await archive.bring_in(file)).returncode == 1

    await archive.declare(late)
    said = await archive.bring_in(file)

    assert (said.returncode, said.stderr) == (0, "")
    assert has(said, 1, "there before")
    assert has(said, 1, "stored")
    assert (await archive.stored(), await archive.stored(late)) == (1, 1)


async def test_a_second_run_adds_nothing_to_quarantine_and_writes_over_no_file(archive: Archive) -> None:
    file = archive.file(archive.row(0), archive.row(1, device=f"{archive.device}-unknown"))
    await archive.bring_in(file)
    aside = file.with_name("history.csv.rejected.csv")
    before = await archive.quarantined()

    again = await archive.bring_in(file)
    same = sorted(path.name for path in archive.folder.glob("*rejected*"))
    aside.write_text("half mended")
    third = await archive.bring_in(file)

    assert (again.returncode, third.returncode) == (1, 1)
    assert "1 row did not go in" in again.stderr
    assert "history.csv.rejected-2.csv" in third.stderr
    assert same == [aside.name]
    assert aside.read_text() == "half mended"
    assert await archive.quarantined() == before


async def test_the_operator_s_own_token_is_told_from_a_company_s(archive: Archive) -> None:
    command, env = archive.command(archive.file(archive.row(0)))
    token = archive.stack.token("auditor-1", "auditor")["Authorization"].removeprefix("Bearer ")

    said = await asyncio.to_thread(
        subprocess.run,
        command,
        env=env | {"OKER_TOKEN": token},
        capture_output=True,
        text=True,
        cwd=archive.folder,
        check=False,
    )

    assert said.returncode == 2
    assert "OKER_TOKEN speaks for no company" in said.stderr


async def test_a_dry_run_names_the_same_faults_and_sends_nothing(archive: Archive) -> None:
    file = archive.file(archive.row(0), archive.row(1, "x"))

    said = await archive.bring_in(file, "--dry-run")

    assert said.returncode == 1
    assert [row["line"] for row in archive.rejected(file)] == ["3"]
    assert await archive.stored() == 0


async def test_stopped_by_hand_it_goes_on_where_it_stopped(archive: Archive) -> None:
    file = archive.file(*(archive.row(minute) for minute in range(60_000)))
    command, env = archive.command(file)
    process = await asyncio.create_subprocess_exec(
        *command, env=env, cwd=archive.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )

    async def begun() -> bool:
        return bool(await archive.stored())

    await eventually(begun, "the first rows are stored", 30)
    process.send_signal(signal.SIGINT)
    complaint = (await asyncio.wait_for(process.communicate(), 30))[1].decode()
    said = await archive.bring_in(file)

    assert process.returncode == 130
    assert "run the same command again" in complaint
    assert "Traceback" not in complaint
    assert (said.returncode, said.stderr) == (0, "")
    assert await archive.stored() == 10_000  # the most that one request shows
    assert "there before" in said.stdout


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"OKER_TOKEN": "wrong"}, "OKER_TOKEN"),
        ({"OKER_SERVICE_URLS": "{}"}, "--url"),
    ],
)
async def test_what_keeps_it_from_starting_is_said_in_a_sentence(
    archive: Archive, change: dict[str, str], sentence: str
) -> None:
    command, env = archive.command(archive.file(archive.row(0)))

    said = await asyncio.to_thread(
        subprocess.run, command, env=env | change, capture_output=True, text=True, cwd=archive.folder, check=False
    )

    assert said.returncode == 2
    assert sentence in said.stderr
    assert "Traceback" not in said.stderr
