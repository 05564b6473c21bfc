"""JetStream and the transaction: what every service of Oker stands on."""

from oker_bus.bus import Bus, open_bus
from oker_bus.edge import Delivery
from oker_bus.router import RetryLater, Router, on
from oker_bus.transaction import Cause, Clock, Transaction, wall
from oker_contracts import Event, Reason, Refused

__all__ = [
    "Bus",
    "Cause",
    "Clock",
    "Delivery",
    "Event",
    "Reason",
    "Refused",
    "RetryLater",
    "Router",
    "Transaction",
    "on",
    "open_bus",
    "wall",
]
