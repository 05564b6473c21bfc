"""The service under test."""

from typing import Any

import pytest

from oker_bus.service import Service
from project_registry.app import SERVICE


@pytest.fixture
def service() -> Service[Any]:
    """project-registry."""
    return SERVICE
