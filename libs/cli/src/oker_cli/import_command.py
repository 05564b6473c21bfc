"""`oker import`: the history of a company, from a file into its datastreams."""

import asyncio
import csv
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from io import TextIOWrapper
from itertools import count as count_from
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Any, Literal, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from oker_cli.failure import Failure
from oker_cli.import_rows import COLUMNS, Chunk, Fault, Fold, Layout, Repeated, Row, cut, read_csv, read_jsonl
from oker_cli.import_sending import Place, Sent, Totals, count, send, settle
from oker_cli.screen import console, rows
from oker_cli.settings import OperatorSettings, company_of, missing, read_settings

app = typer.Typer(no_args_is_help=True, help="Bring a history into the platform.")
GROUP = 40
"""Events that are asked about, sent and held in memory at a time."""
SHOWN = 10
INTERRUPTED = 130
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@app.command()
def readings(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV with a heading, or JSON Lines.")],
    source: Annotated[str, typer.Option(help="Which of your systems speaks, as in /stadtwerke/archive.")],
    format: Annotated[str, typer.Option(help="csv or jsonl; by the file's name if left out.")] = "",
    url: Annotated[str, typer.Option(help="sensor-ingest; from OKER_SERVICE_URLS if left out.")] = "",
    decimal: Annotated[str, typer.Option(help="The decimal sign of values: . or ,")] = ".",
    timezone: Annotated[str, typer.Option(help="Of times without offset, as in Europe/Berlin.")] = "",
    fold: Annotated[
        str, typer.Option(help="The hour that is there twice in October: first, second, refuse.")
    ] = "refuse",
    column: Annotated[list[str], typer.Option(help="NAME=HEADING, where the file calls a column otherwise.")] = [],  # noqa: B006
    set: Annotated[list[str], typer.Option(help="NAME=VALUE, where all rows have one value.")] = [],  # noqa: B006
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the outcome of what was sent.")] = 60.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, send nothing.")] = False,
) -> None:
    """Bring rows of device, phenomenon_time, property, value, unit and perhaps result_time in as readings.

    Wrong rows are named and written to FILE.rejected.csv, or FILE.rejected-2.csv if that is there; all others go in.
    Stopped or broken off, run it again: what is there is not sent again. Exit code 1 if a row did not go in, 130 if it
    was stopped.
    """
    layout = _layout(decimal, timezone, fold, column, set)
    reads = _reader(file, format)
    run = _Run(file, layout, reads)
    try:
        asyncio.run(_import(run, None if dry_run else _address(read_settings(context), url), source, wait))
    except KeyboardInterrupt:
        _show(run, dry_run)
        raise Failure("stopped; run the same command again to go on where it stopped", INTERRUPTED) from None
    _show(run, dry_run)
    if not run.totals.is_whole:
        raise Failure(_left(run))


@dataclass(slots=True)
class _Run:
    """One run over one file."""

    file: Path
    layout: Layout
    reads: Callable[[Any, Layout], Iterator[Row]]
    totals: Totals = field(default_factory=Totals)
    faults: list[tuple[Row, Fault]] = field(default_factory=list)
    """The first of them, for the screen."""

    rejected: Path | None = None
    """Where the rows that did not go in were written."""


def _layout(decimal: str, timezone: str, fold: str, columns: list[str], constants: list[str]) -> Layout:
    if decimal not in (".", ","):
        raise Failure("--decimal is . or ,", 2)
    if fold not in ("first", "second", "refuse"):
        raise Failure("--fold is first, second or refuse", 2)
    try:
        zone = ZoneInfo(timezone) if timezone else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Failure(f"--timezone {timezone!r} is not known; say it as in Europe/Berlin", 2) from None
    sign = cast(Literal[".", ","], decimal)
    return Layout(sign, zone, cast(Fold, fold), _pairs("--column", columns), _pairs("--set", constants))


def _pairs(option: str, said: list[str]) -> dict[str, str]:
    pairs = dict(one.split("=", 1) for one in said if "=" in one)
    if len(pairs) != len(said) or not pairs.keys() <= {*COLUMNS}:
        raise Failure(f"{option} is NAME=…, each once, where NAME is one of {', '.join(COLUMNS)}", 2)
    return pairs


def _reader(file: Path, format: str) -> Callable[[Any, Layout], Iterator[Row]]:
    readers = {"csv": read_csv, "jsonl": read_jsonl, "ndjson": read_jsonl}
    known = readers.get(format or file.suffix.lstrip(".").lower())
    if known is None:
        raise Failure(f"{file}: say --format csv or --format jsonl", 2)
    if not file.is_file():
        raise Failure(f"{file} is not there, or is no file", 2)
    return known


def _address(settings: OperatorSettings, url: str) -> tuple[str, str]:
    address = url or (settings.service_urls or {}).get("sensor-ingest")
    if not address:
        raise Failure("where is sensor-ingest? Say --url, or set OKER_SERVICE_URLS", 2)
    if settings.token is None:
        raise missing("token")
    if company_of(settings.token) is None:
        way_out = "oker token NAME --role partner --partner COMPANY --key FILE"
        raise Failure(f"OKER_TOKEN speaks for no company, and readings are a company's; make one with: {way_out}", 2)
    return address, settings.token.get_secret_value()


@asynccontextmanager
async def _place(address: tuple[str, str], source: str) -> AsyncIterator[Place]:
    url, token = address
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as http:
        yield Place(http, source)


