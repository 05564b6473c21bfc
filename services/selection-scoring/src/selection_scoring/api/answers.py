"""How rules become answers, and facts become sealed."""

from typing import Any, TypeVar

from fastapi import HTTPException

from oker_bus import Reason, Refused, Transaction
from oker_contracts import Contract
from oker_decision.canonical import digest
from oker_decision.reading import Invalid
from selection_scoring import store
from selection_scoring.domain.rounds import Denial, Fault, Round

STATUS = {"unknown": 404, "forbidden": 403, "conflict": 409}
NOTHING = "0" * 64
C = TypeVar("C", bound=Contract)


def allow(denial: Denial | None) -> None:
    """Go on, or answer 403, 404 or 409 with the sentence."""
    if denial is not None:
        raise HTTPException(STATUS[denial.kind], denial.sentence)


def refuse(fault: Fault | None) -> None:
    """Go on, or answer 422 with the place."""
    if fault is not None:
        raise Refused(Reason[fault.reason], fault.path, fault.sentence)


def refused(invalid: Invalid) -> Refused:
    """What the library cannot read, as a refusal."""
    return Refused(Reason.FIELD_VALUE_INVALID, invalid.path, invalid.sentence)


def found(round: Round | None) -> Round:
    """The round, or 404."""
    if round is None:
        raise HTTPException(404, "There is no round of this id.")
    return round


async def locked(tx: Transaction, round_id: str) -> Round:
    """The round; nothing changes in it until the transaction ends."""
    return found(await store.rounds.lock(tx.session, round_id))


def sealed(model: type[C], **said: Any) -> C:
    """A fact with the hash of its other fields."""
    fact = model(**said, sha256=NOTHING)
    return fact.model_copy(update={"sha256": digest(fact.model_dump(mode="json", exclude={"sha256"}))})
