"""The service under test."""

from typing import Any

import pytest

from oker_bus.service import Service
from sensor_ingest.app import SERVICE


@pytest.fixture
def service() -> Service[Any]:
    """sensor-ingest."""
    return SERVICE
