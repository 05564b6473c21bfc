"""The service under test, and a clock that a test can set."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from builders_selection_scoring import POOL, Board, Watch, a_profile
from httpx import AsyncClient

from oker_bus import Bus, open_bus
from oker_bus.service import Service
from oker_bus.settings import ServiceSettings
from oker_testkit.bus import TestBus
from selection_scoring.app import SERVICE


@pytest.fixture
def watch() -> Watch:
    """The clock of the service under test."""
    return Watch()


@pytest.fixture
def service() -> Service[Any]:
    """selection-scoring."""
    return SERVICE


@pytest.fixture
async def running(service: Service[Any], settings: ServiceSettings, jetstream: Any, watch: Watch) -> AsyncIterator[Bus]:
    """The service in this process, by the test's clock."""
    async with open_bus(settings, service.router, watch) as bus:
        yield bus


@pytest.fixture
async def pool(bus: TestBus) -> None:
    """Three projects are eligible."""
    for project_id in POOL:
        await bus.publish(a_profile(project_id))
    await bus.settled()


@pytest.fixture
def board(http: AsyncClient, token: Callable[..., dict[str, str]]) -> Board:
    """The API as its users call it."""
    return Board(http, token)
