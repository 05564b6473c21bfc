"""Everything selection-scoring hears."""

import structlog

from oker_bus import Router, Transaction, on
from oker_contracts import Event
from oker_contracts.project.registered_v1 import ProjectRegisteredV1
from oker_contracts.selection.candidate_listed_v1 import CandidateListedV1
from selection_scoring import domain, store

router = Router("selection-scoring")
log = structlog.get_logger()


@on(router, ProjectRegisteredV1, consumer="selection-scoring-list-candidates")
async def list_candidate(event: Event[ProjectRegisteredV1], tx: Transaction) -> None:
    """Put a registered project into the pool of the next round; its first registration stands."""
    if await store.candidate(tx.session, event.data.project_id) is not None:
        return
    candidate = domain.Candidate(
        project_id=event.data.project_id,
        title=event.data.title,
        fields_of_action=tuple(event.data.fields_of_action),
        listed_at=tx.now,
    )
    await store.save_candidate(tx.session, candidate)

    tx.announce(
        CandidateListedV1(
            project_id=candidate.project_id,
            title=candidate.title,
            fields_of_action=list(candidate.fields_of_action),
            listed_at=candidate.listed_at,
        )
    )
    log.info("candidate.listed", project_id=candidate.project_id)
