"""Traces: none unless asked for; then a span a request, with its stages below it."""

import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from models.classifier import Classifier
from service.metrics import STAGES
from service.settings import SettingsError, load_settings
from tests.service.support import ObedientEngine, command_environment, danshi, running

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(HTTPServer):
    """Takes OTLP over HTTP and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []
        self.endpoint = f"http://127.0.0.1:{self.server_port}/v1/traces"

    def spans(self) -> list[Any]:
        requests = map(ExportTraceServiceRequest.FromString, self.bodies)
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.bodies.append(_unpacked(self.rfile.read(length), self.headers))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _unpacked(body: bytes, headers: Any) -> bytes:
    return gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def attributes(span: Any) -> dict[str, Any]:
    return {
        a.key: a.value.string_value or a.value.int_value or a.value.double_value
        for a in span.attributes
    }


def test_a_request_is_a_span_of_the_callers_trace_with_its_stages_below(
    classifier: Classifier, engine: ObedientEngine, collector: Collector
) -> None:
    with running(classifier, trace_endpoint=collector.endpoint) as app, app.client() as client:
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-ID": "a1"}
        client.post("/v1/classify", json={"text": "秘密很好"}, headers=headers)
        client.get("/health/live")
    (request,) = [span for span in collector.spans() if span.name == "POST /v1/classify"]
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    told = attributes(request)
    assert told["http.response.status_code"] == 200
    assert told["http.route"] == "/v1/classify"
    assert told["danshi.request_id"] == "a1"
    assert (told["danshi.label"], told["danshi.chars"]) == ("positive", 4)
    stages = [span for span in collector.spans() if span.parent_span_id == request.span_id]
    assert [span.name for span in stages] == list(STAGES)
    for span in stages:
        assert request.start_time_unix_nano <= span.start_time_unix_nano
        assert span.start_time_unix_nano <= span.end_time_unix_nano <= request.end_time_unix_nano
    assert len(collector.spans()) == 1 + len(STAGES)  # of the health check there is none
    assert "秘密".encode() not in b"".join(collector.bodies)


def test_a_failure_of_ours_is_an_error_with_its_reason(
    classifier: Classifier, engine: ObedientEngine, collector: Collector
) -> None:
    with running(classifier, trace_endpoint=collector.endpoint) as app, app.client() as client:
        engine.failure = ValueError("broken")
        client.post("/v1/classify", json={"text": "好"})
        client.post("/v1/classify", json={"text": ""})
    ours, theirs = [s for s in collector.spans() if s.name == "POST /v1/classify"]
    assert (ours.status.code, theirs.status.code) == (2, 0)
    assert attributes(ours)["error.type"] == "internal_error"
    assert attributes(theirs)["error.type"] == "invalid_text"


def test_without_an_endpoint_nothing_of_it_is_loaded() -> None:
    check = (
        "import sys; from service.app import create_app; from service.settings import Settings; "
        "create_app(Settings()); print('opentelemetry.sdk' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check],
        env=command_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == "False", done.stderr


def test_a_wrong_endpoint_stops_the_start_with_a_sentence() -> None:
    done = danshi("serve", "--trace-endpoint", "collector:4318")
    assert done.returncode == 2
    assert done.stderr == (
        "danshi: DANSHI_TRACE_ENDPOINT (--trace-endpoint) must be an address that begins with "
        "http:// or https://, not 'collector:4318'.\n"
    )


def test_an_endpoint_without_the_extra_stops_the_start_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(distribution: str) -> str:
        raise PackageNotFoundError(distribution)

    monkeypatch.setattr("service.settings.version", missing)
    with pytest.raises(SettingsError, match=r"pip install 'danshi\[trace\]'"):
        load_settings(trace_endpoint="http://127.0.0.1:9/v1/traces")
