"""A service of two handlers whose behaviour each test decides."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import APIRouter

from oker_bus import Bus, Event, Router, Transaction, on
from oker_bus.service import Service
from oker_bus.settings import ClaimsSettings
from oker_contracts.project.profile_recorded_v1 import ProfileRecordedV1
from oker_contracts.project.proposed_v2 import ProjectProposedV2
from oker_contracts.selection.candidate_listed_v1 import CandidateListedV1


@dataclass
class Heard:
    """What the handlers have heard, and what they do."""

    events: list[Event[Any]] = field(default_factory=list)
    behave: Callable[[Event[Any], Transaction], Awaitable[None]] | None = None

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.events]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def service(heard: Heard) -> Service[ClaimsSettings]:
    router = Router("selection-scoring")

    @on(router, ProfileRecordedV1, consumer="selection-scoring-list-candidates")
    async def list_candidate(event: Event[ProfileRecordedV1], tx: Transaction) -> None:
        heard.events.append(event)
        project = event.data
        tx.announce(
            CandidateListedV1(
                project_id=project.project_id,
                title=project.profile.title,
                fields_of_action=project.profile.fields_of_action,
                listed_at=tx.now,
            )
        )
        if heard.behave:
            await heard.behave(event, tx)

    @on(router, ProjectProposedV2, consumer="project-registry-claims")
    async def receive(event: Event[ProjectProposedV2], tx: Transaction) -> None:
        heard.events.append(event)
        if heard.behave:
            await heard.behave(event, tx)

    def build(bus: Bus) -> APIRouter:
        return APIRouter()

    return Service("selection-scoring", "oker_bus", ClaimsSettings, router, build)
