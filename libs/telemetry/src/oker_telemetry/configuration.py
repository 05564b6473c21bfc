"""Two calls of a process: ``configure`` when it starts, ``shutdown`` when it stops."""

from typing import Literal

from oker_telemetry.logs import configure_logs
from oker_telemetry.signals import configure_signals, flush_signals


def configure(
    service: str,
    *,
    log_format: Literal["auto", "json", "console"] = "auto",
    log_level: str = "INFO",
    otlp_endpoint: str | None = None,
) -> None:
    """Set up the logs, traces and metrics of this process.

    Args:
        service: stands in every log line and in the resource of every span and metric.
        log_format: ``auto`` is ``console`` in a terminal and ``json`` anywhere else. All go to stderr.
        log_level: a name of the standard library's levels, in any case.
        otlp_endpoint: base URL of an OTLP/HTTP receiver (``http://collector:4318``). Without one, here or in
            the variable ``OTEL_EXPORTER_OTLP_ENDPOINT``, nothing leaves the process.

    A second call sets the logs anew; OpenTelemetry keeps the providers of the first.

    Raises:
        ValueError: if there is no such log level.
    """
    configure_logs(service, log_format, log_level)
    configure_signals(service, otlp_endpoint)


def shutdown() -> None:
    """Send what is still held, then stop. A dead receiver holds it up for about five seconds."""
    flush_signals()
