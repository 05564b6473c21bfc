"""`oker contracts`: is a message valid? Needs no platform."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from oker_cli.failure import Failure
from oker_contracts import TYPE_PREFIX, CatalogEntry, Reason, Refused, catalog, read_envelope, reader
from oker_contracts.envelope import STRUCTURED

app = typer.Typer(no_args_is_help=True, help="The contracts of events.")


@app.callback()
def contracts() -> None:
    """The contracts of events."""


@app.command()
def check(
    file: Annotated[str, typer.Argument(help="The message; - reads it from standard input.")],
    type: Annotated[
        str | None, typer.Option(help="The event, if FILE holds its data only: sensor.reading_reported.v1")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Check a structured CloudEvent, or with --type the data of one. Exit code 1: not valid, with the place."""
    body = _read(file)
    try:
        verdict = _valid(_checked(body, type))
    except Refused as refused:
        verdict = _not_valid(refused)
    typer.echo(json.dumps(verdict) if as_json else _sentence(verdict))
    if not verdict["valid"]:
        raise typer.Exit(1)


def _checked(body: bytes, type: str | None) -> CatalogEntry:
    """The event whose contract holds.

    Raises:
        Refused: with code and path.
    """
    if type is not None and not _is_structured(body):
        entry = reader().entry(type, "--type")
        reader().data(entry, body)
        return entry
    envelope = read_envelope({"content-type": STRUCTURED}, body)
    entry = reader().entry(envelope.type, "$.type")
    if type is not None and type.removeprefix(TYPE_PREFIX) != entry.name:
        raise Refused(Reason.TYPE_MISMATCH, "$.type", f"--type says {type[:120]}.")
    reader().data(entry, envelope.data)
    return entry


def _is_structured(body: bytes) -> bool:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and "specversion" in said


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", 2) from None


def _valid(entry: CatalogEntry) -> dict[str, Any]:
    newest = catalog().events[entry.newest].name
    return {"valid": True, "type": entry.name, "kind": entry.kind, "stage": entry.stage, "newest": newest}


def _not_valid(refused: Refused) -> dict[str, Any]:
    return {"valid": False, "code": str(refused.reason), "path": refused.path, "detail": refused.detail}


def _sentence(verdict: dict[str, Any]) -> str:
    if not verdict["valid"]:
        return f"not valid: {verdict['code']}\n  at {verdict['path']}\n  {verdict['detail']}"
    notes = []
    if verdict["newest"] != verdict["type"]:
        notes.append(f"{verdict['stage']}; the newest version is {verdict['newest']}")
    if verdict["kind"] == "fact":
        notes.append("a fact of the platform; companies may not send it")
    return f"valid: {verdict['type']}" + "".join(f"\n  {note}" for note in notes)
