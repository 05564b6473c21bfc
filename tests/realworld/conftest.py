"""The real-world suite: recorded messages, published vectors and hostile inputs that this project did not write.

`make realworld` reads the folder OKER_REALWORLD_DATA (`../shared/data` beside the repository by default), tells for
each data set how many of how many cases hold, and fails below the numbers in `reached.toml`;
`make realworld ARGS=--update-reached` raises them. A case that does not hold is no failure by itself: real data holds
what nobody can decode. A test goes through its cases so:

    tally = counts.of("senml-rfc8428")
    for file in sorted((realworld / "senml-rfc8428").glob("*.json")):
        with tally.case(file.name):
            assert …
    tally.check()

Nothing of the folder is copied here. Without it the suite is skipped.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oker_bus.service import Service
from oker_testkit.counts import Counts, read_reached, write_reached

REACHED = Path(__file__).with_name("reached.toml")
REPOSITORY = Path(__file__).resolve().parents[2]
COUNTS = pytest.StashKey[Counts]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-reached`` is known where this folder is named on the command line."""
    parser.addoption("--update-reached", action="store_true", help="raise the numbers in tests/realworld/reached.toml")


@pytest.fixture(scope="session")
def realworld() -> Path:
    """The folder of the data sets."""
    folder = Path(os.environ.get("OKER_REALWORLD_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real-world data in {folder}; name the folder in OKER_REALWORLD_DATA")
    return folder


@pytest.fixture(scope="session")
def counts(pytestconfig: pytest.Config, realworld: Path) -> Iterator[Counts]:
    """Counts of the whole session; told at its end."""
    found = pytestconfig.stash[COUNTS] = Counts(read_reached(REACHED))
    yield found
    if pytestconfig.getoption("--update-reached", default=False):
        write_reached(REACHED, found.raised())


@pytest.fixture
def service() -> Service[Any]:
    """The service whose intake is tried."""
    from sensor_ingest.app import SERVICE

    return SERVICE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table."""
    counts = config.stash.get(COUNTS, None)
    if counts is not None and counts.tallies:
        terminalreporter.section("real-world data")
        terminalreporter.write_line("\n".join(counts.table()))
