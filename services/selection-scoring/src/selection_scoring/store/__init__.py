"""The tables of selection-scoring: the pool, criteria, rounds, what people said in them, results, sessions, the log."""

from selection_scoring.store import (
    counting,
    criteria,
    judgements,
    log,
    pool,
    publishing,
    results,
    rounds,
    sessions,
    votes,
)
from selection_scoring.store.base import Base, Session, metadata

__all__ = [
    "Base",
    "Session",
    "counting",
    "criteria",
    "judgements",
    "log",
    "metadata",
    "pool",
    "publishing",
    "results",
    "rounds",
    "sessions",
    "votes",
]
