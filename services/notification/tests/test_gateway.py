"""Mails go out over real SMTP, whatever the mail server does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from email.message import EmailMessage
from typing import Any

import pytest
from builders_notification import NOON, a_decision, a_line, a_project, an_assessment
from httpx import AsyncClient
from mail_server_notification import MailServer
from sqlalchemy import text
from structlog.testing import capture_logs

from notification import domain, gateway
from notification.settings import Settings
from oker_contracts.notification.mail_queued_v2 import MailQueuedV2
from oker_contracts.notification.mail_sent_v1 import MailSentV1
from oker_testkit.bus import TestBus

Tell = Callable[..., Awaitable[None]]
Mails = Callable[..., Awaitable[dict[str, Any]]]
CUT_ALL_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def words(message: EmailMessage) -> str:
    """The text of a mail with plain line ends."""
    return str(message.get_content()).replace("\r\n", "\n")


async def test_a_decision_arrives_in_the_language_of_each_recipient(
    bus: TestBus, know: Tell, mail_server: MailServer
) -> None:
    await know("b-1", "board", locale="en")
    await know("m-1", "cdo", name="Alex Müller")

    await bus.publish(a_decision())
    (to_board, english), (to_cdo, german) = await mail_server.has(2)

    assert to_board == "b-1@braunschweig.example"
    assert to_cdo == "m-1@braunschweig.example"
    assert german["To"] == "Alex Müller <m-1@braunschweig.example>"
    assert german["From"] == "oker@braunschweig.example"
    assert german["Subject"] == "Entscheidung: Runde 2026"
    assert german["Content-Language"] == "de"
    assert german["Auto-Submitted"] == "auto-generated"
    assert words(german).startswith("Guten Tag Alex Müller,\n\ndie Auswahl „Runde 2026“ ist entschieden.\n")
    assert "- Platz 1: Projekt 1 (3,14 Punkte)\n" in words(german)
    assert "Projekt 3" not in words(german)
    assert words(english).startswith("Hello,\n\nThe selection “Runde 2026” is decided.\n")


async def test_a_kpi_arrives_with_project_value_target_and_time(
    bus: TestBus, know: Tell, mail_server: MailServer
) -> None:
    await know("m-1", "cdo", locale="en")
    await know("o-1", "officer")
    await bus.publish(a_project(officer="o-1"))
    await bus.settled()

    await bus.publish(an_assessment())
    (_, english), (to_officer, german) = await mail_server.has(2)

    assert to_officer == "o-1@braunschweig.example"
    assert german["Subject"] == "Ziel verfehlt: Besucher in der Innenstadt"
    for line in (
        "Projekt: Laserbasierte Besucherzählung",
        "Wert: 99,5 visitors",
        "Ziel: mindestens 1.000 visitors",
        "Seit: 21.03.2026, 13:00 Uhr MEZ",
    ):
        assert line in words(german).splitlines()
    assert "Since: 21 March 2026, 13:00 CET" in words(english).splitlines()


async def test_a_hostile_title_adds_no_header(bus: TestBus, know: Tell, mail_server: MailServer) -> None:
    await know("m-1", "cdo")
    title = "=?utf-8?q?=0D=0ABcc:_thief=40example.org?= \u202eHello\u200b"

    await bus.publish(a_decision(a_line(1, title=". QUIT\u202e"), title=title))
    [(address, message)] = await mail_server.has(1)

    assert address == "m-1@braunschweig.example"
    assert message["Bcc"] is None
    assert message["Subject"] == "Entscheidung: = ?utf-8?q?=0D=0ABcc:_thief=40example.org?= Hello"
    assert "- Platz 1: . QUIT (3,14 Punkte)" in words(message)


async def test_the_trail_leads_from_the_cause_to_the_sent_mail(
    bus: TestBus, know: Tell, mail_server: MailServer, mails: Mails
) -> None:
    await know("m-1", "cdo")

    cause = await bus.publish(an_assessment())
    [(_, message)] = await mail_server.has(1)
    await mails("sent")

    [queued], [sent] = await bus.events(MailQueuedV2), await bus.events(MailSentV1)
    assert queued.causationid == cause
    assert sent.causationid == queued.id
    assert queued.correlationid == sent.correlationid == cause
    assert sent.data.message_id == queued.data.message_id
    assert message["Message-ID"] == f"<{queued.data.message_id}@mail.braunschweig.example>"


async def test_a_commit_lost_after_the_250_sends_again_under_the_same_message_id(
    bus: TestBus, know: Tell, mail_server: MailServer, mails: Mails, sessions: Callable[[], Any]
) -> None:
    await know("m-1", "cdo")
    mail_server.holds = True
    await bus.publish(a_decision())

    await mail_server.is_held()
    async with sessions() as session:
        await session.exec(text(CUT_ALL_CONNECTIONS))
    mail_server.holds = False
    (_, first), (_, second) = await mail_server.has(2)

    assert first["Message-ID"] == second["Message-ID"]
    assert first.as_bytes() == second.as_bytes()
    assert (await mails("sent"))["m-1"]["attempts"] == 1
    assert len(await bus.announced(MailSentV1)) == 1


async def test_a_temporary_refusal_is_tried_again(
    bus: TestBus, know: Tell, mail_server: MailServer, mails: Mails
) -> None:
    await know("m-1", "cdo")
    mail_server.replies = ["451 try again later"]

    await bus.publish(a_decision())
    await mail_server.has(1)

    mail = (await mails("sent"))["m-1"]
    assert (mail["attempts"], mail["code"]) == (2, 250)


async def test_a_permanent_refusal_fails_and_harms_no_neighbour(
    bus: TestBus, know: Tell, mail_server: MailServer, mails: Mails
) -> None:
    mail_server.refused = {"b-1@braunschweig.example": "550 5.1.1 b-1@braunschweig.example is unknown"}
    await know("b-1", "board")
    await know("m-1", "cdo")

    with capture_logs() as logs:
        await bus.publish(a_decision())
        seen = await mails("sent", "failed")

    assert (seen["b-1"]["state"], seen["b-1"]["code"]) == ("failed", 550)
    assert seen["m-1"]["state"] == "sent"
    assert [mail.holder for mail in await bus.announced(MailSentV1)] == ["m-1"]
    assert [(log["holder"], log["code"]) for log in logs if log["event"] == "mail.failed"] == [("b-1", 550)]
    assert "@braunschweig" not in str(logs)


async def test_a_dead_server_harms_nobody_and_the_mail_comes_later(
    bus: TestBus, know: Tell, mail_server: MailServer, mails: Mails
) -> None:
    mail_server.stop()
    await know("m-1", "cdo")

    await bus.publish(a_decision())
    waiting = (await mails("queued", attempts=1))["m-1"]
    mail_server.start()
    await mail_server.has(1)

    assert waiting["code"] is None
    assert (await mails("sent"))["m-1"]["attempts"] >= 2
    assert await bus.quarantined() == []


async def test_an_erased_recipient_gets_nothing_anymore(
    bus: TestBus, http: AsyncClient, unit: dict[str, str], know: Tell, mail_server: MailServer, mails: Mails
) -> None:
    mail_server.stop()
    await know("m-1", "cdo")
    await know("b-1", "board")
    await bus.publish(a_decision())
    await mails("queued")

    await http.delete("/recipients/m-1", headers=unit)
    mail_server.start()
    [(address, _)] = await mail_server.has(1)

    assert address == "b-1@braunschweig.example"
    assert (await mails("sent", "recipient_erased"))["m-1"]["state"] == "recipient_erased"


async def test_erasure_ends_a_mail_that_waits_for_long(
    bus: TestBus, http: AsyncClient, unit: dict[str, str], know: Tell, mail_server: MailServer, mails: Mails
) -> None:
    mail_server.stop()
    await know("m-1", "cdo")
    await bus.publish(a_decision())
    await mails("queued", attempts=1)
    async with bus.bus.sessions() as session, session.begin():
        connection = await session.connection()
        await connection.execute(text("UPDATE mail SET next_attempt_at = next_attempt_at + interval '1 day'"))

    await http.delete("/recipients/m-1", headers=unit)

    [mail] = (await http.get("/mails", headers=unit)).json()
    assert mail["state"] == "recipient_erased"


async def test_a_recipient_erased_without_word_is_noticed_at_sending(
    bus: TestBus, know: Tell, mail_server: MailServer, mails: Mails, sessions: Callable[[], Any]
) -> None:
    mail_server.replies = ["451 later"] * 1000
    await know("m-1", "cdo")
    await bus.publish(a_decision())
    await mails("queued", attempts=1)

    async with sessions() as session, session.begin():
        await session.exec(text("DELETE FROM recipient"))

    assert (await mails("recipient_erased"))["m-1"]["code"] is None
    assert mail_server.arrived == []


async def test_two_replicas_send_each_mail_once(
    bus: TestBus, know: Tell, mail_server: MailServer, mails: Mails, settings: Settings
) -> None:
    for number in range(12):
        await know(f"b-{number}", "board")
    replica = asyncio.create_task(gateway.send_mails(bus.bus, settings))

    await bus.publish(a_decision())
    arrived = await mail_server.has(12)
    await mails("sent")
    replica.cancel()
    await asyncio.gather(replica, return_exceptions=True)

    assert len({address for address, _ in arrived}) == 12
    assert len(await bus.announced(MailSentV1)) == 12


@pytest.fixture
async def foreign_server(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """Something that is no mail server: says a few bytes, then nothing or goodbye."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request.param)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "foreign_server",
    [
        b"",
        b"\x00\xff\xfe\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"554 no service\r\n",
        b"220 ok\r\n250 ok\r\n",
        b"9" * 100_000,
    ],
    indirect=True,
    ids=["silent", "binary", "http", "554", "hangs-up", "endless"],
)
async def test_whatever_a_server_says_the_mail_waits(foreign_server: int, settings: Settings) -> None:
    elsewhere = settings.model_copy(update={"smtp_port": foreign_server, "smtp_timeout": 2.0})

    reply = await gateway.deliver(EmailMessage(), "m-1@braunschweig.example", elsewhere)

    assert domain.after(reply, 1, NOON, NOON).state == "queued"


async def test_a_kpi_that_recovers_is_told_as_well(bus: TestBus, know: Tell, mail_server: MailServer) -> None:
    await know("m-1", "cdo")

    await bus.publish(an_assessment(status="on_track", previous_status="off_track"))
    [(_, message)] = await mail_server.has(1)

    assert message["Subject"] == "Ziel erreicht: Besucher in der Innenstadt"
    assert "Vorher: Ziel verfehlt" in words(message).splitlines()
