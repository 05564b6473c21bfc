"""What was measured: lines of ``build/bench.jsonl`` and a table on the screen."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure; ``ratio`` is ours divided by the reference of the same run.

    For a peer the value is the peer's, the reference is ours, and the ratio stays ours divided by the peer's.
    """

    name: str
    value: float
    unit: str
    reference: float | None = None
    ratio: float | None = None
    against: str = ""
    """What the reference is, for the screen only."""
    spread: str = ""
    """Lowest and highest of the rounds, for the screen only."""
    note: str = ""
    """What has to be known to read the figure."""

    def line(self) -> str:
        """The figure as a line of JSON."""
        names = ("name", "value", "unit", "reference", "ratio", *(["note"] if self.note else []))
        return json.dumps({name: getattr(self, name) for name in names}, ensure_ascii=False)


def compare(name: str, unit: str, ours: Sequence[float], reference: Sequence[float], against: str = "R1") -> Figure:
    """The medians of alternating rounds; the ratio is the median of the rounds' ratios."""
    ratios = _ratios(ours, reference)
    return Figure(
        name=name,
        value=round(median(ours), 2),
        unit=unit,
        reference=round(median(reference), 2),
        ratio=round(median(ratios), 3),
        against=against,
        spread=_spread(ratios),
    )


def compare_peer(name: str, unit: str, peer: Sequence[float], ours: Sequence[float]) -> Figure:
    """A peer in alternating rounds with us."""
    ratios = _ratios(ours, peer)
    return Figure(
        name=name,
        value=round(median(peer), 2),
        unit=unit,
        reference=round(median(ours), 2),
        ratio=round(median(ratios), 3),
        against="ours",
        spread=_spread(ratios),
    )


def value(name: str, unit: str, rounds: Sequence[float], digits: int = 2) -> Figure:
    """The median of rounds that have no reference."""
    return Figure(name=name, value=round(median(rounds), digits), unit=unit, spread=_spread(rounds))


def _ratios(ours: Sequence[float], reference: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(ours, reference, strict=True)]


def _spread(rounds: Sequence[float]) -> str:
    return f"{_number(min(rounds))}–{_number(max(rounds))}" if len(rounds) > 1 else ""


def append(path: Path, figures: Sequence[Figure]) -> None:
    """Write figures at the end of the file, so that an interrupted run keeps what it has."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{figure.line()}\n" for figure in figures)


def show(figures: Sequence[Figure], without: Sequence[str]) -> None:
    """Print the table, and below it what was not measured."""
    table = Table(title="each figure against the reference of the same run")
    for header in ("Figure", "Value", "Unit", "Reference", "", "Ratio", "Rounds"):
        table.add_column(header, no_wrap=True)
    for figure in figures:
        cells = (_number(figure.value), figure.unit, _number(figure.reference), figure.against)
        table.add_row(figure.name, *cells, _number(figure.ratio), figure.spread)
    console = Console(highlight=False, width=None if Console().width > 110 else 110)
    console.print(table)
    for line in [*(f"{figure.name}: {figure.note}" for figure in figures if figure.note), *without]:
        console.print(line)
    console.print(
        "Broker, database, publisher and reader share this machine, so figures move with whatever else runs on it. "
        "Compare ratios, and believe a change only where it is larger than the range of the rounds. "
        "How it is measured: docs/benchmarks.md."
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
