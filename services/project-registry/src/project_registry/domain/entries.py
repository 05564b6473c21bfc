"""Versions of everything that the register holds, with two times: since when it holds, and when it was learnt.

A version is never changed. Of what was recorded until ``known_at`` and holds from ``as_of`` or before, the version with
the greatest (``valid_from``, ``version``) counts. So a version that was recorded late, with an earlier ``valid_from``,
corrects the past until the next change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Kind = Literal["project", "field", "goal", "organisation", "term"]
ALWAYS = datetime(1, 1, 2, tzinfo=UTC)
"""``valid_from`` of a term of office: a version replaces the one before altogether, its own dates say when it holds."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of a project, field of action, strategic goal, organisation or term of office.

    ``content`` is what the fact said, as JSON without defaults. The rest stands beside it for lists: ``status`` is the
    state of a project, and the status of all else; ``recorded_by`` is nobody, where it follows from another event.
    """

    kind: Kind
    id: str
    version: int
    valid_from: datetime
    recorded_at: datetime
    recorded_by: str | None
    reason: str
    content: Mapping[str, Any]
    title: str = ""
    status: str = ""
    fields_of_action: tuple[str, ...] = ()
    goals: tuple[str, ...] = ()
    department: str | None = None
    officer: str | None = None
    partner: str | None = None
    origin: str | None = None
    round_id: str | None = None
    registered_at: datetime | None = None


def valid(entries: Iterable[Entry], as_of: datetime, known_at: datetime | None = None) -> Entry | None:
    """The version that counts at ``as_of``, by what was known at ``known_at`` (left out: by all that is known)."""
    held = [
        entry for entry in entries if entry.valid_from <= as_of and (known_at is None or entry.recorded_at <= known_at)
    ]
    return max(held, key=lambda entry: (entry.valid_from, entry.version), default=None)


def moment(now: datetime, newest: Entry | None) -> datetime:
    """When a version is recorded: now, but never before the newest one, whatever two clocks say."""
    return now if newest is None else max(now, newest.recorded_at)
