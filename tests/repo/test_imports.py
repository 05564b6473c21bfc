"""The contracts of import-linter hold, and each of them breaks on a bad example."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path for path in ROOT.glob("*/src/oker_*")) + sorted(ROOT.glob("*/*/src/*/"))
BAD = {
    "layers": {
        "oker_contracts/base.py": "import oker_bus.bus",
        "oker_bus/bus.py": "import sensor_ingest.store",
        "oker_telemetry/logs.py": "import oker_bus.bus",
        "notification/store.py": "import selection_scoring.store",
    },
    "testkit": {
        "sensor_ingest/app.py": "import oker_testkit.bus",
        "project_registry/app.py": "import oker_cli.topology",
    },
    "cli": {"oker_cli/topology.py": "import oker_testkit.servers"},
    "decision": {"oker_decision/scoring.py": "import oker_bus.bus"},
    "transport": {
        "sensor_ingest/handlers.py": "import nats",
        "selection_scoring/api.py": "import sqlmodel",
        "project_registry/domain.py": "import sqlalchemy",
    },
    "store": {"evaluation_scheduler/store.py": "import oker_contracts.base"},
    "settings": {
        "notification/handlers.py": "import notification.settings",
        "evaluation_scheduler/api.py": "import oker_bus.settings",
    },
}
"""Of each contract, files and the line in them that breaks it."""


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages in a folder, or on the installed ones."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--config", "pyproject.toml"]
    environment = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def hollow_copy(folder: Path) -> None:
    """All modules of all packages, empty, and the configuration of import-linter."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        for file in package.rglob("*.py"):
            copy = folder / file.relative_to(package.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.touch()


def test_the_packages_keep_all_contracts() -> None:
    done = lint(ROOT)

    assert done.returncode == 0, done.stdout


def test_a_hollow_copy_keeps_all_contracts(tmp_path: Path) -> None:
    hollow_copy(tmp_path)

    done = lint(tmp_path)

    assert (done.returncode, " 0 broken" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.parametrize("contract", BAD)
def test_a_bad_import_is_caught(contract: str, tmp_path: Path) -> None:
    hollow_copy(tmp_path)
    for path, line in BAD[contract].items():
        (tmp_path / path).write_text(line + "\n")

    done = lint(tmp_path)

    assert done.returncode == 1, done.stdout + done.stderr
    for path, line in BAD[contract].items():
        importer = path.removesuffix(".py").replace("/", ".")
        assert f"{importer} -> {line.removeprefix('import ')} (l.1)" in done.stdout
