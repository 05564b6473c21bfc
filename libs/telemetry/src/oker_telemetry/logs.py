"""One pipeline for structlog and for the standard library's logging: JSON lines, or colours in a terminal."""

import logging
import sys
from collections.abc import Sequence
from typing import Any, Literal

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger

from oker_telemetry.redaction import redact

LogFormat = Literal["auto", "json", "console"]

ROUTED = (
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "faststream",
    "faststream.access.nats",
    "nats",
    "alembic",
)
"""Libraries that bring handlers of their own; they are taken away."""
QUIET = ("httpx", "httpcore", "urllib3")
"""Libraries that log each request with its URL; they are heard from warnings on."""
OWN_ROUTES = ("/health/", "/metrics")
"""Asked for every few seconds; not logged."""
CARRIED = ("subject", "stream", "queue", "message_id")
"""The extra fields of FastStream's records that are logged."""


def configure_logs(service: str, log_format: LogFormat, log_level: str) -> None:
    """Send structlog and the standard library's logging to stderr, in one form."""
    level = _level(log_level)
    shared = _shared(service)
    final = _final(log_format)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    logging.basicConfig(level=level, handlers=[_handler(shared, final)], force=True)
    logging.captureWarnings(True)
    for name in ROUTED:
        _reroute(logging.getLogger(name))
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _level(name: str) -> int:
    levels = logging.getLevelNamesMapping()
    if name.upper() not in levels:
        raise ValueError(f"{name!r} is no log level; use one of {', '.join(levels)}")
    return levels[name.upper()]


def _shared(service: str) -> list[Processor]:
    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        add_span,
    ]


def _final(log_format: LogFormat) -> list[Processor]:
    if log_format == "console" or (log_format == "auto" and sys.stderr.isatty()):
        renderer: Processor = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    else:
        renderer = structlog.processors.JSONRenderer()
    return [structlog.processors.format_exc_info, redact, renderer]


def _handler(shared: Sequence[Processor], final: Sequence[Processor]) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_wanted)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[name_event, structlog.stdlib.ExtraAdder(CARRIED), *shared],
            pass_foreign_args=True,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    return handler


def _reroute(logger: logging.Logger) -> None:
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


def _is_wanted(record: logging.LogRecord) -> bool:
    return record.name != "uvicorn.access" or not _request(record.args)["path"].startswith(OWN_ROUTES)


def _request(args: object) -> dict[str, Any]:
    """Method, path without query, and status from the arguments of a uvicorn access record."""
    if not isinstance(args, tuple) or len(args) != 5:
        return {"path": ""}
    _client, method, target, _version, status = map(str, args)
    return {"method": method, "path": target.partition("?")[0], "status": int(status)}


def name_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Give a foreign record a name: its logger's; the sentence goes to ``message``.

    An HTTP request becomes ``http.request``, without the address and the query of who asked.
    """
    name, args = event["_record"].name, event.pop("positional_args", ())
    if name == "uvicorn.access":
        return {**event, "event": "http.request", **_request(args)}
    return {**event, "message": event["event"], "event": name}


def add_span(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the ids of the current span, in the form of W3C Trace Context."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = trace.format_trace_id(span.trace_id)
        event["span_id"] = trace.format_span_id(span.span_id)
    return event
