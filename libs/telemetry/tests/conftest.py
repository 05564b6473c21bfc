"""A receiver of OTLP/HTTP, and programs in processes of their own: a process can be set up only once."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from textwrap import dedent
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Run = Callable[..., list[dict[str, Any]]]


@dataclass
class Receiver:
    """What an OTLP collector would have been given."""

    url: str
    traces: list[ExportTraceServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            self.traces.append(ExportTraceServiceRequest.FromString(body))
        elif path == "/v1/metrics":
            self.metrics.append(ExportMetricsServiceRequest.FromString(body))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Intake(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.take(self.path, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Intake)
    taken = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield taken
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run() -> Run:
    """Run a program; the answer is what it wrote to stderr, each line read as JSON."""

    def run(program: str, **environment: str) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-c", dedent(program)],
            capture_output=True,
            text=True,
            timeout=30,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        return [json.loads(line) for line in done.stderr.splitlines()]

    return run
