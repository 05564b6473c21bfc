"""What differs from place to place."""

from oker_bus.settings import ClaimsSettings


class Settings(ClaimsSettings):
    """project-registry hears companies and needs nothing beyond what every such service needs."""
