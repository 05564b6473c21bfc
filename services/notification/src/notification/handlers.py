"""Everything notification hears."""

from typing import Any
from uuid import uuid5

import structlog

from notification import domain, store
from notification.domain import Addressee, Decision, KpiChange, Letter, Occasion, Ranked
from oker_bus import Event, Router, Transaction, on
from oker_contracts.evaluation.kpi_assessed_v1 import KpiAssessedV1
from oker_contracts.notification.mail_queued_v1 import MailQueuedV1
from oker_contracts.project.registered_v1 import ProjectRegisteredV1
from oker_contracts.selection.decision_taken_v1 import DecisionTakenV1

log = structlog.get_logger()
router = Router("notification")


@on(router, ProjectRegisteredV1, consumer="notification-know-projects")
async def know_project(event: Event[ProjectRegisteredV1], tx: Transaction) -> None:
    """Remember the title and the officer of a project, for the mails about it."""
    said = event.data
    await store.save_project(tx.session, said.project_id, domain.plain(said.title), said.officer, said.registered_at)


@on(router, DecisionTakenV1, consumer="notification-tell-decision")
async def tell_decision(event: Event[DecisionTakenV1], tx: Transaction) -> None:
    """Tell the CDO and the board what was selected."""
    recipients = await store.recipients(tx.session)
    decision = _decision(event.data)
    for addressee in _someone(domain.for_decision(recipients), event):
        letter = domain.decision_letter(decision, addressee.locale, event.id)
        await _queue(tx, event, addressee, "decision_taken", letter)


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
        MailQueuedV1(
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


def _decision(said: DecisionTakenV1) -> Decision:
    ranking = tuple(Ranked(line.rank, line.title, line.score, line.selected) for line in said.ranking)
    return Decision(said.title, ranking, said.decided_at)


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
