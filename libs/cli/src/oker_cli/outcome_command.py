"""`oker outcome`: what became of an event, by source and id."""

import asyncio
import json
from typing import Annotated, Any

import typer
from rich.table import Table

from oker_cli.failure import Failure
from oker_cli.screen import console
from oker_cli.services import Services
from oker_cli.settings import company_of, read_settings
from oker_cli.what import printable
from oker_contracts import catalog

SENTENCE = 500
"""Characters of a refusal, which end with the way out."""


def outcome(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="The event's source (ce-source).")],
    id: Annotated[str, typer.Argument(help="The event's id (ce-id).")],
    partner: Annotated[str | None, typer.Option("--partner", help="The company; a company's token says it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """What became of an event: stored, duplicate, corrected, partly, quarantined, settled or pending."""
    services = Services.of(read_settings(context))
    if partner is None and company_of(services.token) is None:
        raise Failure("name the company with --partner; OKER_TOKEN speaks for none", 2)
    asked = {"source": source, "id": id} | ({"partner": partner} if partner else {})
    found = asyncio.run(_ends(services, asked))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _show(found)
    if not found:
        raise Failure(
            f"no service that hears companies knows an event {printable(id)!r} of source {printable(source)!r}"
        )


async def _ends(services: Services, asked: dict[str, str]) -> list[dict[str, Any]]:
    hears = {entry.owner for entry in catalog().claims()}
    found = []
    async with services:
        for name in sorted(hears & set(services.urls)):
            answer = await services.ask(name, "GET", "/outcomes", params=asked)
            if answer.status_code != 404:
                found += [{"service": name, **end} for end in services.json(name, answer)]
    return found


def _show(found: list[dict[str, Any]]) -> None:
    table = Table("Service", "Place", "Outcome", "Readings", "Refused")
    for end in found:
        readings = end["readings"] or {}
        counts = ", ".join(f"{count} {name}" for name, count in readings.items() if count and name != "read")
        refused = "\n".join(
            printable(f"{r['code']} at {r['path']}: {r['detail']}", SENTENCE) + (" (mended)" if r["mended_at"] else "")
            for r in end["refusals"]
        )
        table.add_row(end["service"], f"{end['stream']}/{end['sequence']}", end["outcome"], counts, refused)
    if found:
        console().print(table)
