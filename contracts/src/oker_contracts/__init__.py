"""Every event of Oker. Needs Pydantic and nothing else, so that a company can check its messages alone."""

from oker_contracts.base import TYPE_PREFIX, Contract
from oker_contracts.catalog import Catalog, CatalogEntry, catalog
from oker_contracts.envelope import Envelope, Event, event_key, read_envelope
from oker_contracts.reading import Reader, reader
from oker_contracts.reasons import Reason, Refused

__all__ = [
    "TYPE_PREFIX",
    "Catalog",
    "CatalogEntry",
    "Contract",
    "Envelope",
    "Event",
    "Reader",
    "Reason",
    "Refused",
    "catalog",
    "event_key",
    "read_envelope",
    "reader",
]
