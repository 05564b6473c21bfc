"""One whole Oker for all tests that need it: five processes, real servers, free ports."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from oker_testkit.stack import Stack, new_test_stack


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A running stack, shared by the session; its logs are kept if a test failed."""
    folder = Path(tempfile.mkdtemp(prefix="oker-stack-"))
    folder.chmod(0o755)
    started = new_test_stack(folder)
    try:
        asyncio.run(started.start())
        yield started
    finally:
        started.stop()
        if request.session.testsfailed:
            kept = Path(request.config.rootpath) / "build" / "failed" / "stack-logs"
            shutil.copytree(folder / "logs", kept, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
