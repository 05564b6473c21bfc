"""A mail to a role holder is to be sent (fact)."""

from typing import Any, ClassVar, Literal

from oker_contracts.base import Contract, HolderId, Instant

Occasion = Literal["decision_taken", "kpi_assessed", "gap_escalated"]


class MailQueuedV2(Contract):
    """Names the holder, never the address; the text is derived from the event that caused it."""

    TYPE: ClassVar[str] = "notification.mail_queued.v2"
    KEY: ClassVar[tuple[str, ...]] = ("holder",)

    message_id: str
    holder: HolderId
    role: str
    occasion: Occasion
    queued_at: Instant


def upcast_v1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 knew fewer occasions."""
    return data