async def _import(run: _Run, address: tuple[str, str] | None, source: str, wait: float) -> None:
    """Group by group: while one is sent, the one before it is being settled."""
    with ExitStack() as stack:
        raw = stack.enter_context(run.file.open("rb"))
        progress = stack.enter_context(_progress())
        task = progress.add_task("rows", total=run.file.stat().st_size, rows=0, speed="")
        rejected = _Rejected(run.file)
        stack.callback(lambda: setattr(run, "rejected", rejected.path))
        stack.enter_context(rejected)
        text = TextIOWrapper(cast(IO[bytes], raw), encoding="utf-8-sig", errors="surrogateescape", newline="")
        pieces = cut(_counted(run, run.reads(text, run.layout), raw, progress, task), run.layout)
        chunks = _good(run, rejected, pieces)
        if address is None:
            for _ in chunks:
                pass
            return
        async with _place(address, source) as place:
            before: list[Sent] = []
            while group := list(islice(chunks, GROUP)):
                sent = await send(place, group)
                await _close(run, rejected, place, before, wait)
                before = sent
            await _close(run, rejected, place, before, wait)


def _counted(run: _Run, rows: Iterator[Row], raw: Any, progress: Progress, task: TaskID) -> Iterator[Row]:
    for row in rows:
        run.totals.rows += 1
        if run.totals.rows % 500 == 0:
            elapsed = progress.tasks[0].elapsed or 0.0
            speed = f"{run.totals.rows / elapsed:,.0f} rows/s" if elapsed > 1 else ""
            progress.update(task, completed=raw.tell(), rows=run.totals.rows, speed=speed)
        yield row
    progress.update(task, completed=raw.tell(), rows=run.totals.rows)


def _good(run: _Run, rejected: "_Rejected", pieces: Iterator[Chunk | Repeated | tuple[Row, Fault]]) -> Iterator[Chunk]:
    """The events; rows that cannot be taken are written aside on the way."""
    for piece in pieces:
        if isinstance(piece, Chunk):
            yield piece
        elif isinstance(piece, Repeated):
            run.totals.repeated += 1
        else:
            run.totals.refused += 1
            _name(run, rejected, *piece)


async def _close(run: _Run, rejected: "_Rejected", place: Place, group: list[Sent], wait: float) -> None:
    await settle(place, group, wait)
    for row, fault in count(group, run.totals):
        _name(run, rejected, row, fault)


def _name(run: _Run, rejected: "_Rejected", row: Row, fault: Fault) -> None:
    rejected.write(row, fault)
    if len(run.faults) < SHOWN:
        run.faults.append((row, fault))


class _Rejected:
    """Rows that did not go in, with line, column and sentence; made with the first of them.

    What stands there from an earlier run may be half mended, and is never written over: the rows go to the next free
    name, unless they are the same as in the file before. Cells that a spreadsheet would take for a formula get a
    quotation mark in front; numbers stay.
    """

    def __init__(self, file: Path) -> None:
        self._of = file
        self.path = self._named(1)
        self._file: IO[str] | None = None
        self._names: list[str] = []

    def _named(self, number: int) -> Path:
        return self._of.with_name(f"{self._of.name}.rejected{f'-{number}' if number > 1 else ''}.csv")

    def __enter__(self) -> "_Rejected":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is None:
            return
        self._file.close()
        before = self._before(self.path)
        if before and before.read_bytes() == self.path.read_bytes():
            self.path.unlink()
            self.path = before

    def _before(self, path: Path) -> Path | None:
        number = next(number for number in count_from(1) if self._named(number) == path)
        return self._named(number - 1) if number > 1 else None

    def write(self, row: Row, fault: Fault) -> None:
        """Append one row."""
        if self._file is None:
            self._names = list(row.cells) or list(COLUMNS)
            self.path = next(path for path in map(self._named, count_from(1)) if not path.exists())
            self._file = self.path.open("x", encoding="utf-8", errors="backslashreplace", newline="")
            csv.writer(self._file).writerow(["line", "column", "fault", *self._names])
        cells = [_harmless(row.cells.get(name, "")) for name in self._names]
        csv.writer(self._file).writerow([row.line, fault.column, _harmless(fault.sentence), *cells])


def _harmless(said: Any) -> str:
    text = str(said)
    if not text.startswith(FORMULA):
        return text
    try:
        float(text.replace(",", "."))
    except ValueError:
        return f"'{text}"
    return text


def _progress() -> Progress:
    columns = (
        TextColumn("{task.fields[rows]:,} rows"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    screen = Console(stderr=True)
    return Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)


def _show(run: _Run, dry_run: bool) -> None:
    table = Table("rows", "what became of them")
    totals = run.totals
    sent = {} if dry_run else totals.outcomes
    lines = {"read": totals.rows, "refused here": totals.refused, "said twice in the file": totals.repeated}
    lines |= {**sent, "there before": totals.known}
    lines["not ended yet"] = totals.unknown
    for name, number in lines.items():
        if number or name == "read":
            table.add_row(f"{number:,}", name)
    screen = console()
    for row, fault in run.faults:
        screen.print(f"line {row.line}, {fault.column}: {fault.sentence}", markup=False)
    screen.print(table)


def _left(run: _Run) -> str:
    totals = run.totals
    aside = totals.refused + totals.outcomes["quarantined"]
    if not aside:
        return f"not ended yet: {rows(totals.unknown)}; run the same command again to see what became of them"
    return f"{rows(aside)} did not go in; see {run.rejected}"
