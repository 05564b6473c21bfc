"""Queued mails go out over SMTP (RFC 5321): at least once, each with the same Message-ID every time."""

import asyncio
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import aiosmtplib
import structlog
from aiosmtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException
from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.trace import Link, SpanKind

from notification import domain, store
from notification.domain import Progress, Reply
from notification.settings import Settings
from notification.store import Contact, Mail
from oker_bus import Bus, Cause, Transaction
from oker_contracts.notification.mail_sent_v1 import MailSentV1

log = structlog.get_logger()
tracer = trace.get_tracer("notification")
POLL_SECONDS = 0.5
DATABASE_PAUSE_SECONDS = 1.0
NO_REPLY = Reply(None)


async def send_mails(bus: Bus, settings: Settings) -> None:
    """Send what is queued, for ever; a dead mail server or database makes mails wait, no more."""
    while True:
        try:
            while await send_next(bus, settings):
                pass
            await asyncio.sleep(POLL_SECONDS)
        except store.AWAY as error:
            log.warning("mail.database_away", error=type(error).__name__, pause_seconds=DATABASE_PAUSE_SECONDS)
            await asyncio.sleep(DATABASE_PAUSE_SECONDS)


async def send_next(bus: Bus, settings: Settings) -> bool:
    """Send the mail that is due for the longest time; ``False`` if none is.

    The row stays locked until the server has answered and the answer is committed. Only a crash between the
    server's 250 and the commit sends a mail twice, both times with the same Message-ID.
    """
    async with bus.transaction() as tx:
        mail = await store.next_due(tx.session, tx.now)
        if mail is None:
            return False
        with tracer.start_as_current_span("send mail", kind=SpanKind.CLIENT, links=_links(mail)):
            await _send(tx, mail, settings)
    return True


async def _send(tx: Transaction, mail: Mail, settings: Settings) -> None:
    contact = await store.contact(tx.session, mail.holder)
    if contact is None:
        progress = Progress("recipient_erased", mail.attempts, tx.now, None)
    else:
        reply = await deliver(to_message(mail, contact, settings), contact.address, settings)
        progress = domain.after(reply, mail.attempts + 1, mail.queued_at, tx.now)
    await store.save_progress(tx.session, mail.mail_id, progress, tx.now)
    if progress.state == "sent":
        _announce_sent(tx, mail)
    _tell(mail, progress)


def _announce_sent(tx: Transaction, mail: Mail) -> None:
    origin = mail.origin
    queued = Cause(
        f"/oker/{tx.service}",
        origin.event_id,
        correlationid=origin.correlationid,
        traceparent=origin.traceparent,
    )
    tx.announce(MailSentV1(message_id=str(mail.mail_id), holder=mail.holder, sent_at=tx.now), cause=queued)


def _tell(mail: Mail, progress: Progress) -> None:
    say = log.info if progress.state in ("sent", "recipient_erased") else log.warning
    events = {"queued": "mail.waits", "failed": "mail.failed"}
    say(
        events.get(progress.state, f"mail.{progress.state}"),
        mail_id=str(mail.mail_id),
        holder=mail.holder,
        code=progress.code,
        attempts=progress.attempts,
    )


def _links(mail: Mail) -> list[Link]:
    carrier = {"traceparent": mail.origin.traceparent or ""}
    context = trace.get_current_span(extract(carrier)).get_span_context()
    return [Link(context)] if context.is_valid else []


def to_message(mail: Mail, contact: Contact, settings: Settings) -> EmailMessage:
    """The mail as it goes out; whatever stands in it, it has these headers and no others."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(addr_spec=settings.mail_from)
    message["To"] = Address(domain.plain(contact.name or ""), addr_spec=contact.address)
    message["Subject"] = domain.plain(mail.letter.subject)
    message["Date"] = format_datetime(mail.queued_at)
    message["Message-ID"] = f"<{mail.mail_id}@{settings.mail_domain}>"
    message["Auto-Submitted"] = "auto-generated"
    text = f"{domain.greeting(mail.locale, contact.name)}\n\n{mail.letter.body}"
    message.set_content(text, cte="quoted-printable")
    message["Content-Language"] = mail.locale
    return message


async def deliver(message: EmailMessage, address: str, settings: Settings) -> Reply:
    """Hand a message to the mail server and bring back what it said.

    The server's own words are left out: they often quote the address.
    """
    client = _client(settings)
    try:
        async with asyncio.timeout(settings.smtp_timeout):
            reply = await _session(client)
            return reply or await _hand_over(client, message, address, settings.mail_from)
    except TimeoutError:
        return NO_REPLY
    finally:
        client.close()


def _client(settings: Settings) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_user,
        password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
        start_tls=settings.smtp_starttls,
        use_tls=False,
        local_hostname=settings.mail_domain,
        timeout=settings.smtp_timeout,
    )


async def _session(client: aiosmtplib.SMTP) -> Reply | None:
    """Connect, secure and log in; ``None`` if all went well. Nothing that fails here is about the mail."""
    try:
        await client.connect()
    except SMTPResponseException as refused:
        return Reply(refused.code, to_the_mail=False)
    except (SMTPException, OSError, UnicodeError):
        return NO_REPLY
    return None


async def _hand_over(client: aiosmtplib.SMTP, message: EmailMessage, address: str, sender: str) -> Reply:
    try:
        await client.sendmail(sender, [address], message.as_bytes())
    except SMTPRecipientsRefused as refused:
        return Reply(refused.recipients[0].code)
    except SMTPResponseException as refused:
        return Reply(refused.code)
    except (SMTPException, OSError, UnicodeError):
        return NO_REPLY
    with suppress(SMTPException, OSError, UnicodeError):
        await client.quit()
    return Reply(250)
