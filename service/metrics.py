"""Every metric of the service, defined once.

One registry an application and not the global one, so that tests can make
several. Series exist from the start: a rate over a series that appears with
its first event misses that event.
"""

from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder

from models.labels import LABELS
from service.errors import ClientGone, problem_types

STAGES = ("tokenize", "queue", "inference", "finish")
OTHER_ROUTE = "other"

_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_STAGE_SECONDS = (0.0001, 0.00025, 0.0005, *_REQUEST_SECONDS)
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_BATCH_TOKENS = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)


class Metrics:
    """The metrics of one application; attributes are named as the metrics are."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        # These register themselves.
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"danshi_{name}", says, labels, registry=registry)

        def gauge(name: str, says: str, *labels: str) -> Gauge:
            return Gauge(f"danshi_{name}", says, labels, registry=registry)

        def histogram(name: str, says: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"danshi_{name}", says, labels, buckets=buckets, registry=registry)

        self.requests = counter("requests_total", "Requests answered.", "route", "code")
        self.request_duration = histogram(
            "request_duration_seconds", "From head to answer.", _REQUEST_SECONDS, "route"
        )
        self.in_flight = gauge("requests_in_flight", "Requests being answered.")
        self.rejected = counter("rejected_total", "Requests answered with a problem.", "reason")
        self.stage_duration = histogram(
            "stage_duration_seconds", "Time of a request in a stage.", _STAGE_SECONDS, "stage"
        )
        self.queue_depth = gauge("queue_depth", "Requests waiting for the engine.")
        self.queue_tokens = gauge("queue_tokens", "Tokens waiting for the engine.")
        self.batch_size = histogram("batch_size", "Rows a batch.", _BATCH_SIZES)
        self.batch_tokens = histogram(
            "batch_tokens", "Tokens a batch, padding included.", _BATCH_TOKENS
        )
        self.predictions = counter("predictions_total", "Texts classified.", "label")
        self.model_info = gauge(
            "model_info",
            "The model that serves; always 1.",
            "name",
            "version",
            "engine",
            "precision",
        )
        self._create_series()

    def _create_series(self) -> None:
        for stage in STAGES:
            self.stage_duration.labels(stage)
        for label in LABELS:
            self.predictions.labels(label)
        for problem in problem_types():
            self.rejected.labels(problem.label())

    def create_routes(self, routes: Iterable[str], classify: str) -> None:
        """Create the series of `routes`; of `classify` with every code that it can answer."""
        for route in (*routes, OTHER_ROUTE):
            self.request_duration.labels(route)
            self.requests.labels(route, "404" if route == OTHER_ROUTE else "200")
        for code in {*(kind.status for kind in problem_types()), ClientGone.status}:
            self.requests.labels(classify, str(code))

    def watch_queue(self, depth: Callable[[], float], tokens: Callable[[], float]) -> None:
        """Ask `depth` and `tokens` at each scrape."""
        self.queue_depth.set_function(depth)
        self.queue_tokens.set_function(tokens)

    def stage(self, name: str, seconds: float) -> None:
        """Note that a request spent `seconds` in stage `name`."""
        self.stage_duration.labels(name).observe(seconds)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The exposition in the format that `accept` asks for, and its content type."""
        encoder: Callable[[Any], bytes]
        encoder, content_type = choose_encoder(accept)
        return encoder(self.registry), content_type
