"""`oker profiles`: try a device profile with its test vectors, then declare it."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from oker_cli.failure import Failure
from oker_cli.screen import console
from oker_cli.services import Services
from oker_cli.settings import read_settings
from oker_cli.what import printable

app = typer.Typer(no_args_is_help=True, help="Device profiles and their codecs: test, declare.")
SERVICE = "sensor-ingest"
SECONDS = 60.0
WIDEST = 500
"""Characters of a line."""
File = Annotated[Path, typer.Argument(help="The profile as JSON, see docs/codecs.md.")]
Script = Annotated[Path | None, typer.Option(help="A file of JavaScript, for the profile's member script.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


@app.command("test")
def try_profile(context: typer.Context, file: File, script: Script = None, as_json: AsJson = False) -> None:
    """Run the test vectors of a profile, by the token of its company, and show what each yields.

    Nothing is declared. Exit code 1 if a vector fails, or anything else would refuse the profile.
    """
    said = asyncio.run(_ask(Services.of(read_settings(context)), "/profiles/test", _profile(file, script)))
    if as_json:
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        _show(said)
    if not said["passed"]:
        raise Failure(f"{said['profile']}@{said['version']} would be refused; {len(said['faults'])} faults")


@app.command("declare")
def declare_profile(context: typer.Context, file: File, script: Script = None, as_json: AsJson = False) -> None:
    """Declare a version of a profile, by the token of its company. A version that is there never changes."""
    said = asyncio.run(_ask(Services.of(read_settings(context)), "/profiles", _profile(file, script)))
    if as_json:
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        typer.echo(f"declared, as {printable(said['stream'])}/{said['sequence']}")


def _profile(file: Path, script: Path | None) -> bytes:
    try:
        body = file.read_bytes()
        if script is None:
            return body
        said = json.loads(body)
        if not isinstance(said, dict):
            raise Failure(f"{file} is no JSON object", 2)
        return json.dumps({**said, "script": script.read_text("utf-8")}).encode()
    except OSError as error:
        raise Failure(f"{error.filename} cannot be read: {error.strerror}", 2) from None
    except (ValueError, RecursionError) as error:
        raise Failure(f"{file} or {script} cannot be read: {error}", 2) from None


async def _ask(services: Services, path: str, body: bytes) -> dict[str, Any]:
    async with services:
        headers = {"content-type": "application/json"}
        answer = await services.ask(SERVICE, "POST", path, content=body, headers=headers, timeout=SECONDS)
        said: dict[str, Any] = services.json(SERVICE, answer)
    return said


def _show(said: dict[str, Any]) -> None:
    """Each vector with its numbers, then all that is wrong."""
    screen = console()
    for number, vector in enumerate(said["vectors"]):
        how = "[green]passed[/]" if vector["passed"] else "[red]failed[/]"
        screen.print(f"vectors\\[{number}] {how}  {_line(_yield(vector))}")
    for fault in said["faults"]:
        screen.print(f"  {_line(fault)}")
    if said["passed"]:
        screen.print(f"{_line(said['profile'])}@{said['version']} can be declared")


def _yield(vector: dict[str, Any]) -> str:
    """Numbers, or errors."""
    if vector["errors"]:
        return f"errors: {'; '.join(vector['errors'])}"
    found = [f"{each['property']} {each['value']:g} {each['unit'] or ''}".strip() for each in vector["readings"]]
    return ", ".join(found) or "no reading"


def _line(text: str) -> str:
    return escape(printable(text, WIDEST))
