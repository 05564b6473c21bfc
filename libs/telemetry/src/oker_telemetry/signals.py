"""OpenTelemetry: traces and metrics, sent by OTLP/HTTP if somebody listens, and metrics for Prometheus."""

from os import environ
from threading import Thread
from time import monotonic

import structlog
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

log = structlog.get_logger()

TIMEOUT = 5.0
"""Seconds that one request to the receiver may take, with its retries."""
PATIENCE = 5.0
"""Seconds that the last spans and metrics may take when the process stops."""

_open: list[TracerProvider | MeterProvider] = []
_exporters: list[OTLPSpanExporter | OTLPMetricExporter] = []


def configure_signals(service: str, otlp_endpoint: str | None) -> None:
    """Make this process's providers; does nothing if they stand already.

    The sampler is the SDK's: by the parent, else always, or what ``OTEL_TRACES_SAMPLER`` says.
    """
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    resource = Resource.create({"service.name": service, "service.namespace": "oker"})
    tracers = _tracers(resource, _endpoint("traces", otlp_endpoint))
    meters = _meters(resource, _endpoint("metrics", otlp_endpoint))
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(meters)
    _open.extend((tracers, meters))


def flush_signals() -> None:
    """Send what is held and close; does nothing if nothing was set up.

    Traces and metrics go side by side. After ``PATIENCE`` the retries are given up, so that a dead receiver
    never keeps a process from stopping.
    """
    closing = [Thread(target=provider.shutdown) for provider in _open]
    _open.clear()
    for thread in closing:
        thread.start()
    deadline = monotonic() + PATIENCE
    for thread in closing:
        thread.join(max(0.0, deadline - monotonic()))
    if any(thread.is_alive() for thread in closing):
        _give_up()
    for thread in closing:
        thread.join()


def _give_up() -> None:
    log.warning("telemetry.unsent", seconds=PATIENCE)
    for exporter in _exporters:
        exporter.shutdown()


def _endpoint(signal: str, given: str | None) -> str | None:
    """The full URL of one signal, by the rules of the OTLP exporter specification."""
    base = given or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    own = None if given else environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    return own or (f"{base.rstrip('/')}/v1/{signal}" if base else None)


def _tracers(resource: Resource, endpoint: str | None) -> TracerProvider:
    provider = TracerProvider(resource=resource)
    if endpoint:
        exporter = OTLPSpanExporter(endpoint, timeout=TIMEOUT)
        _exporters.append(exporter)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _meters(resource: Resource, endpoint: str | None) -> MeterProvider:
    readers: list[MetricReader] = [PrometheusMetricReader()]
    if endpoint:
        exporter = OTLPMetricExporter(endpoint, timeout=TIMEOUT)
        _exporters.append(exporter)
        readers.append(PeriodicExportingMetricReader(exporter))
    return MeterProvider(metric_readers=readers, resource=resource)
