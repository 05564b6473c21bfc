"""The service under test."""

from typing import Any

import pytest

from oker_bus.service import Service
from selection_scoring.app import SERVICE


@pytest.fixture
def service() -> Service[Any]:
    """selection-scoring."""
    return SERVICE
