"""`oker projects` against a running service: a file goes in, what is wrong in it is named, files come out."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from builders_import import a_csv, a_row, a_workbook
from builders_project_registry import Desk

from oker_bus import Bus
from oker_bus.service import build_app
from oker_bus.settings import ServiceSettings
from oker_identity import Verifier
from oker_testkit.bus import eventually
from oker_testkit.servers import free_port
from project_registry.app import SERVICE

Oker = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


class Server(uvicorn.Server):
    """Leaves the signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
async def oker(running: Bus, settings: ServiceSettings, desk: Desk, tmp_path: Path) -> AsyncIterator[Oker]:
    """The command, with the token of the unit."""
    port = free_port()
    app = build_app(SERVICE, running, Verifier.from_file(settings.identity_keys))
    server = Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: asyncio.sleep(0, server.started), "project-registry serves")
    token = desk.token("u-1", "unit")["Authorization"].removeprefix("Bearer ")
    urls = json.dumps({"project-registry": f"http://127.0.0.1:{port}"})
    env = {**os.environ, "OKER_TOKEN": token, "OKER_SERVICE_URLS": urls}

    async def run(*said: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "oker_cli", "projects", *said]
        return await asyncio.to_thread(
            subprocess.run, command, env=env, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
        )

    yield run
    server.should_exit = True
    await serving


async def test_a_file_goes_in_after_a_dry_run_and_a_second_run_changes_nothing(oker: Oker, tmp_path: Path) -> None:
    rows = [a_row(number) for number in range(3)]
    (tmp_path / "p.csv").write_bytes(a_csv(rows))
    (tmp_path / "p.xlsx").write_bytes(a_workbook(list(rows[0]), *[list(row.values()) for row in rows]))
    dry = await oker("import", "p.csv", "--dry-run")
    first = await oker("import", "p.csv")
    again = await oker("import", "p.xlsx")

    assert (dry.returncode, first.returncode, again.returncode) == (0, 0, 0), first.stderr
    assert "3 rows: 3 created, 0 changed, 0 unchanged, 0 refused (dry run: nothing was changed)" in dry.stdout
    assert "3 rows: 3 created, 0 changed, 0 unchanged, 0 refused\n" in first.stdout
    assert "3 rows: 0 created, 0 changed, 3 unchanged, 0 refused\n" in again.stdout
    listed = json.loads((await oker("list", "--field", "energie", "--json")).stdout)
    assert [row["project_id"] for row in listed] == ["projekt-0", "projekt-2"]
    assert len(json.loads((await oker("list", "--json")).stdout)) == 38


async def test_a_wrong_row_is_named_in_german_too_and_ends_with_1(oker: Oker, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(a_csv([a_row(1), a_row(2, fields_of_action="raumfahrt")]))
    english, german = await oker("import", "p.csv", "--dry-run"), await oker("import", "p.csv", "--german")

    assert (english.returncode, german.returncode) == (1, 1)
    assert "1 of 2 rows would not go in" in english.stderr
    assert "1 of 2 rows did not go in" in german.stderr
    assert "fields_of_action" in " ".join(english.stdout.split())
    assert "kein Handlungsfeld" in " ".join(german.stdout.split())
    (tmp_path / "old.csv").write_bytes("titel\nStraße\n".encode("cp1252"))
    refused = await oker("import", "old.csv")
    assert (refused.returncode, "CSV UTF-8" in refused.stderr) == (1, True)
    assert "0 refused" not in (await oker("import", "old.csv", "--encoding", "windows-1252")).stdout


async def test_projects_come_out_as_files(oker: Oker, tmp_path: Path) -> None:
    for said in (
        ["p.csv"],
        ["p.geojson"],
        ["p.html", "--project", "handyparken"],
        ["p.pdf", "--project", "handyparken"],
    ):
        done = await oker("export", *said)
        assert done.returncode == 0, done.stderr

    assert b"handyparken" in (tmp_path / "p.csv").read_bytes()
    assert len(json.loads((tmp_path / "p.geojson").read_bytes())["features"]) == 35
    assert b"<h1" in (tmp_path / "p.html").read_bytes()
    assert (tmp_path / "p.pdf").read_bytes().startswith(b"%PDF-")
    for wrong in (["p.doc"], ["p.pdf"], ["p.csv", "--project", "handyparken"]):
        assert (await oker("export", *wrong)).returncode == 2
    missing = await oker("export", "p.pdf", "--project", "mond")
    assert (missing.returncode, "404" in missing.stderr) == (1, True)
