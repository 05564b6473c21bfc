"""Where the samples, the schemas and the real inputs stand."""

import os
from pathlib import Path

import pytest

CONTRACTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def contracts() -> Path:
    """The folder contracts/."""
    return CONTRACTS


@pytest.fixture(scope="session")
def realworld() -> Path:
    """Real and hostile inputs that this project did not write."""
    default = CONTRACTS.parents[1] / "shared" / "data"
    folder = Path(os.environ.get("OKER_REALWORLD_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real-world data in {folder}; name the folder in OKER_REALWORLD_DATA")
    return folder
