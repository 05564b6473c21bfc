"""What the operator's commands are told from outside: the environment, or a file of the same names."""

import json
from base64 import urlsafe_b64decode
from pathlib import Path

import typer
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from oker_cli.failure import Failure

DEFAULT_ENV_FILE = Path(".oker/up/env")


class OperatorSettings(BaseSettings):
    """Each command needs a part of them only; what it needs and does not find, it names."""

    model_config = SettingsConfigDict(env_prefix="OKER_", hide_input_in_errors=True, extra="ignore")

    nats_url: str | None = None
    operator_password: SecretStr | None = None
    topology_password: SecretStr | None = None
    partners_file: Path | None = None
    service_urls: dict[str, str] | None = None
    """Service to the address of its HTTP side, as JSON."""
    token: SecretStr | None = None
    """A bearer token; which role it needs depends on the command."""


def read_settings(context: typer.Context) -> OperatorSettings:
    """Read them, once a command; the context holds the file that was named, or nothing.

    Raises:
        Failure: the file is not there, or a setting has no valid value.
    """
    named: Path | None = context.obj
    if named is not None and not named.is_file():
        raise Failure(f"{named} is not there; name another file with --env-file or OKER_ENV_FILE", 2)
    file = named or (DEFAULT_ENV_FILE if DEFAULT_ENV_FILE.is_file() else None)
    try:
        return OperatorSettings(_env_file=file)
    except (ValidationError, SettingsError):  # all the others are plain text
        example = '{"sensor-ingest": "http://127.0.0.1:8101"}'
        raise Failure(f"OKER_SERVICE_URLS must be a JSON object, service to address: {example}", 2) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read ({type(error).__name__})", 2) from None


def company_of(token: SecretStr) -> str | None:
    """The company that a token says it speaks for, ``None`` if for none, empty if it cannot be read.

    Good for a sentence in time; the services check the token.
    """
    try:
        said = token.get_secret_value().split(".")[1]
        claims = json.loads(urlsafe_b64decode(said + "=" * (-len(said) % 4)))
        partner = claims.get("partner")
    except (IndexError, ValueError, AttributeError):
        return ""
    return partner if isinstance(partner, str) else None


def missing(name: str) -> Failure:
    """A setting that a command needs and that was given nowhere."""
    places = f"in the environment, or in {DEFAULT_ENV_FILE} (another file: --env-file or OKER_ENV_FILE)"
    return Failure(f"OKER_{name.upper()} is not set; set it {places}", 2)
