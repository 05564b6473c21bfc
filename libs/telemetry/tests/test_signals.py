"""Spans and metrics of a real process, as a collector receives them."""

import socket
from typing import Any

WORK = """
    from opentelemetry import metrics, trace
    from oker_telemetry import configure, shutdown
    configure("probe", log_format="json", otlp_endpoint={endpoint!r})
    configure("probe", log_format="json", otlp_endpoint={endpoint!r})
    with trace.get_tracer("t").start_as_current_span("outer") as outer:
        with trace.get_tracer("t").start_as_current_span("inner") as inner:
            inner.set_attribute("oker.partner", "stadtwerke")
    metrics.get_meter("m").create_counter("oker.readings", unit="1").add(7)
    shutdown()
    shutdown()
"""

IMPATIENT = """
    from oker_telemetry import signals
    signals.PATIENCE = 0.2
    signals.TIMEOUT = {timeout}
"""


def test_spans_reach_the_receiver_once_and_with_their_service(receiver: Any, run: Any) -> None:
    assert run(WORK.format(endpoint=receiver.url + "/")) == []

    [resource] = [resource for request in receiver.traces for resource in request.resource_spans]
    spans = {span.name: span for scope in resource.scope_spans for span in scope.spans}
    attributes = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
    assert attributes.items() >= {"service.name": "probe", "service.namespace": "oker"}.items()
    assert sorted(spans) == ["inner", "outer"]
    assert spans["inner"].parent_span_id == spans["outer"].span_id
    assert spans["inner"].attributes[0].value.string_value == "stadtwerke"


def test_metrics_reach_the_receiver(receiver: Any, run: Any) -> None:
    run(WORK.format(endpoint=receiver.url))

    sums = {
        metric.name: metric.sum.data_points[0].as_int
        for request in receiver.metrics
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert sums["oker.readings"] == 7


def test_the_endpoint_may_come_from_the_standard_variable(receiver: Any, run: Any) -> None:
    run(WORK.format(endpoint=None), OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)

    assert receiver.traces
    assert receiver.metrics


def test_a_parent_that_was_not_sampled_is_followed(receiver: Any, run: Any) -> None:
    program = """
    from opentelemetry import propagate, trace
    from oker_telemetry import configure, shutdown
    configure("probe", otlp_endpoint={endpoint!r})
    for flag in ("00", "01"):
        parent = propagate.extract({{"traceparent": f"00-{{'a' * 32}}-{{'b' * 16}}-{{flag}}"}})
        trace.get_tracer("t").start_span(f"flag {{flag}}", parent).end()
    shutdown()
    """
    run(program.format(endpoint=receiver.url))

    spans = [s for r in receiver.traces for rs in r.resource_spans for ss in rs.scope_spans for s in ss.spans]
    assert [span.name for span in spans] == ["flag 01"]
    assert spans[0].trace_id.hex() == "a" * 32


def test_without_an_endpoint_nothing_leaves_the_process(run: Any) -> None:
    program = """
    import socket
    def refuse(*_): raise AssertionError("somebody wants out")
    socket.socket.connect = refuse
    """

    assert run(program + WORK.format(endpoint=None)) == []


def test_a_receiver_that_is_gone_does_not_keep_the_process_alive(run: Any) -> None:
    """The retries would go on for a minute; the program would be killed after thirty seconds."""
    lines = run(IMPATIENT.format(timeout=60) + WORK.format(endpoint="http://127.0.0.1:9"))

    assert "telemetry.unsent" in [line["event"] for line in lines]


def test_a_receiver_that_never_answers_does_not_keep_the_process_alive(run: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        lines = run(IMPATIENT.format(timeout=1) + WORK.format(endpoint=f"http://127.0.0.1:{deaf.getsockname()[1]}"))

    assert "telemetry.unsent" in [line["event"] for line in lines]


def test_importing_starts_nothing(run: Any) -> None:
    program = """
    import threading, logging
    import oker_telemetry
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    assert threading.active_count() == 1
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
    assert logging.getLogger().handlers == []
    """

    assert run(program) == []
