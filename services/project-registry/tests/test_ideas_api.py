"""Ideas: anybody sends one, the unit looks at it, and then its text is gone."""

import re
from datetime import timedelta
from typing import Any

import pytest
from builders_project_registry import NOON, Desk
from httpx import AsyncClient, Response
from sqlalchemy import text

from oker_bus.edge import Sessions
from oker_contracts.project.idea_moderated_v1 import IdeaModeratedV1
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from oker_testkit.bus import TestBus
from project_registry import domain
from project_registry.api.window import Window, network

SECRET = "Bitte rufen Sie Erika Muster an"


def an_idea(**said: Any) -> dict[str, Any]:
    default = {"title": "Bänke mit Ladestation", "text": f"Am Löwenwall.\n{SECRET}.", "contact": "erika@example.org"}
    return {**default, "fields_of_action": ["energie"], **said}


def accepted(**said: Any) -> dict[str, Any]:
    default = {"outcome": "accepted", "reason": "Passt.", "title": "Ladebänke", "summary": "Bänke, an denen man lädt."}
    return {**default, "fields_of_action": ["energie"], **said}


DECLINED = {"outcome": "declined", "reason": "Gibt es schon."}


async def send(http: AsyncClient, **said: Any) -> Response:
    return await http.post("/ideas", json=an_idea(**said))


async def sent(http: AsyncClient, **said: Any) -> dict[str, Any]:
    answer = await send(http, **said)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def everything(sessions: Sessions) -> str:
    """All that the tables hold, as text; the bodies of events are read."""
    async with sessions() as session:
        found = await session.connection()
        rows = [
            row
            for table in ("idea", "entry", "outbox", "inbox")
            for (row,) in await found.execute(text(f"SELECT to_jsonb(r)::text FROM {table} AS r"))  # noqa: S608
        ]
    return re.sub(r"\\\\x([0-9a-f]+)", lambda found: bytes.fromhex(found[1]).decode("utf-8", "replace"), "".join(rows))


async def test_an_idea_needs_no_token_and_its_author_can_ask_for_it(desk: Desk) -> None:
    taken = await sent(desk.http)
    status = await desk.http.get(f"/ideas/status/{taken['receipt']}")

    assert (status.status_code, status.json()["state"]) == (200, "waiting")
    assert "Danke" in taken["message"]
    assert "wartet" in status.json()["message"]
    assert status.headers["cache-control"] == "no-store"
    assert (await desk.http.get(f"/ideas/status/{'x' * 32}")).status_code == 404
    english = await sent(desk.http, language="en")
    assert "Thank you" in english["message"]


async def test_the_receipt_itself_is_kept_nowhere(sessions: Sessions, desk: Desk) -> None:
    taken = await sent(desk.http)

    assert SECRET in await everything(sessions)
    assert "mobilitaet" in await everything(sessions)
    assert taken["receipt"] not in await everything(sessions)


async def test_an_accepted_idea_becomes_a_project_and_what_its_author_wrote_is_erased(
    bus: TestBus, sessions: Sessions, desk: Desk
) -> None:
    taken = await sent(desk.http)
    (waiting,) = await desk.done("GET", "/ideas")
    shown = await desk.done("POST", f"/ideas/{taken['idea']}/moderation", accepted())
    await bus.settled()

    assert (waiting["idea"], waiting["text"]) == (taken["idea"], an_idea()["text"])
    assert (shown["state"], shown["text"], shown["contact"], shown["project_id"]) == ("accepted", "", "", "ladebaenke")
    (project,) = [fact for fact in await bus.announced(ProjectRegisteredV2) if fact.origin == "idea"]
    assert (project.project_id, project.state, project.summary) == ("ladebaenke", "idea", "Bänke, an denen man lädt.")
    (fact,) = await bus.announced(IdeaModeratedV1)
    assert (fact.idea, fact.outcome, fact.project_id, fact.moderated_by) == (
        taken["idea"],
        "accepted",
        "ladebaenke",
        "u-1",
    )
    left = await everything(sessions)
    assert SECRET not in left
    assert "erika@" not in left
    status = (await desk.http.get(f"/ideas/status/{taken['receipt']}")).json()
    assert (status["state"], status["project_id"], status["reason"]) == ("accepted", "ladebaenke", "Passt.")


async def test_a_declined_idea_is_erased_too_and_becomes_nothing(bus: TestBus, sessions: Sessions, desk: Desk) -> None:
    taken = await sent(desk.http)
    for _ in range(2):
        await desk.done("POST", f"/ideas/{taken['idea']}/moderation", DECLINED)
    await bus.settled()

    assert SECRET not in await everything(sessions)
    assert [fact.outcome for fact in await bus.announced(IdeaModeratedV1)] == ["declined"]
    assert [fact for fact in await bus.announced(ProjectRegisteredV2) if fact.origin == "idea"] == []
    assert (await desk.done("GET", "/ideas")) == []
    again = await desk.ask("POST", f"/ideas/{taken['idea']}/moderation", accepted())
    assert again.status_code == 409


