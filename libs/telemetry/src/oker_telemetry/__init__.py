"""What a service says of itself: logs, traces, metrics, and whether it is well."""

from oker_telemetry.configuration import configure, shutdown
from oker_telemetry.health import health_routes

__all__ = ["configure", "health_routes", "shutdown"]
