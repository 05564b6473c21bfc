"""`oker trail`: what led to an event, and what it led to."""

import asyncio
import json
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.text import Text
from rich.tree import Tree

from oker_cli.broker import TIMEOUT_SECONDS, connected
from oker_cli.failure import Failure
from oker_cli.scan import all_messages
from oker_cli.screen import console
from oker_cli.settings import OperatorSettings, read_settings
from oker_cli.told import told
from oker_cli.trail import Graph, Key, Trail, build, find
from oker_cli.what import printable

BERLIN = ZoneInfo("Europe/Berlin")
ONE_LINE = 160
"""Columns from which on an event is shown in one line."""


def trail(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="Of an event, an uplink or a mail; or its place: IN_stadtwerke/17")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the trail as JSON.")] = False,
) -> None:
    """The chain of an event both ways: from the reading to the mail, and back. Reads streams, changes nothing."""
    graph = asyncio.run(_graph(read_settings(context)))
    found = find(graph, id.strip())
    if not found:
        raise Failure(f"no event {printable(id)!r} in any stream; ids are case sensitive, and streams forget by age")
    if as_json:
        typer.echo(json.dumps({"asked": id, "trails": [_figures(graph, one) for one in found]}, indent=2))
        return
    screen = console()
    for one in found:
        screen.print(_tree(graph, one, "  " if screen.width >= ONE_LINE else "\n"))


async def _graph(settings: OperatorSettings) -> Graph:
    async with connected(settings, "operator") as nats:
        messages = all_messages(nats.jetstream(timeout=TIMEOUT_SECONDS))
        return build([told(stream, msg) async for stream, msg in messages])


def _figures(graph: Graph, one: Trail) -> dict[str, Any]:
    return {
        "event": _event(graph, one.asked),
        "ancestors": [_event(graph, step.key) for step in one.ancestors],
        "descendants": [_event(graph, step.key) for step in one.descendants],
    }


def _event(graph: Graph, key: Key) -> dict[str, Any]:
    event = graph.events[key]
    return {
        "id": key[2],
        "source": key[1],
        "partner": key[0] or None,
        "type": event.type,
        "time": event.time.astimezone(BERLIN).isoformat(),
        "what": event.what,
        "places": [str(place) for place in graph.places[key]],
        "causes": [str(graph.places[cause][0]) for cause in graph.causes_of(key)],
    }


def _tree(graph: Graph, one: Trail, split: str) -> Tree:
    """Causes first, then effects; each event hangs below the one through which it was reached."""
    root = Tree(_label(graph, one.asked, split, "bold"))
    for title, steps in (("because of", one.ancestors), ("led to", one.descendants)):
        if steps:
            branches = {one.asked: root.add(Text(title, style="italic"))}
            for step in steps:
                branches[step.key] = branches[step.through].add(_label(graph, step.key, split))
    return root


def _label(graph: Graph, key: Key, split: str, style: str = "cyan") -> Text:
    """Time, type and what; then id and places."""
    event, places = graph.events[key], graph.places[key]
    where = ", ".join(map(str, places[:3])) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
    return Text.assemble(
        (f"{event.time.astimezone(BERLIN):%d.%m.%Y %H:%M:%S}  ", "dim"),
        (printable(event.type), style),
        f"  {event.what}" if event.what else "",
        split,
        (printable(key[2]), "green"),
        (f"  {where}", "dim"),
    )
