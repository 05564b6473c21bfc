"""When a mail is tried again, and when it is given up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

MailState = Literal["queued", "sent", "failed", "recipient_erased"]
LONGEST_PAUSE = timedelta(minutes=15)
GIVE_UP_AFTER = timedelta(days=5)
"""How long a mail is tried (RFC 5321, 4.5.4.1)."""
NOT_ABOUT_THE_MAIL = frozenset({530, 534, 535, 538})
"""Replies about our own login (RFC 4954): people mend the settings, the mail waits."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a mail server said: its code, ``None`` if it said nothing; and whether to the mail or to us."""

    code: int | None
    to_the_mail: bool = True


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a mail has come."""

    state: MailState
    attempts: int
    next_attempt_at: datetime
    code: int | None


def after(reply: Reply, attempts: int, queued_at: datetime, now: datetime) -> Progress:
    """How a mail goes on: sent, failed for good, or tried again after a growing pause.

    Args:
        reply: what the server said.
        attempts: this one included.
        queued_at: five days later it is given up.
        now: the moment of this attempt.
    """
    code = reply.code
    if code is not None and reply.to_the_mail and 200 <= code < 300:
        return Progress("sent", attempts, now, code)
    if _is_final(reply) or now - queued_at >= GIVE_UP_AFTER:
        return Progress("failed", attempts, now, code)
    return Progress("queued", attempts, now + pause(attempts), code)


def _is_final(reply: Reply) -> bool:
    code = reply.code or 0
    return reply.to_the_mail and 500 <= code < 600 and code not in NOT_ABOUT_THE_MAIL


def pause(attempts: int) -> timedelta:
    """1, 2, 4 … seconds, at most 15 minutes."""
    return min(timedelta(seconds=2 ** min(attempts - 1, 20)), LONGEST_PAUSE)
