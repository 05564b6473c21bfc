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
    """One figure; ``ratio`` is ours divided by the reference of the same run."""

    name: str
    value: float
    unit: str
    reference: float | None = None
    ratio: float | None = None
    spread: str = ""
    """Lowest and highest ratio of the rounds, for the screen only."""

    def line(self) -> str:
        """The figure as a line of JSON."""
        names = ("name", "value", "unit", "reference", "ratio")
        return json.dumps({name: getattr(self, name) for name in names})


def compare(name: str, unit: str, ours: Sequence[float], reference: Sequence[float]) -> Figure:
    """The medians of alternating rounds; the ratio is the median of the rounds' ratios."""
    ratios = [a / b for a, b in zip(ours, reference, strict=True)]
    return Figure(
        name=name,
        value=round(median(ours), 2),
        unit=unit,
        reference=round(median(reference), 2),
        ratio=round(median(ratios), 3),
        spread=f"{min(ratios):.2f}–{max(ratios):.2f}",
    )


def append(path: Path, figures: Sequence[Figure]) -> None:
    """Write figures at the end of the file, so that an interrupted run keeps what it has."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{figure.line()}\n" for figure in figures)


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    table = Table(title="ours against the reference R1 of the same run")
    for header in ("Figure", "Ours", "R1", "Unit", "Ratio", "Rounds"):
        table.add_column(header, no_wrap=True)
    for figure in figures:
        cells = (_number(figure.value), _number(figure.reference), figure.unit, _number(figure.ratio))
        table.add_row(figure.name, *cells, figure.spread)
    console = Console(highlight=False)
    console.print(table)
    console.print(
        "Broker, database, publisher and reader share this machine, so figures move with whatever else runs on it. "
        "Compare ratios, and believe a change only where it is larger than the range of the rounds. "
        "Throughput: more is better; latency: less is better."
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:g}"
