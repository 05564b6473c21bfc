"""The HTTP side: recipients, their erasure, and mails without addresses."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from builders_notification import a_decision, a_recipient
from httpx import AsyncClient
from sqlalchemy import text

from oker_contracts import catalog
from oker_testkit.bus import TestBus, messages

Tell = Callable[..., Awaitable[None]]
Mails = Callable[..., Awaitable[dict[str, Any]]]
Headers = dict[str, str]


async def test_a_recipient_is_saved_changed_and_shown(http: AsyncClient, unit: Headers) -> None:
    await http.put("/recipients/m-1", json=a_recipient("cdo", name="Alex Muster"), headers=unit)
    changed = a_recipient("board", "cdo", locale="en", address="alex@Bücher.example")
    for _ in range(2):
        answer = await http.put("/recipients/m-1", json=changed, headers=unit)

    shown = (await http.get("/recipients", headers=unit)).json()
    assert shown == [answer.json()]
    assert shown == [
        {
            "holder": "m-1",
            "roles": ["board", "cdo"],
            "address": "alex@xn--bcher-kva.example",
            "locale": "en",
            "name": None,
        }
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "nobody"},
        {"address": "a@b.example\r\nBcc: c@d.example"},
        {"address": "a@b.example, c@d.example"},
        {"address": "Alex <a@b.example>"},
        {"address": '"a b"@b.example'},
        {"address": "a@[127.0.0.1]"},
        {"address": "ä@b.example"},
        {"address": f"{'a' * 65}@b.example"},
        {"name": "Alex\r\nBcc: c@d.example"},
        {"name": ""},
        {"roles": []},
        {"roles": ["mayor"]},
        {"locale": "fr"},
        {"phone": "1"},
    ],
)
async def test_a_recipient_that_makes_no_sense_is_refused(
    http: AsyncClient, unit: Headers, wrong: dict[str, Any]
) -> None:
    answer = await http.put("/recipients/m-1", json=a_recipient("cdo") | wrong, headers=unit)

    assert answer.status_code == 422
    assert (await http.get("/recipients", headers=unit)).json() == []


async def test_erasure_leaves_no_trace_of_the_person(
    bus: TestBus, http: AsyncClient, unit: Headers, know: Tell, mails: Mails
) -> None:
    await know("m-1", "cdo", name="Alex Muster")
    await bus.publish(a_decision())
    await mails("sent")

    first = await http.delete("/recipients/m-1", headers=unit)
    again = await http.delete("/recipients/m-1", headers=unit)

    assert (first.status_code, again.status_code) == (204, 404)
    seen = await everything(bus)
    assert "m-1" in seen
    assert "m-1@" not in seen
    assert "Muster" not in seen


async def test_an_address_stands_in_its_table_and_nowhere_else(
    bus: TestBus, http: AsyncClient, unit: Headers, know: Tell, mails: Mails
) -> None:
    await know("m-1", "cdo", name="Alex Muster")
    await bus.publish(a_decision())
    await mails("sent")

    seen = await everything(bus, without="recipient") + (await http.get("/mails", headers=unit)).text
    assert "m-1@" not in seen
    assert "Muster" not in seen


async def everything(bus: TestBus, without: str = "") -> str:
    """All rows of all tables and all messages of all streams, as one text."""
    seen = []
    async with bus.bus.sessions() as session:
        connection = await session.connection()
        tables = await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        for table in tables.scalars():
            if table != without:
                rows = await connection.execute(text(f"SELECT to_jsonb(t) FROM {table} t"))  # noqa: S608
                seen += [json.dumps(row) for row in rows.scalars()]
    for stream in catalog().streams:
        seen += [f"{msg.headers} {msg.data}" async for msg in messages(bus.jetstream, stream)]
    return "\n".join(seen)


async def test_mails_are_shown_by_state(
    bus: TestBus, http: AsyncClient, unit: Headers, know: Tell, mails: Mails
) -> None:
    await know("m-1", "cdo")
    await bus.publish(a_decision())
    await mails("sent")

    [shown] = (await http.get("/mails?state=sent", headers=unit)).json()
    assert (shown["holder"], shown["role"], shown["occasion"]) == ("m-1", "cdo", "decision_taken")
    assert (shown["state"], shown["code"], shown["attempts"]) == ("sent", 250, 1)
    assert shown["next_attempt_at"] is None
    assert (await http.get("/mails?state=failed", headers=unit)).json() == []
    assert (await http.get("/mails?state=lost", headers=unit)).status_code == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/recipients/m-1"),
        ("GET", "/recipients"),
        ("DELETE", "/recipients/m-1"),
        ("GET", "/mails"),
    ],
)
async def test_only_the_unit_may(http: AsyncClient, token: Callable[..., Headers], method: str, path: str) -> None:
    body = a_recipient("cdo")
    assert (await http.request(method, path, json=body)).status_code == 401
    for role in ("cdo", "board", "officer", "auditor"):
        answer = await http.request(method, path, json=body, headers=token("m-1", role))
        assert answer.status_code == 403
