"""A mail was accepted by the mail server (fact)."""

from typing import ClassVar

from oker_contracts.base import Contract, HolderId, Instant


class MailSentV1(Contract):
    """At least once: the Message-ID is stable, so that a double can be recognised."""

    TYPE: ClassVar[str] = "notification.mail_sent.v1"
    KEY: ClassVar[tuple[str, ...]] = ("holder",)

    message_id: str
    holder: HolderId
    sent_at: Instant
