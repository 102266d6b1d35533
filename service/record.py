"""What one request did: noted where it happens, counted, and told at the end.

The only place that counts. Requests, texts and stages are counted here as they
end, engine passes by `count_batch`; what a definition means is in `metrics`.
"""

import time
from collections import Counter
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from models import Result
from models.labels import Label
from models.text import normalize
from models.tokenizer import Prepared, Row
from models.verdict import Clause
from service.errors import ClientGone, Problem
from service.metrics import CONTRAST_WORDS, OTHER, Metrics

# Of a long request, so many are told to a trace.
_MOST_SPANS = 64

_current: ContextVar["Record"] = ContextVar("record")


@dataclass(slots=True)
class Record:
    """One request. `form` is how it gives its texts; times are of `time.perf_counter`."""

    metrics: Metrics
    id: str = ""
    begin: float = field(default_factory=time.perf_counter)
    form: Literal["", "text", "texts", "lines"] = ""
    reason: str | None = None
    chars: int = 0
    tokens: int = 0
    windows: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    stages: dict[str, float] = field(default_factory=dict)
    spans: list[tuple[str, float, float]] = field(default_factory=list)

    def activate(self) -> None:
        """Make this the record of what the running task does from now on."""
        self.metrics.in_flight.inc()
        _current.set(self)

    def stage(self, name: str, begin: float, end: float) -> None:
        """Note that the request was in stage `name` from `begin` to `end`."""
        self.metrics.stages[name].observe(end - begin)
        self.stages[name] = self.stages.get(name, 0.0) + end - begin
        if len(self.spans) < _MOST_SPANS:
            self.spans.append((name, begin, end))

    def read(self, prepared: Prepared) -> None:
        """Note a text that was read, whether it will be answered or not."""
        chars, tokens = len(prepared.normalized.original), prepared.token_count
        windows = len(prepared.rows)
        self.metrics.input_chars.observe(chars)
        self.metrics.input_tokens.observe(tokens)
        self.metrics.windows.observe(windows)
        if prepared.unknown_tokens:
            self.metrics.unknown_tokens.inc(prepared.unknown_tokens)
        self.chars += chars
        self.tokens += tokens
        self.windows += windows

    def said(self, result: Result | Problem) -> None:
        """Note what a text got for an answer."""
        if isinstance(result, Problem):
            self.metrics.rejected_texts.labels(result.label()).inc()
            self.labels["error"] += 1
            return
        self.labels[result.label] += 1
        metrics = self.metrics
        metrics.labels[result.label].inc()
        metrics.confidence.observe(result.scores[result.label])
        metrics.polarity.observe(result.polarity)
        for clause in result.clauses:
            metrics.clause_labels[clause.label].inc()
            if clause.relation == "contrast" and clause.connective is not None:
                metrics.contrast.labels(_known(clause.connective.text)).inc()
        if sum_of(result.clauses) != result.label:
            metrics.clause_disagreement.inc()

    def refused(self, problem: Problem) -> None:
        """Note that the request as a whole is answered with `problem`."""
        self.reason = problem.label()
        self.metrics.rejected.labels(self.reason).inc()

    def end(self, route: str, status: int) -> float:
        """Count the request; returns its seconds."""
        seconds = time.perf_counter() - self.begin
        self.metrics.in_flight.dec()
        self.metrics.requests.labels(route, str(status)).inc()
        # How long a stream lasts is its client's doing, and no latency.
        if self.form != "lines":
            self.metrics.request_duration.labels(route).observe(seconds)
        # A refusal is quick, and no answer: it must not make the service look fast.
        if self.form == "text" and status in (200, ClientGone.status):
            self.metrics.single_text_duration.observe(seconds)
        return seconds

    def fields(self) -> dict[str, Any]:
        """What a log line says of the request: sizes, labels and milliseconds, never a text."""
        told: dict[str, Any] = {"form": self.form} if self.form else {}
        if self.reason:
            told["reason"] = self.reason
        if self.windows:
            told |= {"chars": self.chars, "tokens": self.tokens, "windows": self.windows}
        if self.labels and self.form == "text":
            told["label"] = next(iter(self.labels))
        elif self.labels:
            told |= {"texts": self.labels.total(), "labels": dict(self.labels)}
        if self.stages:
            told["stages"] = {name: round(s * 1000, 2) for name, s in self.stages.items()}
        return told


def current(metrics: Metrics) -> Record:
    """The record of the request that is being served; outside of one, a new one."""
    return _current.get(None) or Record(metrics)


def count_batch(metrics: Metrics, rows: Sequence[Row], tokens: int, seconds: float) -> None:
    """Count one pass of the engine over `rows`, which computed `tokens` tokens."""
    metrics.batch_size.observe(len(rows))
    metrics.batch_tokens.observe(tokens)
    metrics.batch_padding.observe(1 - sum(row.length for row in rows) / tokens)
    metrics.engine_busy.inc(seconds)


def sum_of(clauses: Sequence[Clause]) -> Label:
    """The label that the clauses by themselves add up to."""
    found = {clause.label for clause in clauses}
    if {"positive", "negative"} <= found:
        return "mixed"
    if "positive" in found:
        return "positive"
    return "negative" if "negative" in found else "neutral"


@lru_cache(maxsize=1024)
def _known(word: str) -> str:
    """The word's label value: simplified, and only the words that have a series."""
    plain = normalize(word).text
    return plain if plain in CONTRAST_WORDS else OTHER
