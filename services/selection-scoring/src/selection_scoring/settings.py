"""What differs from place to place."""

from oker_bus.settings import ServiceSettings


class Settings(ServiceSettings):
    """selection-scoring needs nothing beyond what every service needs."""
