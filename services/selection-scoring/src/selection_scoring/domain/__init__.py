"""The uniform procedure of selection (strategy, 4.4), in plain Python: the pool, criteria, rounds and their stages,
who may say what, what the board decides. Scores and ranks are computed by the library ``oker_decision``."""

from selection_scoring.domain import criteria, deciding, freezing, judging, pool, rounds

__all__ = ["criteria", "deciding", "freezing", "judging", "pool", "rounds"]
