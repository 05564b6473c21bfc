"""The service under test."""

from typing import Any

import pytest
from builders_project_registry import Desk, Token
from httpx import AsyncClient

from oker_bus.service import Service
from project_registry.app import SERVICE


@pytest.fixture
def service() -> Service[Any]:
    """project-registry."""
    return SERVICE


@pytest.fixture
async def desk(http: AsyncClient, token: Token) -> Desk:
    """The unit at work, with the catalogue of the strategy in the register."""
    desk = Desk(http, token)
    await desk.done("POST", "/catalogue")
    return desk
