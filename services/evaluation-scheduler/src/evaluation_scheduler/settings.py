"""What evaluation-scheduler is told from outside: no more than every service."""

from oker_bus.settings import ServiceSettings


class Settings(ServiceSettings):
    """See :class:`oker_bus.settings.ServiceSettings`."""
