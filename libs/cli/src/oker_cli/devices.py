"""`oker devices`: declare many devices by a CSV file, and list those that are known."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from oker_cli.failure import Failure
from oker_cli.screen import console, rows
from oker_cli.services import Services
from oker_cli.settings import read_settings
from oker_cli.what import printable

app = typer.Typer(no_args_is_help=True, help="Devices: import, list.")
SERVICE = "sensor-ingest"
IMPORT_SECONDS = 300.0
PAGE = 1_000
WIDEST = 500
"""Characters of a cell."""


@app.command("import")
def import_devices(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV, one row a datastream; see docs/plug-in.md for its columns.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print what became of each row as JSON.")] = False,
) -> None:
    """Declare the devices of a file, by the token of their company.

    Right rows go in, wrong rows are named. Import the same file again after mending it: what is known already is
    unchanged. Exit code 1 if a row did not go in.
    """
    try:
        body = file.read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", 2) from None
    said = asyncio.run(_import(Services.of(read_settings(context)), body))
    if as_json:
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        _show(said)
    if left := said["refused"] + said["not_taken"]:
        raise Failure(f"{left} of {rows(said['rows'])} did not go in; mend them and import the file again")


async def _import(services: Services, body: bytes) -> dict[str, Any]:
    async with services:
        answer = await services.ask(
            SERVICE,
            "POST",
            "/devices/import",
            content=body,
            headers={"content-type": "text/csv"},
            timeout=IMPORT_SECONDS,
        )
        said: dict[str, Any] = services.json(SERVICE, answer)
    return said


def _show(said: dict[str, Any]) -> None:
    """The rows that did not go in, and how many did."""
    table = Table("Row", "Device", "Column", "Code", "What is wrong")
    for row in said["results"]:
        if row["outcome"] in ("refused", "not_taken"):
            cells = (row.get(name, "") for name in ("device", "column", "code", "detail"))
            table.add_row(str(row["row"]), *(escape(printable(cell, WIDEST)) for cell in cells))
    screen = console()
    if table.row_count:
        screen.print(table)
    counts = ", ".join(f"{said[name]} {name.replace('_', ' ')}" for name in ("accepted", "unchanged", "refused"))
    screen.print(f"{rows(said['rows'])}: {counts}, {said['not_taken']} not taken")
    if said["partly"]:
        screen.print(f"Some rows only: {escape(printable(', '.join(said['partly']), WIDEST))}")


@app.command("list")
def list_devices(
    context: typer.Context,
    partner: Annotated[str | None, typer.Option(help="Of this company; a company's token says it.")] = None,
    dataset: Annotated[str | None, typer.Option(help="With a datastream in this dataset.")] = None,
    property: Annotated[str | None, typer.Option(help="With a datastream of this property.")] = None,
    late: Annotated[bool, typer.Option("--late", help="Silent for three of their intervals.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
    as_geojson: Annotated[bool, typer.Option("--geojson", help="Print them as a GeoJSON FeatureCollection.")] = False,
) -> None:
    """The devices that are known, by company and name."""
    asked = {"partner": partner, "dataset": dataset, "property": property, "late": late or None}
    query = {name: value for name, value in asked.items() if value is not None}
    found = asyncio.run(_list(Services.of(read_settings(context)), query, as_geojson))
    if as_geojson:
        typer.echo(json.dumps({"type": "FeatureCollection", "features": found}, indent=2, ensure_ascii=False))
    elif as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _show_devices(found)


async def _list(services: Services, query: dict[str, Any], as_geojson: bool) -> list[dict[str, Any]]:
    """Page by page, as the header ``Link`` leads."""
    found: list[dict[str, Any]] = []
    params: dict[str, Any] = {**query, "limit": PAGE} | ({"format": "geojson"} if as_geojson else {})
    async with services:
        while True:
            answer = await services.ask(SERVICE, "GET", "/devices", params=params)
            said = services.json(SERVICE, answer)
            page: list[dict[str, Any]] = said["features"] if as_geojson else said
            found += page
            if "next" not in answer.links:
                return found
            last = page[-1]["id"] if as_geojson else f"{page[-1]['partner']}/{page[-1]['device']}"
            params["after"] = last


def _show_devices(found: list[dict[str, Any]]) -> None:
    table = Table("Company", "Device", "Name", "Hardware", "Profile", "Place", "Datastreams")
    for device in found:
        streams = ", ".join(f"{s['property']} [{s['unit']}]" for s in device["datastreams"])
        cells = (
            device["partner"],
            device["device"],
            device["name"],
            device["hardware"] or "",
            _profile(device["profile"]),
            _place(device["location"]),
            streams,
        )
        table.add_row(*(escape(printable(cell)) for cell in cells))
    console().print(table)


def _profile(said: dict[str, Any] | None) -> str:
    if said is None:
        return ""
    return f"{said['name']}@{said['version']}" if said["version"] else str(said["name"])


def _place(said: dict[str, Any] | None) -> str:
    return "" if said is None else ", ".join(f"{number:g}" for number in said["coordinates"][:2])
