"""`oker quarantine`: what was refused, and its mending."""

import asyncio
import json
from base64 import b64encode
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from oker_cli.failure import Failure
from oker_cli.screen import console
from oker_cli.services import Services
from oker_cli.settings import read_settings
from oker_cli.what import printable

app = typer.Typer(no_args_is_help=True, help="What was refused: list, show, mend, resend.")
PAGE = 1_000
Place = Annotated[str, typer.Argument(metavar="SERVICE/ID", help="As `oker quarantine list` names it.")]
SENTENCE = 500
"""Characters of a refusal, which end with the way out."""
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
Reason = Annotated[str | None, typer.Option("--reason", help="One reason code only, for example device_unknown.")]
Company = Annotated[str | None, typer.Option("--partner", help="One company only.")]
Row = dict[str, Any]


@app.command("list")
def list_rows(
    context: typer.Context,
    reason: Reason = None,
    partner: Company = None,
    mended: Annotated[bool, typer.Option("--mended", help="What was mended, in place of what is open.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="The oldest so many of each service.")] = 100,
    as_json: AsJson = False,
) -> None:
    """What was refused, by every service, the oldest first."""
    services = Services.of(read_settings(context))
    wanted = _wanted(reason, partner) | {"state": "mended" if mended else "open"}
    rows = asyncio.run(_list(services, wanted, limit))
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("Place", "Company", "Reason", "Path", "Detail", "Since")
    for row in rows:
        more = f"(and {row['readings'] - 1} more of this message) " if row.get("readings", 1) > 1 else ""
        said = (row["partner"] or "", row["reason"], row["path"], more + row["detail"], row["quarantined_at"][:16])
        table.add_row(f"{row['service']}/{row['id']}", *(printable(text, SENTENCE) for text in said))
    console().print(table)


@app.command("show")
def show(
    context: typer.Context,
    place: Place,
    body: Annotated[bool, typer.Option("--body", help="Print the body alone, for a file to mend.")] = False,
    as_json: AsJson = False,
) -> None:
    """One refusal with its reason, its headers and its bytes."""
    services = Services.of(read_settings(context))
    row = asyncio.run(_one(services, "GET", place))
    if as_json:
        typer.echo(json.dumps(row, indent=2))
    elif body:
        if row["body"] is None:
            raise Failure(f"{place}: the body is no text; its bytes are in --json, as body_base64")
        typer.echo(row["body"], nl=False)
    else:
        _show(row)


@app.command("resend")
def resend(
    context: typer.Context,
    place: Annotated[str | None, typer.Argument(metavar="SERVICE/ID")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are open; narrow them with the options.")] = False,
    reason: Reason = None,
    partner: Company = None,
    as_json: AsJson = False,
) -> None:
    """Take the same bytes once more, for example after a device was declared."""
    services = Services.of(read_settings(context))
    if (place is None) == (not everything):
        raise Failure("name one SERVICE/ID, or say --all", 2)
    if place is not None:
        _told(place, asyncio.run(_one(services, "POST", place, "/resend")), as_json)
        return
    answers = asyncio.run(_resend_all(services, _wanted(reason, partner)))
    if as_json:
        typer.echo(json.dumps(answers, indent=2))
    for answer in answers if not as_json else ():
        typer.echo(f"{answer['service']}: {answer['taken']} messages taken again, {answer['mended']} refusals mended")
        if answer["still_refused"]:
            typer.echo(f"  {answer['still_refused']} of their readings are refused again: oker quarantine list")
        for row in answer["refused"]:
            sentence = f"{row['code']} {row['path']} {row['detail']}"
            typer.echo(f"  {answer['service']}/{row['id']}: {printable(sentence)}")


@app.command("mend")
def mend(
    context: typer.Context,
    place: Place,
    file: Annotated[Path | None, typer.Argument(help="The event's data as it should have been, JSON.")] = None,
    header: Annotated[list[str] | None, typer.Option("--header", help="name: value; may be given again")] = None,
    whole_body: Annotated[bool, typer.Option("--whole-body", help="The file is the whole body, of any kind.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a message once more with other data or headers; its place, company and time stay."""
    services = Services.of(read_settings(context))
    change: dict[str, Any] = {"headers": _headers(header)} if header else {}
    if file is not None:
        said = _read(file)
        change |= {"body": b64encode(said).decode()} if whole_body else {"data": _data(file, said)}
    if not change:
        raise Failure("name a file, or a --header; to send the same bytes again: oker quarantine resend", 2)
    _told(place, asyncio.run(_one(services, "POST", place, "/mend", json=change)), as_json)


def _wanted(reason: str | None, partner: str | None) -> dict[str, str]:
    return {name: value for name, value in (("reason", reason), ("partner", partner)) if value}


async def _list(services: Services, wanted: dict[str, str], limit: int) -> list[Row]:
    found: list[Row] = []
    async with services:
        for name in services.urls:
            left, after = limit, 0
            while left > 0:
                page = await services.get(name, "/quarantine", **wanted, limit=min(left, PAGE), after=after)
                found += [{"service": name, **row} for row in page]
                left = left - len(page) if len(page) == min(left, PAGE) else 0
                after = page[-1]["id"] if page else 0
    return found


async def _one(services: Services, method: str, place: str, path: str = "", **said: Any) -> Row:
    service, _, id = place.rpartition("/")
    if not service or not id.isdigit():
        raise Failure(f"{place!r} is no place like sensor-ingest/17", 2)
    async with services:
        answer = await services.ask(service, method, f"/quarantine/{id}{path}", **said)
        row: Row = services.json(service, answer)
        return row


async def _resend_all(services: Services, wanted: dict[str, str]) -> list[Row]:
    answers = []
    async with services:
        for name in services.urls:
            whole: Row = {"service": name, "taken": 0, "mended": 0, "still_refused": 0, "refused": []}
            after: int | None = 0
            while after is not None:
                answer = await services.ask(name, "POST", "/quarantine/resend", params=wanted | {"after": str(after)})
                said = services.json(name, answer)
                for key in ("taken", "mended", "still_refused", "refused"):
                    whole[key] += said[key]
                after = said["next"]
            answers.append(whole)
    return answers


def _told(place: str, answer: Row, as_json: bool) -> None:
    typer.echo(json.dumps(answer, indent=2) if as_json else f"{place}: {answer['outcome']}")
    if answer["refused"] and not as_json:
        typer.echo(f"{answer['refused']} of its readings are still refused")


def _show(row: Row) -> None:
    table = Table(show_header=False)
    for name in ("partner", "reason", "meaning", "path", "detail", "contract", "event_source", "event_id"):
        table.add_row(name, printable(str(row[name] or "")))
    part = row.get("parts") or row["part"]
    table.add_row("place", f"{row['consumer']}, {row['stream']}/{row['sequence']}, part {part}")
    table.add_row("quarantined", row["quarantined_at"])
    if row["mended_at"]:
        table.add_row("mended", f"{row['mended_at']} by {row['mended_by']}: {row['mended_outcome']}")
    for name, value in row["headers"].items():
        table.add_row("header", printable(f"{name}: {value}"))
    table.add_row("body", printable(row["body"], 2_000) if row["body"] is not None else "(no text; see --json)")
    console().print(table)


def _headers(said: list[str]) -> dict[str, str]:
    pairs = [line.partition(":") for line in said]
    if wrong := [line for line, (name, colon, _) in zip(said, pairs, strict=True) if not colon or not name.strip()]:
        raise Failure(f"{wrong[0]!r} is no header like 'ce-type: de.oker.sensor.reading_reported.v1'", 2)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read ({type(error).__name__})", 2) from None


def _data(file: Path, said: bytes) -> Any:
    try:
        return json.loads(said)
    except ValueError as error:
        raise Failure(f"{file} is not JSON: {error}; for other bytes: --whole-body", 2) from None
