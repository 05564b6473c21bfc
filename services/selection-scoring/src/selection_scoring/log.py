"""The decision log: every fact of low volume holds on to the one before it by a hash."""

from typing import Any, TypeVar

from oker_bus import Transaction
from oker_contracts import Contract
from oker_contracts.selection.criteria_recorded_v1 import LogLink
from oker_decision.canonical import digest
from oker_decision.chain import NOTHING, linked_sha256
from selection_scoring.store import log as store

UNLINKED = LogLink(number=1, previous_sha256=NOTHING, sha256=NOTHING)
"""Stands in a fact until its link is known."""
C = TypeVar("C", bound=Contract)


async def link(tx: Transaction, type: str, data: dict[str, Any]) -> LogLink:
    """The place of a fact in the log; holds the log until the transaction ends.

    Args:
        type: the event's name.
        data: the fact as JSON values, without its link.
    """
    last = await store.last_entry(tx.session)
    number, previous = (last[0] + 1, last[1]) if last else (1, NOTHING)
    return LogLink(number=number, previous_sha256=previous, sha256=linked_sha256(number, previous, type, digest(data)))


async def linked(tx: Transaction, fact: C) -> C:
    """The same fact with its link; it was made with ``log=UNLINKED``."""
    data = fact.model_dump(mode="json", exclude={"log"})
    return fact.model_copy(update={"log": await link(tx, fact.TYPE, data)})
