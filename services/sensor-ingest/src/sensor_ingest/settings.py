"""What sensor-ingest is told from outside."""

from oker_bus.settings import ClaimsSettings


class Settings(ClaimsSettings):
    """The common settings, and where the companies and their datasets are listed."""
