"""`oker accounts`: the accounts of the broker, and the passwords behind them."""

import json
import secrets as randomness
from pathlib import Path
from typing import Annotated

import typer

from oker_bus.accounts import render as render_accounts
from oker_bus.accounts import users
from oker_bus.partners import Partners, PartnersInvalid, read_partners
from oker_cli.failure import Failure
from oker_cli.files import read_json_object, write_private

app = typer.Typer(no_args_is_help=True, help="The broker's accounts, from the partners file.")
PartnersOption = Annotated[Path, typer.Option("--partners", envvar="OKER_PARTNERS_FILE", help="The partners file.")]


@app.command()
def render(
    partners: PartnersOption,
    secrets: Annotated[Path, typer.Option(help="User to password, as JSON.")],
    out: Annotated[Path | None, typer.Option(help="Write here, mode 0600, instead of to the screen.")] = None,
) -> None:
    """Render accounts.conf for nats-server; passwords appear as hashes only. Reload the server afterwards."""
    companies = partners_of(partners)
    passwords = {user: word for user, word in read_json_object(secrets).items() if isinstance(word, str) and word}
    if without := [user for user in users(companies) if user not in passwords]:
        way_out = f"run: oker accounts secrets --partners {partners} --out {secrets}"
        raise Failure(f"{secrets} has no password for {', '.join(without)}; {way_out}")
    rendered = render_accounts(companies, passwords)
    if out is None:
        typer.echo(rendered, nl=False)
        return
    write_private(out, rendered)
    typer.echo(f"{out}: accounts of the platform and of {', '.join(companies.partners)}", err=True)


@app.command()
def secrets(
    partners: PartnersOption,
    out: Annotated[Path, typer.Option(help="User to password, as JSON; made or completed, mode 0600.")],
) -> None:
    """Make a password for every user that has none; those that are there stay."""
    known = read_json_object(out) if out.exists() else {}
    new = [user for user in users(partners_of(partners)) if not known.get(user)]
    write_private(out, json.dumps(known | {user: randomness.token_urlsafe(24) for user in new}, indent=2) + "\n")
    typer.echo(f"{out}: {len(new)} new, {len(known)} kept", err=True)


def partners_of(path: Path) -> Partners:
    """The companies in the partners file.

    Raises:
        Failure: with the place in the file and the reason.
    """
    try:
        return read_partners(path)
    except PartnersInvalid as error:
        raise Failure(str(error)) from None
