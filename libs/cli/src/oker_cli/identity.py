"""`oker identity` and `oker token`: keys that sign, and bearer tokens of role holders."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from joserfc.errors import JoseError
from pydantic import TypeAdapter, ValidationError

from oker_cli.failure import Failure
from oker_cli.files import read_json_object, write_private
from oker_contracts.base import HolderId
from oker_identity import ROLES, Holder, public_keys, sign
from oker_identity import new_key as make_key

app = typer.Typer(no_args_is_help=True, help="Keys that sign bearer tokens.")
MAX_HOURS = 24 * 366


@app.command("new-key")
def new_key(
    kid: Annotated[str, typer.Argument(help="The name by which tokens refer to the key.")],
    out: Annotated[Path, typer.Option(help="The file of the private key, mode 0600.")],
) -> None:
    """Make a private key (Ed25519, as a JWK)."""
    if not kid.strip():
        raise Failure("a key needs a name (KID)", 2)
    if out.exists():
        raise Failure(f"{out} is there already; tokens may depend on it, so it is not overwritten")
    write_private(out, json.dumps(make_key(kid), indent=2) + "\n")
    typer.echo(f"{out}: private key {kid}; give services its public half: oker identity public {out}", err=True)


@app.command()
def public(
    keys: Annotated[list[Path], typer.Argument(help="Files of private keys.")],
    out: Annotated[Path | None, typer.Option(help="Write here instead of to the screen.")] = None,
) -> None:
    """The public halves as one key set (JWKS), as services take it (OKER_IDENTITY_KEYS)."""
    known = [_private_key(path) for path in keys]
    names = [key["kid"] for key in known]
    if len(set(names)) < len(names):
        raise Failure("two of these keys have the same name (kid)")
    said = json.dumps(public_keys(known), indent=2) + "\n"
    if out is None:
        typer.echo(said, nl=False)
        return
    try:
        out.write_text(said, "utf-8")
    except OSError as error:
        raise Failure(f"{out} cannot be written: {error.strerror}") from None


def token(
    holder: Annotated[str, typer.Argument(help="The id of the role holder; never a person's name.")],
    key: Annotated[Path, typer.Option(help="The file of the private key.")],
    role: Annotated[list[str], typer.Option(help=f"Can be repeated: {', '.join(sorted(ROLES))}.")],
    partner: Annotated[str | None, typer.Option(help="The company that the holder speaks for.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=MAX_HOURS, help="How long the token is valid.")] = 8.0,
) -> None:
    """Sign a bearer token and print it."""
    said = Holder(_id(holder, "HOLDER"), _roles(role), _id(partner, "--partner") if partner else None)
    if "partner" in said.roles and said.partner is None:
        raise Failure("the role partner speaks for a company; name it with --partner", 2)
    signing = _private_key(key)
    try:
        signed = sign(signing, said, now=datetime.now(UTC), lifetime=timedelta(hours=hours))
    except (JoseError, ValueError) as error:
        raise Failure(f"{key} cannot sign ({type(error).__name__})") from None
    typer.echo(signed)


def _roles(said: list[str]) -> frozenset[str]:
    if unknown := sorted(set(said) - ROLES):
        raise Failure(f"no such role: {', '.join(unknown)}; there are {', '.join(sorted(ROLES))}", 2)
    return frozenset(said)


def _id(said: str, name: str) -> str:
    try:
        return TypeAdapter[str](HolderId).validate_python(said)
    except ValidationError:
        raise Failure(f"{name}: lower case letters, digits and hyphens only, 63 at most", 2) from None


def _private_key(path: Path) -> dict[str, Any]:
    key = read_json_object(path)
    if key.get("kty") != "OKP" or not isinstance(key.get("d"), str) or not isinstance(key.get("kid"), str):
        raise Failure(f"{path} is no private key of `oker identity new-key`")
    return key
