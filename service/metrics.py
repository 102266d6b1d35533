"""Every metric of the service, defined once, with what to do with it.

One registry an application and not the global one, so that tests can make
several. Series exist from the start: a rate over a series that appears with
its first event misses that event. What is counted, and when, is in `record`.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.samples import Sample

from models.artifact import Manifest
from models.engine import Engine
from models.labels import CLAUSE_LABELS, LABELS
from service.errors import ClientGone, problem_types

STAGES = ("tokenize", "queue", "inference", "finish")
OTHER = "other"
# `GET /`: not to be counted together with `POST /`, which answers texts.
PAGE = "page"

# Of the words that turn a text, those met most; each of the rest would be a series for nothing.
CONTRAST_WORDS = (
    "但是", "但", "不过", "可是", "然而", "却", "就是", "只是", "可惜", "可", "没想到", "结果",
    "倒是", "反而", "还好",
)  # fmt: skip

# What is promised of a request with one text. An edge of the histogram, so that it counts exactly.
SLO_SECONDS = 0.25
_REQUEST_SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, SLO_SECONDS, 0.5, 1, 2.5, 5, 10, 20, 30,
)  # fmt: skip
_STAGE_SECONDS = (0.0001, 0.00025, 0.0005, *_REQUEST_SECONDS)
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_BATCH_TOKENS = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
_PADDING = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75)
# The winner of four labels has over a quarter.
_CONFIDENCE = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_POLARITY = (-0.9, -0.6, -0.3, -0.1, 0.0, 0.1, 0.3, 0.6, 0.9, 1.0)
_CHARS = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
_TOKENS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
_WINDOWS = (1, 2, 4, 8, 16, 32, 64, 128)
# Bins of the drift of confidence, by their upper edge: each holds enough to compare.
# Edges of the histogram, and of the manifest's `confidence_cumulative`.
CONFIDENCE_BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class SignedHistogram(Histogram):
    """A histogram of values below 0 too. Without `_sum`, which might fall, there is no `_count`.

    So OpenMetrics has it; take the bucket of +Inf for the count.
    """

    def _child_samples(self) -> Iterable[Sample]:
        return [sample for sample in super()._child_samples() if sample.name == "_bucket"]


class Metrics:
    """The metrics of one application; attributes are named as the metrics are."""

    def __init__(self) -> None:
        # A second series for each counter, to say what `process_start_time_seconds` says.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        # These register themselves.
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._define_requests()
        self._define_stages()
        self._define_answers()
        self._define_model()
        self._create_series()

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(f"danshi_{name}", says, labels, registry=self.registry)

    def _gauge(self, name: str, says: str, *labels: str) -> Gauge:
        return Gauge(f"danshi_{name}", says, labels, registry=self.registry)

    def _histogram(self, name: str, says: str, edges: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"danshi_{name}", says, labels, buckets=edges, registry=self.registry)

    def _define_requests(self) -> None:
        self.requests = self._counter(
            "requests_total",
            "Requests ended, once each, however they ended; 499 is a client that hung up. A stream "
            "that broke under way has the code of what broke it, though it was sent a 200. "
            "Codes from 500 on, 429 and 424 are users without an answer. The route / is POST.",
            "route",
            "code",
        )
        self.request_duration = self._histogram(
            "request_duration_seconds",
            "From the request's head to the answer's end, any number of texts. "
            "For a promise to users take single_text_duration_seconds.",
            _REQUEST_SECONDS,
            "route",
        )
        self.single_text_duration = self._histogram(
            "single_text_duration_seconds",
            "Requests with one text that were answered, or whose client gave up waiting: "
            f"99 % are to be under {SLO_SECONDS} s. If not, see which stage takes the time.",
            _REQUEST_SECONDS,
        )
        self.in_flight = self._gauge(
            "requests_in_flight",
            "Requests being answered now; grows when answers take longer than requests come.",
        )
        self.rejected = self._counter(
            "rejected_total",
            "Requests answered with a problem, by its type. queue_full asks for more replicas, "
            "internal_error and worker_dead for a look at the log, the rest are the callers'.",
            "reason",
        )
        self.rejected_texts = self._counter(
            "rejected_texts_total",
            "Texts that got a problem for an answer, also inside a list that was answered 200. "
            "A jump is a caller that sends blank or endless texts.",
            "reason",
        )

    def _define_stages(self) -> None:
        self.stage_duration = self._histogram(
            "stage_duration_seconds",
            "Time of a request in a stage. A long queue asks for more replicas, a long inference "
            "for a faster machine or shorter texts.",
            _STAGE_SECONDS,
            "stage",
        )
        self.queue_depth = self._gauge(
            "queue_depth", "Requests waiting for the engine now; steadily above 0 is saturation."
        )
        self.queue_tokens = self._gauge(
            "queue_tokens", "Tokens waiting for the engine now; at the limit requests get a 429."
        )
        self.queue_limit = self._gauge(
            "queue_limit_tokens", "Tokens that may wait, DANSHI_MAX_QUEUE_TOKENS."
        )
        self.batch_size = self._histogram(
            "batch_size", "Rows of one engine pass; 1 throughout means no load.", _BATCH_SIZES
        )
        self.batch_tokens = self._histogram(
            "batch_tokens",
            "Tokens of one engine pass, padding included; at DANSHI_BATCH_TOKENS batches are full.",
            _BATCH_TOKENS,
        )
        self.batch_padding = self._histogram(
            "batch_padding_ratio",
            "Share of a pass that is padding, for nothing; under load it grows with mixed lengths.",
            _PADDING,
        )
        self.engine_busy = self._counter(
            "engine_busy_seconds_total",
            "Seconds the engine computed; its rate is the utilisation, near 1 is the end.",
        )

    def _define_answers(self) -> None:
        self.predictions = self._counter(
            "predictions_total",
            "Texts classified, by label; compare the mix with reference_share.",
            "label",
        )
        self.confidence = self._histogram(
            "confidence",
            "Score of the winning label; if it falls, the texts are not what the model knows.",
            _CONFIDENCE,
        )
        self.polarity = SignedHistogram(
            "danshi_polarity",
            "Which side wins, from -1 to 1; shows what the texts' authors feel.",
            buckets=_POLARITY,
            registry=self.registry,
        )
        self.clause_predictions = self._counter(
            "clause_predictions_total", "Clauses classified, by label.", "label"
        )
        self.contrast = self._counter(
            "contrast_total",
            "Clauses that turn against what precedes them, by the word that turns them.",
            "connective",
        )
        self.clause_disagreement = self._counter(
            "clause_disagreement_total",
            "Texts whose label is not what their clauses add up to; if the share grows, "
            "read some of them.",
        )
        self.input_chars = self._histogram(
            "input_chars", "Characters of a text that was read, refused later or not.", _CHARS
        )
        self.input_tokens = self._histogram(
            "input_tokens", "Tokens of a text that was read; what the engine has to do.", _TOKENS
        )
        self.windows = self._histogram(
            "windows", "Windows of a text that was read; over 1 the text is a long one.", _WINDOWS
        )
        self.unknown_tokens = self._counter(
            "unknown_tokens_total",
            "Tokens that the model does not know; a rising share of input_tokens_sum means "
            "another language, or broken text.",
        )

    def _define_model(self) -> None:
        self.model_info = self._gauge(
            "model_info",
            "The model that serves; always 1. Replicas with different labels answer differently.",
            "name",
            "version",
            "engine",
            "precision",
        )
        self.model_loaded = self._gauge(
            "model_loaded_timestamp_seconds", "When the model was loaded, in Unix time."
        )
        self.reference_share = self._gauge(
            "reference_share",
            "Share of the label in the texts that the model was measured with, from its manifest; "
            "NaN if that has none.",
            "label",
        )
        self.reference_confidence = self._gauge(
            "reference_confidence_share",
            "Share of confidences up to `bin` and above the bin before, as reference_share.",
            "bin",
        )

    def _create_series(self) -> None:
        # Asked for by name with each request: looked up once.
        self.stages = {stage: self.stage_duration.labels(stage) for stage in STAGES}
        self.labels = {label: self.predictions.labels(label) for label in LABELS}
        self.clause_labels = {
            label: self.clause_predictions.labels(label) for label in CLAUSE_LABELS
        }
        for label in LABELS:
            self.reference_share.labels(label).set(math.nan)
        for word in (*CONTRAST_WORDS, OTHER):
            self.contrast.labels(word)
        for edge in CONFIDENCE_BINS:
            self.reference_confidence.labels(str(edge)).set(math.nan)
        for problem in problem_types():
            self.rejected.labels(problem.label())
            self.rejected_texts.labels(problem.label())

    def create_routes(self, routes: Iterable[str], answering: Iterable[str]) -> None:
        """Create the series of `routes`; of those `answering` texts with the codes of problems."""
        for route in (*routes, PAGE, OTHER):
            self.request_duration.labels(route)
            self.requests.labels(route, "404" if route == OTHER else "200")
        for route in answering:
            for code in {*(kind.status for kind in problem_types()), ClientGone.status}:
                self.requests.labels(route, str(code))

    def serve(self, manifest: Manifest, engine: Engine) -> None:
        """Say which model serves from now on, and what it said of its held-out texts."""
        self.model_info.clear()
        self.model_info.labels(manifest.name, manifest.version, engine.name, engine.precision).set(
            1
        )
        self.model_loaded.set(time.time())
        shares = manifest.reference.get("label_share", {})
        for label in LABELS:
            self.reference_share.labels(label).set(shares.get(label, math.nan))
        below = 0.0
        cumulative = manifest.reference.get("confidence_cumulative", {})
        for edge in CONFIDENCE_BINS:
            upto = _at(cumulative, edge)
            self.reference_confidence.labels(str(edge)).set(upto - below)
            below = upto

    def watch_queue(
        self, depth: Callable[[], float], tokens: Callable[[], float], limit: int
    ) -> None:
        """Ask `depth` and `tokens` at each scrape."""
        self.queue_depth.set_function(depth)
        self.queue_tokens.set_function(tokens)
        self.queue_limit.set(limit)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The exposition in the format that `accept` asks for, and its content type."""
        encoder: Callable[[Any], bytes]
        encoder, content_type = choose_encoder(accept)
        return encoder(self.registry), content_type


def _at(cumulative: Mapping[str, float], edge: float) -> float:
    return float(cumulative.get(str(edge), math.nan))
