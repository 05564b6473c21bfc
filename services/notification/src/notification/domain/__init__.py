"""Who is told what, in which words, and when a mail is tried again: pure functions over plain values."""

from notification.domain.letters import (
    LISTED,
    Decided,
    Decision,
    Gap,
    KpiChange,
    Letter,
    Occasion,
    Outcome,
    decision_letter,
    gap_letter,
    greeting,
    kpi_letter,
)
from notification.domain.people import Addressee, Locale, Recipient, Role, for_decision, for_gap, for_kpi
from notification.domain.sending import MailState, Progress, Reply, after, pause
from notification.domain.words import amount, decimal, local_time, percent, plain

__all__ = [
    "LISTED",
    "Addressee",
    "Decided",
    "Decision",
    "Gap",
    "KpiChange",
    "Letter",
    "Locale",
    "MailState",
    "Occasion",
    "Outcome",
    "Progress",
    "Recipient",
    "Reply",
    "Role",
    "after",
    "amount",
    "decimal",
    "decision_letter",
    "for_decision",
    "for_gap",
    "for_kpi",
    "gap_letter",
    "greeting",
    "kpi_letter",
    "local_time",
    "pause",
    "percent",
    "plain",
]
