"""The services' HTTP side, as the commands ask it."""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import httpx
from pydantic import SecretStr

from oker_cli.failure import Failure
from oker_cli.settings import OperatorSettings, missing

TIMEOUT_SECONDS = 5.0
RECOUNT_SECONDS = 300.0
"""A service reads whole tables for a recount."""


@dataclass(slots=True)
class Services:
    """Where the services are, and the token that is shown to them; open in an ``async with``."""

    urls: dict[str, str]
    token: SecretStr
    http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=TIMEOUT_SECONDS))

    @classmethod
    def of(cls, settings: OperatorSettings) -> "Services":
        """From the settings of a command.

        Raises:
            Failure: an address or the token is missing.
        """
        if settings.service_urls is None:
            raise missing("service_urls")
        if settings.token is None:
            raise missing("token")
        return cls({name: url.rstrip("/") for name, url in settings.service_urls.items()}, settings.token)

    async def __aenter__(self) -> "Services":
        await self.http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.__aexit__(kind, error, trace)

    async def ask(self, service: str, method: str, path: str, **said: Any) -> httpx.Response:
        """One request; answers that refuse it are the caller's.

        Raises:
            Failure: the service is unknown or away, or refuses the token.
        """
        if service not in self.urls:
            raise Failure(f"OKER_SERVICE_URLS names no service {service!r}; it names {', '.join(sorted(self.urls))}", 2)
        place = f"{self.urls[service]}{path}"
        headers = {"Authorization": f"Bearer {self.token.get_secret_value()}", **said.pop("headers", {})}
        try:
            answer = await self.http.request(method, place, headers=headers, **said)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Failure(f"{service}: {place} does not answer ({type(error).__name__}); is it running?") from None
        if answer.status_code in (401, 403):
            raise Failure(f"{service} refuses OKER_TOKEN: {_sentence(answer)} Make one with: oker token --help")
        return answer

    async def get(self, service: str, path: str, **params: Any) -> Any:
        """The JSON that a service answers.

        Raises:
            Failure: it answers with something else.
        """
        return self.json(service, await self.ask(service, "GET", path, params=params, timeout=RECOUNT_SECONDS))

    def json(self, service: str, answer: httpx.Response) -> Any:
        """The JSON of a good answer.

        Raises:
            Failure: with the sentence of the answer.
        """
        if not answer.is_success:
            raise Failure(f"{service} answers {answer.status_code}: {_sentence(answer)}")
        try:
            return answer.json()
        except ValueError:
            raise Failure(f"{service}: {answer.url.path} answers no JSON; is this the service?") from None

    async def ledger(self, service: str) -> dict[str, Any]:
        """The body of ``GET /ledger``."""
        place = f"{self.urls[service]}/ledger"
        answer = await self.ask(service, "GET", "/ledger")
        try:
            said: dict[str, Any] = answer.json()
            if answer.is_success and {"settlements", "quarantine", "recounted"} <= set(said):
                return said
        except ValueError:
            pass
        raise Failure(f"{service}: {place} answers {answer.status_code} and no ledger; is this the service?")


def _sentence(answer: httpx.Response) -> str:
    """What a refusal says: problem details (RFC 9457), whose title adds to a code and repeats a status."""
    try:
        said = answer.json()
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    names = ("code", "path", "title", "detail") if said.get("code") else ("detail",)
    words = [str(said[name]) for name in names if said.get(name)]
    return " ".join(words)[:500] or "nothing more"
