"""What is heard becomes mails for the right role holders, on the real bus."""

from collections.abc import Awaitable, Callable
from typing import Any

from builders_notification import NOON, a_decision, a_project, an_assessment
from sqlalchemy import text

from oker_contracts.notification.mail_queued_v1 import MailQueuedV1
from oker_testkit.bus import TestBus

Tell = Callable[..., Awaitable[None]]
Mails = Callable[..., Awaitable[dict[str, Any]]]


async def told(bus: TestBus) -> set[tuple[str, str, str]]:
    """Holder, role and occasion of every announced mail."""
    await bus.settled()
    return {(mail.holder, mail.role, mail.occasion) for mail in await bus.announced(MailQueuedV1)}


async def test_a_decision_is_told_to_the_cdo_and_the_board(bus: TestBus, know: Tell) -> None:
    await know("m-1", "cdo")
    await know("b-1", "board")
    await know("u-1", "unit")
    await know("o-1", "officer")

    await bus.publish(a_decision())

    assert await told(bus) == {("m-1", "cdo", "decision_taken"), ("b-1", "board", "decision_taken")}


async def test_who_holds_two_roles_gets_one_mail(bus: TestBus, know: Tell, mails: Mails) -> None:
    await know("m-1", "cdo", "board", "unit")

    await bus.publish(a_decision())

    assert set(await mails("sent")) == {"m-1"}
    assert len(await bus.announced(MailQueuedV1)) == 1


async def test_a_decision_delivered_twice_is_told_once(bus: TestBus, know: Tell, mails: Mails) -> None:
    await know("m-1", "cdo")

    await bus.publish(a_decision(), id="decision-1")
    before = await mails("sent")
    await bus.publish(a_decision(), id="decision-1")

    assert await mails("sent") == before
    assert len(await bus.announced(MailQueuedV1)) == 1
    assert [outcome for _, _, outcome in await bus.settlements()] == ["settled", "duplicate"]


async def test_a_kpi_is_told_to_the_cdo_and_the_officer_of_the_project(bus: TestBus, know: Tell) -> None:
    await know("m-1", "cdo")
    await know("o-1", "officer")
    await know("o-2", "officer")
    await know("u-1", "unit")
    await bus.publish(a_project(officer="o-1"))
    await bus.settled()

    await bus.publish(an_assessment())

    assert await told(bus) == {("m-1", "cdo", "kpi_assessed"), ("o-1", "officer", "kpi_assessed")}


async def test_a_kpi_delivered_twice_is_told_once(bus: TestBus, know: Tell, mails: Mails) -> None:
    await know("m-1", "cdo")

    await bus.publish(an_assessment(), id="assessment-1")
    await bus.publish(an_assessment(), id="assessment-1")

    assert len(await mails("sent")) == 1
    assert len(await bus.announced(MailQueuedV1)) == 1


async def test_the_unit_stands_in_where_the_project_is_not_known(bus: TestBus, know: Tell) -> None:
    await know("m-1", "cdo")
    await know("u-1", "unit")

    await bus.publish(an_assessment())

    assert await told(bus) == {("m-1", "cdo", "kpi_assessed"), ("u-1", "unit", "kpi_assessed")}


async def test_an_older_registration_never_replaces_a_newer(bus: TestBus, sessions: Callable[[], Any]) -> None:
    newer = a_project(title="New", registered_at=NOON.replace(hour=13))

    await bus.publish(newer, id="new")
    await bus.publish(a_project(title="Old"), id="old")
    await bus.publish(newer, id="new")
    await bus.settled()

    async with sessions() as session:
        assert list(await session.exec(text("SELECT title, officer FROM project"))) == [("New", "o-1")]
    assert await bus.quarantined() == []


async def test_nobody_to_tell_is_no_failure(bus: TestBus) -> None:
    await bus.publish(a_decision())

    assert await told(bus) == set()
    assert await bus.quarantined() == []
