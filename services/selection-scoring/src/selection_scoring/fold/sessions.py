"""Sessions and conflicts."""

from sqlmodel.ext.asyncio.session import AsyncSession

from oker_contracts import Contract
from oker_contracts.selection.conflict_settled_v1 import ConflictSettledV1
from oker_contracts.selection.session_recorded_v1 import SessionRecordedV1
from selection_scoring.fold.log import Fold
from selection_scoring.store import sessions


async def session_recorded(session: AsyncSession, fact: SessionRecordedV1) -> None:
    """A session has a further version."""
    agenda = [item.model_dump(mode="json") for item in fact.agenda]
    await sessions.put(session, {**fact.model_dump(exclude={"log"}), "agenda": agenda})


async def conflict_settled(session: AsyncSession, fact: ConflictSettledV1) -> None:
    """A conflict is settled."""
    await sessions.settle(session, fact.model_dump(exclude={"log"}))


SESSIONS: dict[type[Contract], Fold] = {SessionRecordedV1: session_recorded, ConflictSettledV1: conflict_settled}
