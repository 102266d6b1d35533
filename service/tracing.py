"""Traces for OpenTelemetry: one span a request, one below it for each of its stages.

Only with `DANSHI_TRACE_ENDPOINT`, and with the extra `trace` installed. Spans are made when the
request has ended, of what its `Record` noted: a service without traces pays nothing for them.
"""

import os
import time
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope

from service.record import Record


class Traces:
    """Sends spans, from a thread of its own, to one collector."""

    def __init__(self, endpoint: str, version: str) -> None:
        """Prepare to send; whether `endpoint` is there shows when the first spans leave.

        Args:
            endpoint: where OTLP goes over HTTP, such as http://collector:4318/v1/traces.
        """
        # Here and not above: only who wants traces has installed it.
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        name = os.environ.get("OTEL_SERVICE_NAME", "danshi")
        resource = Resource.create({"service.name": name, "service.version": version})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        self._tracer = self._provider.get_tracer("danshi")
        self._propagator = TraceContextTextMapPropagator()
        self._api = trace

    def tell(self, record: Record, scope: Scope, route: str, status: int) -> None:
        """Send the spans of a request that has just ended; the caller's trace is gone on with."""
        epoch = time.time_ns() - time.perf_counter_ns()

        def at(moment: float) -> int:
            return epoch + int(moment * 1e9)

        caller = self._propagator.extract(dict(Headers(scope=scope)))
        request = self._tracer.start_span(
            f"{scope['method']} {route}",
            context=caller,
            kind=self._api.SpanKind.SERVER,
            start_time=at(record.begin),
            attributes=_attributes(record, scope, route, status),
        )
        below = self._api.set_span_in_context(request)
        for name, begin, end in record.spans:
            stage = self._tracer.start_span(name, context=below, start_time=at(begin))
            stage.end(at(end))
        if status >= 500:
            request.set_status(self._api.StatusCode.ERROR)
        request.end()

    def close(self) -> None:
        """Send what is left. Blocks until then."""
        self._provider.shutdown()


def _attributes(record: Record, scope: Scope, route: str, status: int) -> dict[str, Any]:
    """What a span says of the request, in OpenTelemetry's words where it has them."""
    told = record.fields()
    attributes = {
        "http.request.method": scope["method"],
        "http.route": route,
        "http.response.status_code": status,
        "danshi.request_id": record.id,
    }
    if record.reason:
        attributes["error.type"] = record.reason
    for name in ("form", "label", "texts", "chars", "tokens", "windows"):
        if name in told:
            attributes[f"danshi.{name}"] = told[name]
    return attributes
