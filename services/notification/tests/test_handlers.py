"""What is heard becomes mails for the right role holders, on the real bus."""

from collections.abc import Awaitable, Callable
from typing import Any

from builders_notification import NOON, a_decision, a_gap, a_profile, a_project, an_assessment, an_organisation
from sqlalchemy import text

from oker_contracts.notification.mail_queued_v2 import MailQueuedV2
from oker_contracts.selection.decision_taken_v1 import DecisionTakenV1
from oker_testkit.bus import TestBus

Tell = Callable[..., Awaitable[None]]
Mails = Callable[..., Awaitable[dict[str, Any]]]


async def told(bus: TestBus) -> set[tuple[str, str, str]]:
    """Holder, role and occasion of every announced mail."""
    await bus.settled()
    return {(mail.holder, mail.role, mail.occasion) for mail in await bus.announced(MailQueuedV2)}


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
    assert len(await bus.announced(MailQueuedV2)) == 1


async def test_a_decision_delivered_twice_is_told_once(bus: TestBus, know: Tell, mails: Mails) -> None:
    await know("m-1", "cdo")

    await bus.publish(a_decision(), id="decision-1")
    before = await mails("sent")
    await bus.publish(a_decision(), id="decision-1")

    assert await mails("sent") == before
    assert len(await bus.announced(MailQueuedV2)) == 1
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
    assert len(await bus.announced(MailQueuedV2)) == 1


async def test_the_unit_stands_in_where_the_project_is_not_known(bus: TestBus, know: Tell) -> None:
    await know("m-1", "cdo")
    await know("u-1", "unit")

    await bus.publish(an_assessment())

    assert await told(bus) == {("m-1", "cdo", "kpi_assessed"), ("u-1", "unit", "kpi_assessed")}


async def test_an_older_version_never_replaces_a_newer(bus: TestBus, sessions: Callable[[], Any]) -> None:
    await bus.publish(a_profile(3, title="New", officer="o-2"), id="new")
    await bus.settled()
    await bus.publish(a_project(title="Old"), id="old")
    await bus.publish(a_profile(4, title="Once").model_copy(update={"corrects_past": True}), id="once")
    await bus.publish(a_profile(2, title="Older"), id="older")
    await bus.settled()

    async with sessions() as session:
        assert list(await session.exec(text("SELECT title, officer FROM project"))) == [("New", "o-2")]
    assert await bus.quarantined() == []


async def test_the_officer_in_the_newest_profile_is_told(bus: TestBus, know: Tell) -> None:
    await know("o-1", "officer")
    await know("o-2", "officer")
    await bus.publish(a_project(officer="o-1"))
    await bus.publish(a_profile(officer="o-2"))
    await bus.settled()

    await bus.publish(an_assessment())

    assert await told(bus) == {("o-2", "officer", "kpi_assessed")}


async def test_a_gap_is_told_to_the_dezernentensitzung_and_the_cdo(
    bus: TestBus, know: Tell, sessions: Callable[[], Any]
) -> None:
    await know("m-1", "cdo", locale="en")
    await know("d-3", "dezernent")
    await know("b-1", "board")
    await bus.publish(a_project())
    await bus.publish(an_organisation())
    await bus.settled()

    await bus.publish(a_gap())

    assert await told(bus) == {("m-1", "cdo", "gap_escalated"), ("d-3", "dezernent", "gap_escalated")}
    async with sessions() as session:
        letters = dict((await session.exec(text("SELECT holder, body FROM mail"))).all())
    for holder in ("m-1", "d-3"):
        for said in ("Fachbereich Tiefbau und Verkehr", "- Laserbasierte Besucherzählung\n- handyparken\n"):
            assert said in letters[holder]


async def test_a_decision_of_the_first_version_is_told_as_well(bus: TestBus, know: Tell) -> None:
    """What a stream kept from before is lifted, and nobody hears of it in other words."""
    await know("m-1", "cdo")
    first = {
        **{"round_id": "2021-1", "title": "Runde 2021", "frozen_sha256": "0" * 64, "ballots_sha256": "1" * 64},
        **{"ranking": [], "decided_by": "m-1", "decided_at": NOON},
    }

    await bus.publish(DecisionTakenV1(**first))

    assert await told(bus) == {("m-1", "cdo", "decision_taken")}


async def test_nobody_to_tell_is_no_failure(bus: TestBus) -> None:
    await bus.publish(a_decision())

    assert await told(bus) == set()
    assert await bus.quarantined() == []
