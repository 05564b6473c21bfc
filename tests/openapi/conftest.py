"""A stack of its own: what is tried here leaves fields retired and contacts erased."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from oker_testkit.stack import Stack, new_test_stack


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Stack]:
    """A running stack with the catalogue of the strategy."""
    folder = Path(tempfile.mkdtemp(prefix="oker-openapi-"))
    folder.chmod(0o755)
    started = new_test_stack(folder)
    try:
        asyncio.run(started.start())
        url = f"{started.url('project-registry')}/catalogue"
        httpx.post(url, headers=started.token("unit-1", "unit"), timeout=15).raise_for_status()
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder, ignore_errors=True)
