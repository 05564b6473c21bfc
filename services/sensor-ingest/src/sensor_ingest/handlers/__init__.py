"""The way of companies' claims, by the batch: prepare (pure), then load, decide, save, announce in one transaction."""

from sensor_ingest.handlers.claims import Claim, change_the_registry, prepare, said
from sensor_ingest.handlers.writing import Ingest

__all__ = ["Claim", "Ingest", "change_the_registry", "prepare", "said"]
