"""`oker verify`: compute a decision again, or follow the decision log; a file is enough, no platform is asked."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from oker_cli.failure import Failure
from oker_cli.services import Services
from oker_cli.settings import read_settings
from oker_decision import chain, file
from oker_decision.file.lines import Unreadable, bounded, read_object
from oker_decision.file.report import printable, told
from oker_decision.reading import Invalid

PAGE = 1000
SERVICE = "selection-scoring"

app = typer.Typer(no_args_is_help=True, help="Check a decision, or the log of all decisions.")
AsJson = Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")]
Place = Annotated[Path, typer.Argument(help="A decision file, from GET /rounds/{round_id}/decision-file.")]
Head = Annotated[str | None, typer.Option(help="A hash of the log that was published or noted before.")]

Known = Annotated[
    str | None,
    typer.Option(help="A hash of the log noted at the decision or before it: it must stand in the log of the file."),
]


@app.command("decision")
def decision(place: Place, as_json: AsJson = False, log_sha256: Known = None) -> None:
    """Compute a decision again from its file. Exit code 1 if it does not hold; each place is named."""
    try:
        with place.open("rb") as lines:
            found = file.verify(lines, log_sha256)
    except OSError as error:
        raise Failure(f"{place} cannot be read: {error.strerror}", 2) from None
    if as_json:
        typer.echo(json.dumps({"verified": found.holds, **asdict(found)}, indent=2, ensure_ascii=False))
    else:
        for line in told(found):
            typer.echo(line)
    if not found.holds:
        raise Failure(f"{place} does not hold")
    if log_sha256 is not None and found.figures is not None:
        _hold_against(place, found.figures, log_sha256, as_json)


def _hold_against(place: Path, figures: file.Figures, known: str, as_json: bool) -> None:
    """Say how far a hash that was known before covers the log of a file."""
    if figures.known_entry is None:
        said = f"{printable(known)} is no hash of its log up to the decision, whose own is {figures.log_sha256}"
        later = "A hash noted after the decision is looked for with: oker verify log"
        raise Failure(f"{place} is whole, but not the file that was published: {said}. {later}")
    if as_json:
        return
    if known == figures.log_sha256:
        typer.echo("KNOWN HASH: it is that of the decision; this is the file that was published.")
    else:
        of = f"entry {figures.known_entry} of {figures.log_entries}"
        typer.echo(f"KNOWN HASH: it is that of {of}; it vouches for the log up to there, and for nothing later.")


@app.command("log")
def log(
    context: typer.Context,
    place: Annotated[Path | None, typer.Argument(help="Entries, one JSON object a line; else the service.")] = None,
    head: Head = None,
    as_json: AsJson = False,
) -> None:
    """Follow the decision log from its beginning. Exit code 1 if an entry was removed, altered or moved.

    Whether the end was cut off is seen with ``--head``, the hash that this command printed last time.
    """
    entries = asyncio.run(_asked(context)) if place is None else _read(place)
    try:
        found = chain.follow(entries, head)
    except Invalid as invalid:
        raise Failure(printable(f"the log has an entry that is none: {invalid}")) from None
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    if found.broken is not None:
        at = found.broken
        said = f"entry {at.number}, {at.field}: said {at.said}, computed {at.computed}. {at.sentence}"
        raise Failure(printable(said))
    if not found.seen:
        raise Failure(f"the hash {head} does not stand in the log of {found.entries} entries: its end was cut off")
    if not as_json:
        typer.echo(f"entries  {found.entries}\nhead     {found.head}\nVERIFIED: no entry is missing, altered or moved.")


def _read(place: Path) -> Iterator[dict[str, Any]]:
    try:
        with place.open("rb") as lines:
            for number, line in enumerate(bounded(lines), start=1):
                yield read_object(number, line)
    except Unreadable as unreadable:
        raise Failure(printable(f"{place}, {unreadable}")) from None
    except OSError as error:
        raise Failure(f"{place} cannot be read: {error.strerror}", 2) from None


async def _asked(context: typer.Context) -> list[dict[str, Any]]:
    """All pages of ``GET /log``."""
    found: list[dict[str, Any]] = []
    async with Services.of(read_settings(context)) as services:
        while True:
            after = found[-1]["number"] if found else 0
            page = await services.get(SERVICE, "/log", after=after, limit=PAGE)
            if not page:
                return found
            found += page
