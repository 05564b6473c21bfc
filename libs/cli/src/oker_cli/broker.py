"""A connection to the broker as one of the operator's two users."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from pydantic import SecretStr

from oker_cli.failure import Failure
from oker_cli.settings import OperatorSettings, missing

TIMEOUT_SECONDS = 5.0


@asynccontextmanager
async def connected(settings: OperatorSettings, user: Literal["operator", "topology"]) -> AsyncIterator[Client]:
    """Connect, and say in a sentence what goes wrong then or later.

    Raises:
        Failure: a setting is missing, the broker is away, refuses the user, or does not answer.
    """
    if settings.nats_url is None:
        raise missing("nats_url")
    password: SecretStr | None = getattr(settings, f"{user}_password")
    if password is None:
        raise missing(f"{user}_password")
    complaints: list[str] = []
    connection = await _connect(settings.nats_url, user, password.get_secret_value(), complaints)
    try:
        yield connection
    except NoRespondersError:
        raise Failure(f"{settings.nats_url}: nobody answers; is JetStream on, and are the accounts loaded?") from None
    except (NatsError, TimeoutError) as error:
        said = complaints[-1] if complaints else str(error) or type(error).__name__
        raise Failure(f"{settings.nats_url}, as user {user}: {said}") from None
    finally:
        await connection.close()


async def _connect(url: str, user: str, password: str, complaints: list[str]) -> Client:
    async def complain(error: Exception) -> None:
        complaints.append(str(error) or type(error).__name__)

    options: dict[str, Any] = {
        "user": user,
        "password": password,
        "name": f"oker-cli-{user}",
        "inbox_prefix": f"_INBOX_{user}".encode(),
        "connect_timeout": TIMEOUT_SECONDS,
        "allow_reconnect": False,
        "max_reconnect_attempts": 1,
        "reconnect_time_wait": 0.2,
        "error_cb": complain,
    }
    try:
        return await nats.connect(url.split(","), **options)
    except (NatsError, OSError, TimeoutError) as error:
        said = "; ".join(dict.fromkeys([*complaints, str(error) or type(error).__name__]))
    if "authorization" in said.lower():
        raise Failure(f"{url} refuses the user {user}; check OKER_{user.upper()}_PASSWORD")
    raise Failure(f"{url} cannot be reached: {said}")
