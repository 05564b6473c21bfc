"""Quarantine of one service: what was refused can be read, mended and sent again, exactly once."""

from oker_bus.quarantine.api import quarantine_api

__all__ = ["quarantine_api"]
