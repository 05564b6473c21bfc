"""Which service is tested here."""

import pytest

from evaluation_scheduler.app import SERVICE
from evaluation_scheduler.settings import Settings
from oker_bus.service import Service


@pytest.fixture
def service() -> Service[Settings]:
    return SERVICE
