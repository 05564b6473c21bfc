"""The command `oker`: accounts, topology, identity, devices, profiles, projects, ledger, outcome, verify, trail …"""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from oker_cli import (
    accounts,
    contracts,
    devices,
    identity,
    import_command,
    ledger_command,
    outcome_command,
    profiles,
    projects,
    quarantine_command,
    topology,
    trail_command,
    verify_command,
)
from oker_cli.failure import Failure


class Group(TyperGroup):
    """Says a failure in one sentence, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except Failure as failure:
            typer.echo(f"oker: {failure}", err=True)
            raise typer.Exit(failure.code) from None


app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def main(
    context: typer.Context,
    env_file: Annotated[
        Path | None,
        typer.Option(
            envvar="OKER_ENV_FILE",
            help="A file of OKER_… settings. The environment wins over it. Default: .oker/up/env, if it is there.",
        ),
    ] = None,
) -> None:
    """Operate Oker: streams, accounts, tokens, the ledger and the trail of an event."""
    context.obj = env_file


app.add_typer(accounts.app, name="accounts")
app.add_typer(topology.app, name="topology")
app.add_typer(identity.app, name="identity")
app.add_typer(contracts.app, name="contracts")
app.add_typer(devices.app, name="devices")
app.add_typer(profiles.app, name="profiles")
app.add_typer(projects.app, name="projects")
app.add_typer(import_command.app, name="import")
app.command("token")(identity.token)
app.add_typer(ledger_command.app, name="ledger")
app.add_typer(quarantine_command.app, name="quarantine")
app.command("outcome")(outcome_command.outcome)
app.command("trail")(trail_command.trail)
app.add_typer(verify_command.app, name="verify")

if __name__ == "__main__":
    app()
