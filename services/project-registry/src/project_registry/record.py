"""What is decided becomes facts: folded into the tables and announced, in one transaction.

Used by the API, by the handlers and by imports alike. Who calls holds the lock of the register.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from oker_bus import Transaction
from oker_contracts import Contract
from oker_contracts.project.gap_escalated_v1 import GapEscalatedV1
from oker_contracts.project.profile_recorded_v1 import Profile, ProfileRecordedV1
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from project_registry import domain, store
from project_registry.fold import fold

PIECE = 500
"""Projects that change by one statement: between two of them the process does other things."""


async def record(tx: Transaction, *facts: Contract) -> None:
    """Fold facts into the tables and announce them."""
    await fold(tx.session, facts)
    for fact in facts:
        tx.announce(fact)


@dataclass(frozen=True, slots=True)
class Change:
    """A new version of a project.

    ``before`` is the version that it follows on; what is left out stays as it is. ``valid_from`` is now, if left out.
    """

    before: domain.Entry
    reason: str
    profile: Profile | None = None
    state: str | None = None
    round_id: str | None = None
    valid_from: datetime | None = None


async def register_many(tx: Transaction, projects: Sequence[ProjectRegisteredV2]) -> None:
    """Register projects; their ids are free and their references known."""
    await record(tx, *projects)


async def change_projects(tx: Transaction, changes: Sequence[Change], by: str | None = None) -> list[ProfileRecordedV1]:
    """Record new versions, one a project, and the gaps that open or close by them.

    Args:
        by: the holder who does it; nobody, where it follows from another event.
    """
    facts = []
    for start in range(0, len(changes), PIECE):
        facts += await _change_some(tx, changes[start : start + PIECE], by)
    touched = {change.before.department for change in changes} | {fact.profile.department for fact in facts}
    await check_gaps(tx, {department for department in touched if department})
    return facts


async def _change_some(tx: Transaction, changes: Sequence[Change], by: str | None) -> list[ProfileRecordedV1]:
    latest = await store.latest(tx.session, [change.before.id for change in changes])
    facts = [_changed(change, latest[change.before.id], tx.now, by) for change in changes]
    await record(tx, *facts)
    return facts


def _changed(change: Change, latest: store.Latest, now: datetime, by: str | None) -> ProfileRecordedV1:
    before = change.before
    at = max(now, latest.recorded_at)
    valid_from = change.valid_from or at
    return ProfileRecordedV1(
        project_id=before.id,
        version=latest.version + 1,
        state=cast(Any, change.state or before.status),
        previous_state=cast(Any, before.status),
        profile=change.profile or read_profile(before),
        round_id=change.round_id or before.round_id,
        reason=change.reason,
        valid_from=valid_from,
        corrects_past=valid_from < latest.valid_from,
        recorded_by=by,
        recorded_at=at,
    )


def read_profile(entry: domain.Entry) -> Profile:
    """The profile in a version of a project."""
    return Profile.model_validate(entry.content, strict=False)


async def check_gaps(tx: Transaction, departments: Collection[str] | None = None) -> None:
    """Escalate departments with projects that nobody answers for, and close gaps that are mended.

    Args:
        departments: which are looked at; left out, all that have projects or an open gap.
    """
    if departments is not None and not departments:
        return
    known = await store.gaps(tx.session, organisations=departments)
    living = await store.living_projects(tx.session, departments)
    still_open = {gap.organisation for gap in known if gap.state == "open"}
    looked_at = {name: living.get(name, []) for name in (departments or {*living, *still_open})}
    active = await store.active(tx.session, "organisation", tx.now)
    for gap in domain.gap_changes(looked_at, known, await store.terms(tx.session), active, tx.now):
        await record(
            tx,
            GapEscalatedV1(
                organisation=gap.organisation,
                state=cast(Any, gap.state),
                projects=list(gap.projects),
                since=gap.since,
                recorded_at=gap.recorded_at,
            ),
        )
