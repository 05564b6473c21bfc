"""`oker topology`: streams and durables as the catalog and the partners file want them."""

import asyncio
from collections import Counter
from typing import Annotated

import typer

from oker_bus.topology import Change
from oker_bus.topology import apply as apply_topology
from oker_cli.accounts import partners_of
from oker_cli.broker import connected
from oker_cli.settings import OperatorSettings, missing, read_settings

app = typer.Typer(no_args_is_help=True, help="Streams and durables of the broker.")
Replicas = Annotated[int, typer.Option(min=1, max=5, help="Copies of each stream in a cluster.")]
WORDS = {"create": "to create", "update": "to change", "kept": "kept wider", "same": "the same"}
DONE = WORDS | {"create": "created", "update": "changed"}


@app.command()
def plan(context: typer.Context, replicas: Replicas = 1) -> None:
    """Show what `apply` would change; changes nothing."""
    _tell(asyncio.run(_changes(read_settings(context), replicas, dry_run=True)), WORDS)


@app.command()
def apply(context: typer.Context, replicas: Replicas = 1) -> None:
    """Make and widen streams and durables. Running it again changes nothing; nothing is ever narrowed."""
    _tell(asyncio.run(_changes(read_settings(context), replicas, dry_run=False)), DONE)


async def _changes(settings: OperatorSettings, replicas: int, *, dry_run: bool) -> list[Change]:
    if settings.partners_file is None:
        raise missing("partners_file")
    partners = partners_of(settings.partners_file)
    async with connected(settings, "topology") as nats:
        changes = apply_topology(
            nats.jetstream(timeout=10),
            lambda slug: nats.jetstream(prefix=f"mqtt.{slug}.API", timeout=10),
            partners,
            replicas=replicas,
            dry_run=dry_run,
        )
        return [change async for change in changes]


def _tell(changes: list[Change], words: dict[str, str]) -> None:
    """The diff, line by line, and a summary."""
    for change in changes:
        typer.echo(str(change))
    counted = Counter(change.kind for change in changes)
    typer.echo(", ".join(f"{counted[kind]} {word}" for kind, word in words.items() if counted[kind]))
