"""Clocks of senders, held against the platform's: standard library only."""

from datetime import UTC, datetime, timedelta

OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a sender's clock may be ahead."""


class NotAcceptable(Exception):
    """A rule of the domain is broken: the code of the reason, the field, and a sentence for the sender."""

    def __init__(self, code: str, field: str, detail: str) -> None:
        super().__init__(f"{code} at {field}: {detail}")
        self.code = code
        self.field = field
        self.detail = detail


def clock_fault(field: str, time: datetime, now: datetime) -> NotAcceptable | None:
    """What is wrong with a time that a sender says, if anything."""
    if time > now + CLOCK_TOLERANCE:
        return NotAcceptable("time_in_future", field, "The time lies in the future; the sender's clock is ahead.")
    if time < OLDEST:
        return NotAcceptable("time_too_old", field, "The time lies before 2000; the sender's clock was never set.")
    return None
