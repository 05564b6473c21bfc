"""Which service is tested here, and a real mail server for it."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from builders_notification import a_recipient
from httpx import AsyncClient
from mail_server_notification import MailServer

from notification.app import SERVICE
from notification.settings import Settings
from oker_bus.service import Service
from oker_testkit.bus import TestBus, eventually
from oker_testkit.servers import free_port

Tell = Callable[..., Awaitable[None]]


@pytest.fixture
def service() -> Service[Settings]:
    return SERVICE


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    server = MailServer(free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def service_settings(mail_server: MailServer) -> dict[str, Any]:
    return {
        "smtp_host": "127.0.0.1",
        "smtp_port": mail_server.port,
        "smtp_starttls": False,
        "smtp_timeout": 5.0,
        "mail_from": "oker@braunschweig.example",
        "mail_domain": "mail.braunschweig.example",
    }


@pytest.fixture
def unit(token: Callable[..., dict[str, str]]) -> dict[str, str]:
    """The headers of someone of the Organisationseinheit Smart City."""
    return token("u-1", "unit")


@pytest.fixture
def know(http: AsyncClient, unit: dict[str, str]) -> Tell:
    """``await know("m-1", "cdo", locale="en")`` registers a recipient at <holder>@braunschweig.example."""

    async def put(holder: str, *roles: str, **said: Any) -> None:
        body = a_recipient(*roles, **{"address": f"{holder}@braunschweig.example", **said})
        answer = await http.put(f"/recipients/{holder}", json=body, headers=unit)
        assert answer.status_code == 200, answer.text

    return put


@pytest.fixture
def mails(http: AsyncClient, unit: dict[str, str], bus: TestBus) -> Callable[..., Awaitable[dict[str, Any]]]:
    """``await mails("sent")`` waits until every mail is in one of these states; returns them by holder."""

    async def read(*states: str, attempts: int = 0) -> dict[str, Any]:
        async def reached() -> dict[str, Any]:
            found = (await http.get("/mails", headers=unit)).json()
            there = {mail["state"] for mail in found} == set(states)
            tried = all(mail["attempts"] >= attempts for mail in found)
            return {mail["holder"]: mail for mail in found} if there and tried else {}

        await bus.settled()
        seen: dict[str, Any] = await eventually(reached, f"mails are {' and '.join(states)}")
        await bus.settled()
        return seen

    return read
