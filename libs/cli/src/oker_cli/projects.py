"""`oker projects`: register many projects by a file, list them, fetch them as files."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from oker_cli.failure import Failure
from oker_cli.screen import console
from oker_cli.services import Services
from oker_cli.settings import read_settings
from oker_cli.what import printable

app = typer.Typer(no_args_is_help=True, help="Projects: import, list, export.")
SERVICE = "project-registry"
SECONDS = 300.0
PAGE = 1_000
WIDEST = 500
"""Characters of a cell."""
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Filter = Annotated[str | None, typer.Option()]


@app.command("import")
def import_projects(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV or .xlsx, one row a project; see docs/import-projects.md.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge every row and change nothing.")] = False,
    encoding: Annotated[str, typer.Option(help="Of a CSV file: utf-8 or windows-1252.")] = "utf-8",
    reason: Annotated[str, typer.Option(help="Why, in each new version.")] = "import",
    german: Annotated[bool, typer.Option("--german", help="Say what is wrong in German.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what became of each row as JSON.")] = False,
) -> None:
    """Register and change the projects of a file.

    Right rows go in, wrong rows are named. Import the same file again after mending it: what is known already is
    unchanged. Exit code 1 if a row did not go in.
    """
    try:
        body = file.read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", 2) from None
    kind = XLSX if body.startswith(b"PK") else f"text/csv; charset={encoding}"
    query = {"reason": reason, "dry_run": str(dry_run).lower()}
    said = asyncio.run(_import(Services.of(read_settings(context)), body, kind, query))
    if as_json:
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        _show(said, "detail_de" if german else "detail")
    if said["refused"]:
        verb = "would not go in" if dry_run else "did not go in"
        raise Failure(f"{said['refused']} of {said['rows']} rows {verb}; mend them and import the file again")


async def _import(services: Services, body: bytes, kind: str, query: dict[str, str]) -> dict[str, Any]:
    headers = {"content-type": kind}
    async with services:
        answer = await services.ask(
            SERVICE, "POST", "/projects/import", content=body, headers=headers, params=query, timeout=SECONDS
        )
        said: dict[str, Any] = services.json(SERVICE, answer)
    return said


def _show(said: dict[str, Any], detail: str) -> None:
    """The faults, a line each, and how many rows went in."""
    table = Table("Row", "Project", "Column", "What is wrong")
    for row in said["results"]:
        for fault in row.get("faults", ()):
            cells = (row.get("project_id", ""), fault["column"], fault[detail])
            table.add_row(str(row["row"]), *(escape(printable(cell, WIDEST)) for cell in cells))
    screen = console()
    if table.row_count:
        screen.print(table)
    counts = ", ".join(f"{said[name]} {name}" for name in ("created", "changed", "unchanged", "refused"))
    screen.print(f"{said['rows']} rows: {counts}{' (dry run: nothing was changed)' if said['dry_run'] else ''}")


@app.command("list")
def list_projects(
    context: typer.Context,
    field: Filter = None,
    goal: Filter = None,
    state: Filter = None,
    department: Filter = None,
    as_of: Annotated[str | None, typer.Option(help="What was valid at this time or day.")] = None,
    known_at: Annotated[str | None, typer.Option(help="By what was known at this time or day.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """Projects by id."""
    query = _query(field=field, goal=goal, state=state, department=department, as_of=as_of, known_at=known_at)
    found = asyncio.run(_list(Services.of(read_settings(context)), query))
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    table = Table("Project", "Title", "State", "Version", "Fields of action", "Department", "Officer")
    for row in found:
        fields = ", ".join(row["fields_of_action"])
        cells = (row["project_id"], row["title"], row["state"], str(row["version"]), fields)
        rest = (row["department"] or "", row["officer"] or "")
        table.add_row(*(escape(printable(cell, WIDEST)) for cell in (*cells, *rest)))
    console().print(table)


async def _list(services: Services, query: dict[str, Any]) -> list[dict[str, Any]]:
    """Page by page, as the header ``Link`` leads."""
    found: list[dict[str, Any]] = []
    params = {**query, "limit": PAGE}
    async with services:
        while True:
            answer = await services.ask(SERVICE, "GET", "/projects", params=params, timeout=SECONDS)
            page: list[dict[str, Any]] = services.json(SERVICE, answer)
            found += page
            if "next" not in answer.links:
                return found
            params["after"] = page[-1]["project_id"]


@app.command("export")
def export_projects(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="The file; its ending says the format: .csv, .geojson, .html, .pdf.")],
    project: Annotated[str | None, typer.Option(help="One project, as .html or .pdf.")] = None,
    language: Annotated[Literal["de", "en"], typer.Option(help="Of .html and .pdf.")] = "de",
    field: Filter = None,
    state: Filter = None,
    department: Filter = None,
    as_of: Annotated[str | None, typer.Option(help="What was valid at this time or day.")] = None,
    known_at: Annotated[str | None, typer.Option(help="By what was known at this time or day.")] = None,
) -> None:
    """Fetch projects as CSV or GeoJSON, or one Projektsteckbrief as HTML or PDF."""
    ending = out.suffix.lower()
    one = ending in (".html", ".pdf")
    if ending not in (".csv", ".geojson") and not one:
        raise Failure(f"{out} ends with no format; there are .csv, .geojson, .html and .pdf", 2)
    if one != (project is not None):
        raise Failure("--project names the project of an .html or .pdf file, and of no other", 2)
    query = _query(field=field, state=state, department=department, as_of=as_of, known_at=known_at)
    path = f"/projects/{project}{ending}" if one else f"/projects{ending}"
    query |= {"lang": language} if one else {}
    body = asyncio.run(_fetch(Services.of(read_settings(context)), path, query))
    try:
        out.write_bytes(body)
    except OSError as error:
        raise Failure(f"{out} cannot be written: {error.strerror}", 2) from None
    typer.echo(f"{out}: {len(body)} bytes")


async def _fetch(services: Services, path: str, query: dict[str, Any]) -> bytes:
    async with services:
        answer = await services.ask(SERVICE, "GET", path, params=query, timeout=SECONDS)
        if not answer.is_success:
            services.json(SERVICE, answer)
        return answer.content


def _query(**asked: str | None) -> dict[str, Any]:
    return {name: said for name, said in asked.items() if said is not None}
