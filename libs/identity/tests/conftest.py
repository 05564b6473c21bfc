"""A key, its public half in a file, and a clock that stands still."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from oker_identity import Verifier, new_key, public_keys

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def key() -> dict[str, Any]:
    return new_key("2026-05")


@pytest.fixture(scope="session")
def verifier(key: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Verifier:
    path: Path = tmp_path_factory.mktemp("keys") / "jwks.json"
    path.write_text(json.dumps(public_keys([new_key("2026-04"), key])))
    return Verifier.from_file(path, clock=lambda: NOW)
