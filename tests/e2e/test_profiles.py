"""`oker profiles` against the running platform, with the profile that docs/codecs.md shows."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from oker_testkit.bus import eventually
from oker_testkit.stack import Stack

DOCS = Path(__file__).resolve().parents[2] / "docs" / "codecs.md"
Oker = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


@pytest.fixture
def oker(stack: Stack, tmp_path: Path) -> Oker:
    """The command, with the token of a company."""
    token = stack.token("office", "partner", partner="stadtwerke")["Authorization"].removeprefix("Bearer ")
    urls = json.dumps({"sensor-ingest": stack.url("sensor-ingest")})
    env = {**os.environ, "OKER_TOKEN": token, "OKER_SERVICE_URLS": urls}

    async def run(*said: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "oker_cli", "profiles", *said]
        return await asyncio.to_thread(
            subprocess.run, command, env=env, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
        )

    return run


@pytest.fixture
def shown(tmp_path: Path) -> dict[str, Any]:
    """The profile that the documentation shows, also as the file `probe.json`."""
    (text,) = re.findall(r"`probe.json`:\n\n```json\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    (tmp_path / "probe.json").write_text(text, "utf-8")
    said: dict[str, Any] = json.loads(text)
    return said


async def test_the_profile_of_the_documentation_passes_and_is_declared(
    stack: Stack, oker: Oker, shown: dict[str, Any]
) -> None:
    tried = await oker("test", "probe.json")
    before = await _versions(stack, shown["profile"])
    declared = await oker("declare", "probe.json")

    async def known() -> bool:
        return await _versions(stack, shown["profile"]) == [1]

    await eventually(known, "the profile is known")
    assert (tried.returncode, tried.stderr, before) == (0, "", [])
    assert tried.stdout in DOCS.read_text("utf-8")
    assert (declared.returncode, declared.stderr) == (0, "")


async def test_all_that_would_refuse_a_profile_is_named_and_the_command_says_so(
    oker: Oker, shown: dict[str, Any], tmp_path: Path
) -> None:
    wrong = shown | {"profile": "probe-8"}
    wrong["measurements"] = [{"path": "TempC", "property": "temperature", "unit": "°C"}]
    (tmp_path / "wrong.json").write_text(json.dumps(wrong), "utf-8")
    wrong["measurements"] = [{"path": "TempC", "property": "temperature", "unit": "grad"}]
    wrong["vectors"][1]["data"] = {"TempC": 2150, "BatV": 3.04}
    (tmp_path / "worse.json").write_text(json.dumps(wrong | {"script": ""}), "utf-8")
    (tmp_path / "codec.js").write_text(shown["script"], "utf-8")

    unit = await oker("test", "wrong.json")
    more = await oker("test", "worse.json", "--script", "codec.js")
    without = await oker("test", "worse.json")

    assert (unit.returncode, more.returncode, without.returncode) == (1, 1, 1)
    assert "$.measurements[0].unit" in unit.stderr
    assert "vectors[1] failed  temperature 21.5 grad" in more.stdout
    assert "measurements[0].unit: " in more.stdout
    assert "vectors[1].data.TempC: expected 2150, got 21.5" in more.stdout
    assert more.stderr == "oker: probe-8@1 would be refused; 2 faults\n"
    assert "script: a profile with codec javascript has a script" in without.stdout


async def test_a_file_that_is_none_is_said_so(oker: Oker, shown: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")
    missing = await oker("test", "nowhere.json")
    none = await oker("test", "list.json", "--script", "list.json")
    refused = await oker("test", "list.json")
    script = await oker("test", "probe.json", "--script", "nowhere.js")

    assert (missing.returncode, missing.stderr) == (2, "oker: nowhere.json cannot be read: No such file or directory\n")
    assert (script.returncode, script.stderr) == (2, "oker: nowhere.js cannot be read: No such file or directory\n")
    assert (none.returncode, none.stderr) == (2, "oker: list.json is no JSON object\n")
    assert refused.returncode == 1
    assert "field_type_wrong" in refused.stderr


async def _versions(stack: Stack, name: str) -> list[int]:
    async with httpx.AsyncClient(base_url=stack.url("sensor-ingest")) as http:
        headers = stack.token("office", "partner", partner="stadtwerke")
        answer = await http.get(f"/profiles/{name}", headers=headers)
        return [row["version"] for row in answer.json()] if answer.is_success else []
