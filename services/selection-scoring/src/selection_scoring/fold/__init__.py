"""A table changes only by folding a fact; the same functions rebuild the tables from the stream.

So everything that a folded table holds stands in a fact: times, versions and ids as well.
"""

from collections.abc import Mapping

from oker_bus import Transaction
from oker_contracts import Contract
from selection_scoring.fold.log import Fold, logged
from selection_scoring.fold.pool import POOL
from selection_scoring.fold.rounds import CANDIDATES_IN_A_PART, LINES_IN_A_PART, ROUNDS
from selection_scoring.fold.sessions import SESSIONS

__all__ = ["CANDIDATES_IN_A_PART", "FOLDS", "LINES_IN_A_PART", "Fold", "record"]

FOLDS: Mapping[type[Contract], Fold] = {model: logged(fold) for model, fold in (POOL | ROUNDS | SESSIONS).items()}
"""How each fact changes the tables. Facts of an older version are lifted to the newest first."""


async def record(tx: Transaction, fact: Contract) -> None:
    """Change the tables by a fact, and announce it."""
    await FOLDS[type(fact)](tx.session, fact)
    tx.announce(fact)
