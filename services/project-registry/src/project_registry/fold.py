"""From facts to tables: what a fact changes, and the only way by which a folded table changes.

The same functions build the tables anew from the stream, so all that is written stands in the fact or follows from
facts before it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from oker_contracts import Contract
from oker_contracts.project.catalogue_imported_v1 import CatalogueImportedV1, FieldOfAction, StrategicGoal
from oker_contracts.project.field_recorded_v1 import FieldRecordedV1
from oker_contracts.project.gap_escalated_v1 import GapEscalatedV1
from oker_contracts.project.goal_recorded_v1 import GoalRecordedV1
from oker_contracts.project.organisation_recorded_v1 import OrganisationRecordedV1
from oker_contracts.project.profile_recorded_v1 import ProfileRecordedV1
from oker_contracts.project.proposal_received_v1 import ProposalReceivedV1
from oker_contracts.project.registered_v2 import ProjectRegisteredV2
from oker_contracts.project.term_recorded_v1 import TermRecordedV1
from project_registry import store
from project_registry.domain import ALWAYS, Entry, Gap, Kind, Proposal

Fold = Callable[[AsyncSession, Any], Awaitable[None]]
IMPORTED = "catalogue"
REGISTERED = "registered"
"""Reasons of versions whose facts have none."""


def entry_of(fact: Contract) -> Entry:
    """The version that a fact tells.

    Raises:
        KeyError: this fact tells no version.
    """
    return ENTRIES[type(fact)](fact)


def _registered(fact: ProjectRegisteredV2) -> Entry:
    content: dict[str, Any] = {"title": fact.title, "summary": fact.summary, "fields_of_action": fact.fields_of_action}
    content |= {"goals": [{"goal": goal, "contribution": ""} for goal in fact.goals], "officer": fact.officer}
    return Entry(
        kind="project",
        id=fact.project_id,
        version=1,
        valid_from=fact.registered_at,
        recorded_at=fact.registered_at,
        recorded_by=fact.registered_by,
        reason=REGISTERED,
        content={name: said for name, said in content.items() if said},
        title=fact.title,
        status=fact.state,
        fields_of_action=tuple(fact.fields_of_action),
        goals=tuple(fact.goals),
        officer=fact.officer,
        partner=fact.partner,
        origin=fact.origin,
        registered_at=fact.registered_at,
    )


def _profile(fact: ProfileRecordedV1) -> Entry:
    profile = fact.profile
    return Entry(
        kind="project",
        id=fact.project_id,
        version=fact.version,
        **_recorded(fact),
        valid_from=fact.valid_from,
        content=profile.model_dump(mode="json", exclude_defaults=True),
        title=profile.title,
        status=fact.state,
        fields_of_action=tuple(profile.fields_of_action),
        goals=tuple(goal.goal for goal in profile.goals),
        department=profile.department,
        officer=profile.officer,
        round_id=fact.round_id,
    )


def _field(fact: FieldRecordedV1) -> Entry:
    return _plain(fact, "field", fact.field, valid_from=fact.valid_from, title=fact.title, status=fact.status)


def _goal(fact: GoalRecordedV1) -> Entry:
    return _plain(fact, "goal", fact.goal, valid_from=fact.valid_from, title=fact.title, status=fact.status)


def _organisation(fact: OrganisationRecordedV1) -> Entry:
    said = {"title": fact.title, "status": fact.status}
    return _plain(fact, "organisation", fact.organisation, valid_from=fact.valid_from, **said)


def _term(fact: TermRecordedV1) -> Entry:
    return _plain(fact, "term", fact.term, valid_from=ALWAYS, title=fact.holder, status=fact.role)


def _plain(fact: Any, kind: Any, id: str, **said: Any) -> Entry:
    recorded = {"version", "valid_from", "recorded_at", "recorded_by", "reason"}
    content = fact.model_dump(mode="json", exclude=recorded, exclude_defaults=True)
    return Entry(kind=kind, id=id, version=fact.version, content=content, **_recorded(fact), **said)


def _recorded(fact: Any) -> dict[str, Any]:
    return {name: getattr(fact, name) for name in ("recorded_at", "recorded_by", "reason")}


ENTRIES: Mapping[type[Contract], Callable[[Any], Entry]] = {
    ProjectRegisteredV2: _registered,
    ProfileRecordedV1: _profile,
    FieldRecordedV1: _field,
    GoalRecordedV1: _goal,
    OrganisationRecordedV1: _organisation,
    TermRecordedV1: _term,
}
"""The facts that tell a version."""


async def _fold_version(session: AsyncSession, fact: Contract) -> None:
    await store.add_entries(session, [entry_of(fact)])
    await _accepted(session, fact)


async def _fold_versions(session: AsyncSession, facts: Sequence[Contract]) -> None:
    await store.add_entries(session, [entry_of(fact) for fact in facts])
    for fact in facts:
        await _accepted(session, fact)


async def _accepted(session: AsyncSession, fact: Contract) -> None:
    if isinstance(fact, ProjectRegisteredV2) and fact.origin == "proposal":
        await store.accept_proposal(session, fact.project_id, fact.registered_at)


async def _fold_catalogue(session: AsyncSession, fact: CatalogueImportedV1) -> None:
    """Fields and goals that are known already stay as they are: people changed them since."""
    await store.save_catalogue(session, fact.catalogue, fact.imported_at)
    entries = [_imported(fact, "field", row.field, row, place) for place, row in enumerate(fact.fields_of_action)]
    entries += [_imported(fact, "goal", row.goal, row, place) for place, row in enumerate(fact.goals)]
    known = {kind: await store.ids(session, kind) for kind in ("field", "goal")}
    await store.add_entries(session, [entry for entry in entries if entry.id not in known[entry.kind]])


def _imported(fact: CatalogueImportedV1, kind: Kind, id: str, row: FieldOfAction | StrategicGoal, place: int) -> Entry:
    return Entry(
        kind=kind,
        id=id,
        version=1,
        valid_from=fact.imported_at,
        recorded_at=fact.imported_at,
        recorded_by=None,
        reason=IMPORTED,
        content={**row.model_dump(), "position": place, "status": "active"},
        title=row.title,
        status="active",
    )


async def _fold_proposal(session: AsyncSession, fact: ProposalReceivedV1) -> None:
    proposal = Proposal(
        project_id=fact.project_id,
        partner=fact.partner,
        name=fact.proposal,
        title=fact.title,
        summary=fact.summary,
        fields_of_action=tuple(fact.fields_of_action),
        goals=tuple(fact.goals),
        received_at=fact.received_at,
    )
    await store.save_proposal(session, proposal)


async def _fold_gap(session: AsyncSession, fact: GapEscalatedV1) -> None:
    gap = Gap(fact.organisation, fact.state, fact.since, fact.recorded_at, tuple(fact.projects))
    await store.save_gap(session, gap)


FOLD: Mapping[type[Contract], Fold] = {
    **dict.fromkeys(ENTRIES, _fold_version),
    CatalogueImportedV1: _fold_catalogue,
    ProposalReceivedV1: _fold_proposal,
    GapEscalatedV1: _fold_gap,
}
"""What each fact of this service does to its tables; a fact that is not here changes none."""


async def fold(session: AsyncSession, facts: Sequence[Contract]) -> None:
    """Fold facts in their order; neighbours that tell versions are written together."""
    for versions, group in groupby(facts, key=lambda fact: type(fact) in ENTRIES):
        if versions:
            await _fold_versions(session, list(group))
            continue
        for fact in group:
            if handle := FOLD.get(type(fact)):
                await handle(session, fact)
