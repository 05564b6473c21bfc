"""Everything notification hears."""

from typing import Any
from uuid import uuid5

import structlog

from notification import domain, store
from notification.domain import Addressee, Decided, Decision, Gap, KpiChange, Letter, Occasion
from oker_bus import Event, Router, Transaction, on
from oker_contracts.evaluation.kpi_assessed_v1 import KpiAssessedV1
from oker_contracts.notification.mail_queued_v2 import MailQueuedV2
from oker_contracts.project.gap_escalated_v1 import GapEscalatedV1
from oker_contracts.project.organisation_recorded_v1 import OrganisationRecordedV1
from oker_contracts.project.profile_recorded_v1 import ProfileRecordedV1
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from oker_contracts.selection.decision_taken_v2 import DecisionTakenV2

log = structlog.get_logger()
router = Router("notification")


@on(router, ProjectRegisteredV2, consumer="notification-know-projects")
async def know_project(event: Event[ProjectRegisteredV2], tx: Transaction) -> None:
    """Remember the title and the officer of a project, for the mails about it."""
    said = event.data
    await store.save_project(tx.session, said.project_id, domain.plain(said.title), said.officer, version=1)


@on(router, ProfileRecordedV1, consumer="notification-know-projects")
async def know_profile(event: Event[ProfileRecordedV1], tx: Transaction) -> None:
    """The same, of its newest version; what corrects the past only is no news."""
    said, profile = event.data, event.data.profile
    if said.corrects_past:
        return
    await store.save_project(tx.session, said.project_id, domain.plain(profile.title), profile.officer, said.version)


@on(router, OrganisationRecordedV1, consumer="notification-know-organisations")
async def know_organisation(event: Event[OrganisationRecordedV1], tx: Transaction) -> None:
    """Remember how an organisation is called."""
    said = event.data
    await store.save_organisation(tx.session, said.organisation, domain.plain(said.title), said.version)


@on(router, DecisionTakenV2, consumer="notification-tell-decision")
async def tell_decision(event: Event[DecisionTakenV2], tx: Transaction) -> None:
    """Tell the CDO and the board what was decided, and where it departs from what was computed."""
    recipients = await store.recipients(tx.session)
    decision = _decision(event.data)
    for addressee in _someone(domain.for_decision(recipients), event):
        letter = domain.decision_letter(decision, addressee.locale, event.id)
        await _queue(tx, event, addressee, "decision_taken", letter)


@on(router, GapEscalatedV1, consumer="notification-tell-gap")
async def tell_gap(event: Event[GapEscalatedV1], tx: Transaction) -> None:
    """Tell the Dezernentensitzung and the CDO that nobody answers for a department's projects, or somebody again."""
    recipients = await store.recipients(tx.session)
    said = event.data
    titles = await store.titles(tx.session, said.projects)
    name = await store.organisation(tx.session, said.organisation) or said.organisation
    projects = tuple(titles.get(project, project) for project in said.projects)
    gap = Gap(name, said.state == "open", projects, said.since, said.recorded_at)
    for addressee in _someone(domain.for_gap(recipients), event):
        letter = domain.gap_letter(gap, addressee.locale, event.id)
        await _queue(tx, event, addressee, "gap_escalated", letter)


@on(router, KpiAssessedV1, consumer="notification-tell-kpi")
async def tell_kpi(event: Event[KpiAssessedV1], tx: Transaction) -> None:
    """Tell the CDO and the officer of the project that a KPI changed its status."""
    recipients = await store.recipients(tx.session)
    title, officer = await store.project(tx.session, event.data.project_id) or (event.data.project_id, None)
    change = _change(event.data, title)
    for addressee in _someone(domain.for_kpi(recipients, officer), event):
        letter = domain.kpi_letter(change, addressee.locale, event.id)
        await _queue(tx, event, addressee, "kpi_assessed", letter)


async def _queue(tx: Transaction, event: Event[Any], addressee: Addressee, occasion: Occasion, letter: Letter) -> None:
    """Write the mail and announce it; its id is derived from the cause and the holder."""
    mail_id = uuid5(event.key, addressee.holder)
    queued_event_id = tx.announce(
        MailQueuedV2(
            message_id=str(mail_id),
            holder=addressee.holder,
            role=addressee.role,
            occasion=occasion,
            queued_at=tx.now,
        )
    )
    origin = store.Origin(queued_event_id, event.correlationid or event.id, event.traceparent)
    await store.add_mail(tx.session, mail_id, addressee, occasion, letter, tx.now, origin)
    log.info("mail.queued", mail_id=str(mail_id), holder=addressee.holder, occasion=occasion)


def _someone(addressees: list[Addressee], event: Event[Any]) -> list[Addressee]:
    """The same; says aloud that nobody is told."""
    if not addressees:
        log.warning("mail.nobody_to_tell", event_type=event.type, event_id=event.id)
    return addressees


def _decision(said: DecisionTakenV2) -> Decision:
    names = ("rank", "title", "score", "computed", "decided", "share", "reason")
    lines = tuple(Decided(**{name: getattr(line, name) for name in names}) for line in said.lines)
    return Decision(said.title, lines, said.candidates, said.decided_at)


def _change(said: KpiAssessedV1, project: str) -> KpiChange:
    return KpiChange(
        title=said.title,
        project=project,
        status=said.status,
        previous_status=said.previous_status,
        value=said.value,
        unit=said.unit,
        target=said.target,
        direction=said.direction,
        since=said.phenomenon_time,
    )
