"""What every service is told from outside, by environment variables with the prefix ``OKER_``."""

from pathlib import Path
from typing import Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """No default for what differs between places."""

    model_config = SettingsConfigDict(env_prefix="OKER_", hide_input_in_errors=True, extra="ignore")

    nats_url: str
    nats_user: str
    nats_password: SecretStr
    database_url: SecretStr
    """``postgresql+asyncpg://user:password@host/database``"""
    http_host: str
    http_port: int
    identity_keys: Path
    """A JWKS file with the public keys that sign bearer tokens."""
    otlp_endpoint: str | None = None
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: str = "INFO"


class ClaimsSettings(ServiceSettings):
    """For services that hear companies: where the companies are listed."""

    partners_file: Path
