"""How many cases of each real data set hold."""

import tomllib
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HEADER = """\
# How many cases of each real data set held before. `make realworld` fails below these numbers, and
# `make realworld ARGS=--update-reached` raises them; none is ever lowered by it.

[reached]
"""
SHOWN = 10


@dataclass(slots=True)
class Tally:
    """The cases of one data set."""

    data_set: str
    reached: int
    held: int = 0
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All cases that were tried."""
        return self.held + len(self.broken)

    @contextmanager
    def case(self, name: str) -> Iterator[None]:
        """One case: it holds if nothing is raised in the block; why it does not is kept for the report."""
        try:
            yield
        except Exception as error:
            self.broken[name] = "".join(traceback.format_exception_only(error)).strip()[:300]
        else:
            self.held += 1

    def check(self) -> None:
        """Raises AssertionError if fewer hold than before, or if there was nothing to try."""
        assert self.total, f"{self.data_set}: no case was tried; is the folder complete?"
        lost = [f"  {name}: {why}" for name, why in list(self.broken.items())[:SHOWN]]
        assert self.held >= self.reached, "\n".join(
            [f"{self.data_set}: {self.held} of {self.total} hold, {self.reached} held before. Broken are", *lost]
        )


@dataclass(slots=True)
class Counts:
    """The tallies of a run, by data set."""

    reached: Mapping[str, int]
    tallies: dict[str, Tally] = field(default_factory=dict)

    def of(self, data_set: str) -> Tally:
        """The tally of a data set; a part of it has a name of its own, as in ``lorawan-events: no readings``."""
        return self.tallies.setdefault(data_set, Tally(data_set, self.reached.get(data_set, 0)))

    def table(self) -> list[str]:
        """One line a data set: held, total, and how many held before where that is another number."""
        width = max(map(len, self.tallies), default=0)
        return [
            f"{name:<{width}}  {tally.held:>6} of {tally.total:>6} hold"
            + ("" if tally.held == tally.reached else f"  ({tally.reached} held before)")
            for name, tally in sorted(self.tallies.items())
        ]

    def raised(self) -> dict[str, int]:
        """What is reached now: the greater number of before and now."""
        now = {name: max(tally.held, tally.reached) for name, tally in self.tallies.items()}
        return {**self.reached, **now}


def read_reached(path: Path) -> dict[str, int]:
    """The numbers of a file; none if there is no file."""
    if not path.exists():
        return {}
    reached: dict[str, int] = tomllib.loads(path.read_text("utf-8"))["reached"]
    return reached


def write_reached(path: Path, reached: Mapping[str, int]) -> None:
    """Write the file, in the order of names."""
    path.write_text(HEADER + "".join(f'"{name}" = {held}\n' for name, held in sorted(reached.items())), "utf-8")
