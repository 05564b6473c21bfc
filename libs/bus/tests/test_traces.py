"""One trace through outbox and broker: what is announced carries the span of its handler, what is heard links to it."""

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from test_traps import a_project

from oker_contracts.selection.candidate_listed_v1 import CandidateListedV1
from oker_testkit.bus import TestBus

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="session")
def exporter() -> InMemorySpanExporter:
    """Spans of this process; a provider can be set once only."""
    found = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    trace.set_tracer_provider(provider)
    return found


def settling(exporter: InMemorySpanExporter) -> ReadableSpan:
    spans = [s for s in exporter.get_finished_spans() if s.name == "settle selection-scoring-list-candidates"]
    return spans[-1]


async def test_a_heard_event_links_to_its_sender_and_an_announced_one_carries_its_handler(
    exporter: InMemorySpanExporter, bus: TestBus, heard: Any
) -> None:
    project = a_project()
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x"}
    headers["ce-type"] = "de.oker.project.profile_recorded.v1"
    headers["ce-traceparent"] = TRACEPARENT
    await bus.publish_raw(project.subject, project.model_dump_json().encode(), headers)
    await bus.settled()

    span = settling(exporter)
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [TRACEPARENT.split("-")[1]]
    (event,) = await bus.events(CandidateListedV1)
    assert event.traceparent is not None
    assert span.context is not None
    assert event.traceparent.split("-")[1:3] == [f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"]


async def test_span_names_hold_no_subject_and_no_id(exporter: InMemorySpanExporter, bus: TestBus) -> None:
    """Subjects in span names explode the number of names."""
    exporter.clear()
    for project_id in ("a", "b"):
        await bus.publish(a_project(project_id))
    await bus.settled()

    assert {span.name for span in exporter.get_finished_spans()} == {"settle selection-scoring-list-candidates"}
