"""Everything selection-scoring hears."""

import structlog

from oker_bus import Router, Transaction, on
from oker_contracts import Event
from oker_contracts.project.profile_recorded_v1 import ProfileRecordedV1
from oker_contracts.selection.candidate_delisted_v1 import CandidateDelistedV1
from oker_contracts.selection.candidate_listed_v2 import CandidateListedV2
from oker_decision.canonical import digest
from selection_scoring import domain, store
from selection_scoring.fold import record

router = Router("selection-scoring")
log = structlog.get_logger()


@on(router, ProfileRecordedV1, consumer="selection-scoring-list-candidates")
async def list_candidate(event: Event[ProfileRecordedV1], tx: Transaction) -> None:
    """Put an eligible project into the pool of the next round, or take it out."""
    said = event.data
    if said.corrects_past:
        log.info("candidate.past_corrected", project_id=said.project_id, version=said.version)
        return
    known = await store.pool.place(tx.session, said.project_id)
    step = domain.pool.step(said.state, said.previous_state, said.version, known)

    if step == "list":
        await record(tx, _listed(said, tx))
    if step == "delist":
        await record(
            tx,
            CandidateDelistedV1(project_id=said.project_id, version=said.version, state=said.state, delisted_at=tx.now),
        )
    log.info("candidate.heard", project_id=said.project_id, version=said.version, step=step)


def _listed(said: ProfileRecordedV1, tx: Transaction) -> CandidateListedV2:
    return CandidateListedV2(
        project_id=said.project_id,
        version=said.version,
        title=said.profile.title,
        fields_of_action=said.profile.fields_of_action,
        costs=domain.pool.costs((row.line, row.plan_eur) for row in said.profile.budget),
        profile_sha256=digest(said.profile.model_dump(mode="json")),
        listed_at=tx.now,
    )