async def test_an_author_withdraws_an_idea_that_waits_and_nobody_elses(sessions: Sessions, desk: Desk) -> None:
    taken = await sent(desk.http)
    other = await sent(desk.http, title="Eine andere", text="Von jemand anderem.")

    assert (await desk.http.delete(f"/ideas/status/{taken['receipt']}")).status_code == 204
    assert (await desk.http.delete(f"/ideas/status/{taken['receipt']}")).status_code == 404
    assert SECRET not in await everything(sessions)
    assert [idea["title"] for idea in await desk.done("GET", "/ideas")] == ["Eine andere"]
    await desk.done("POST", f"/ideas/{other['idea']}/moderation", DECLINED)
    assert (await desk.http.delete(f"/ideas/status/{other['receipt']}")).status_code == 404


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"title": ""}, "$.title"),
        ({"title": "x" * 301}, "$.title"),
        ({"title": "a\u0085b"}, "$.title"),
        ({"text": "x" * 5_001}, "$.text"),
        ({"text": "Hallo <script>alert(1)</script>"}, "$.text"),
        ({"text": "nul\u0000"}, "$.text"),
        ({"text": " \n "}, "$.text"),
        ({"contact": "<a href=x>"}, "$.contact"),
        ({"fields_of_action": ["raumfahrt"]}, "$.fields_of_action[0]"),
        ({"language": "fr"}, "$.language"),
        ({"nonsense": 1}, "$.nonsense"),
        ({"text": "x" * 50_000}, "$"),
    ],
    ids=str,
)
async def test_an_idea_that_cannot_be_taken_is_told_why(desk: Desk, said: dict[str, Any], path: str) -> None:
    answer = await send(desk.http, **said)

    assert (answer.status_code, answer.json()["path"]) == (422, path)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"title": NaN}', b"[" * 30_000])
async def test_what_is_no_idea_is_refused(desk: Desk, body: bytes) -> None:
    assert (await desk.http.post("/ideas", content=body)).status_code == 422


async def test_an_accepted_idea_needs_what_everybody_may_read(desk: Desk) -> None:
    taken = await sent(desk.http)
    place = f"/ideas/{taken['idea']}/moderation"

    for body, path in (
        (accepted(title=None), "$.title"),
        (accepted(summary=" "), "$.summary"),
        (accepted(fields_of_action=["x"]), "$.fields_of_action[0]"),
        (accepted(goals=["x"]), "$.goals[0]"),
    ):
        answer = await desk.ask("POST", place, body)
        assert (answer.status_code, answer.json()["path"]) == (422, path)
    assert (await desk.ask("POST", place, accepted(project_id="handyparken"))).status_code == 409
    assert (await desk.ask("POST", "/ideas/idea-0/moderation", accepted())).status_code == 404


@pytest.mark.parametrize("role", ["officer", "board", "auditor", "forum"])
async def test_only_the_unit_and_the_cdo_see_and_moderate_ideas(desk: Desk, role: str) -> None:
    taken = await sent(desk.http)
    place = f"/ideas/{taken['idea']}/moderation"

    assert (await desk.ask("GET", "/ideas", by=("x-1", role))).status_code == 403
    assert (await desk.ask("POST", place, accepted(), by=("x-1", role))).status_code == 403
    assert (await desk.http.get("/ideas")).status_code == 401


async def test_one_address_sends_ten_ideas_an_hour(desk: Desk) -> None:
    answers = [await send(desk.http) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [201] * 10 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 3600


async def test_when_very_many_ideas_wait_no_more_are_taken(sessions: Sessions, desk: Desk) -> None:
    async with sessions.begin() as session:
        fill = (
            "INSERT INTO idea SELECT 'i-' || n, 'r-' || n, 'waiting', 'de', now(), 't', 't', '{}', '' , NULL, NULL, ''"
            " FROM generate_series(1, :most) n"
        )
        await (await session.connection()).execute(text(fill), {"most": domain.MOST_WAITING})

    assert (await send(desk.http)).status_code == 503


def test_a_window_counts_each_household_for_itself_and_opens_again() -> None:
    window = Window(2, timedelta(hours=1), addresses=2)

    assert [window.wait("10.0.0.1", NOON) for _ in range(3)] == [0, 0, 3600]
    assert window.wait("10.0.0.2", NOON) == 0
    assert window.wait("10.0.0.1", NOON + timedelta(minutes=59)) == 60
    assert window.wait("10.0.0.1", NOON + timedelta(hours=1)) == 0
    assert network("2001:db8:1:2:3:4:5:6") == network("2001:db8:1:2::1") != network("2001:db8:1:3::1")
    assert network("::ffff:10.0.0.1") == network("10.0.0.1")
