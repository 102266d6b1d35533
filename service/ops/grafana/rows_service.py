"""Rows 1 to 4: are users hurt, how many and why, where does the time go, is there room."""

from collections.abc import Iterator

from service.ops.grafana.panels import AMBER, GREEN, RED, Panel, graph, number, spread
from service.ops.grafana.queries import TEXTS, increase, mean, quantiles, rate

ANSWERED = ((None, RED), (0.999, GREEN))
IN_TIME = ((None, RED), (0.99, GREEN))
BUDGET = ((None, RED), (0, AMBER), (0.25, GREEN))
BURNING = ((None, "transparent"), (6, AMBER), (14.4, RED))


def promises() -> Iterator[Panel]:
    """Are users hurt? Promises and budget."""
    yield number(
        "Alerts that fire",
        "What is wrong, by name. Each name is a section of service/ops/runbook.md.",
        {
            'count by (alertname) (ALERTS{alertname=~"Danshi.*", alertstate="firing"})'
            ' or on () label_replace(vector(0), "alertname", "none", "", "")': "{{alertname}}"
        },
        width=6,
        steps=((None, GREEN), (1, RED)),
        names=True,
    )
    yield number(
        "Replicas that answer",
        "How many replicas Prometheus can reach. 0 is an outage.",
        {'sum(up{job="$job"})': ""},
        width=2,
        steps=((None, RED), (1, GREEN)),
    )
    failed, late = "job:danshi_failed:ratio_rate", "job:danshi_late:ratio_rate"
    yield number(
        "Answered, 30 days",
        "Share of requests that got an answer, 99.9 % promised. Not answered: 5xx, 429, and the "
        "424 of /predict.",
        {f'1 - {failed}30d{{job="$job"}}': ""},
        width=4,
        unit="percentunit",
        steps=ANSWERED,
        decimals=3,
    )
    yield number(
        "Budget left: answers",
        "Of the one in a thousand that may fail within 30 days, the part not spent. "
        "Red: no risky release until it recovers.",
        {f'1 - {failed}30d{{job="$job"}} / 0.001': ""},
        width=4,
        unit="percentunit",
        steps=BUDGET,
        decimals=0,
    )
    yield number(
        "In time, 30 days",
        "Share of requests with one text that took under 250 ms, 99 % promised.",
        {f'1 - {late}30d{{job="$job"}}': ""},
        width=4,
        unit="percentunit",
        steps=IN_TIME,
        decimals=2,
    )
    yield number(
        "Budget left: time",
        "Of the one in a hundred that may be late within 30 days, the part not spent.",
        {f'1 - {late}30d{{job="$job"}} / 0.01': ""},
        width=4,
        unit="percentunit",
        steps=BUDGET,
        decimals=0,
    )
    for what, name, budget in (("answers", failed, 0.001), ("time", late, 0.01)):
        yield graph(
            f"How fast the budget burns: {what}",
            "1 spends exactly the budget of 30 days in 30 days. Over the red line a page goes "
            "out, over the amber one if it lasts.",
            {f'{name}{window}{{job="$job"}} / {budget}': window for window in ("5m", "1h", "6h")},
            width=12,
            lines=BURNING,
        )


def traffic() -> Iterator[Panel]:
    """How much, and what is refused, by reason."""
    yield graph(
        "Requests a second, by code",
        "Is there traffic, and how is it answered? 4xx are mistakes of callers, 429 is no "
        "room, 5xx and 424 are us, 499 hung up.",
        {rate("danshi_requests_total", TEXTS, by="code"): "{{code}}"},
        width=8,
        unit="reqps",
        stack=True,
    )
    yield graph(
        "Requests refused a second, by reason",
        "Why requests fail. queue_full: add replicas. internal_error, worker_dead: see the "
        "log. invalid_*: a caller's bug.",
        {f"topk(8, {rate('danshi_rejected_total', by='reason')})": "{{reason}}"},
        width=8,
        unit="reqps",
    )
    yield graph(
        "Texts a second, and texts refused",
        "How many texts were classified; and those that got an error in their place, also in "
        "lists that were answered 200.",
        {
            rate("danshi_predictions_total"): "classified",
            rate("danshi_rejected_texts_total"): "refused",
        },
        width=5,
    )
    yield graph(
        "Requests being answered now",
        "Grows when answers take longer than requests come.",
        {'sum by (instance) (danshi_requests_in_flight{job="$job"})': "{{instance}}"},
        width=3,
    )


def time() -> Iterator[Panel]:
    """Where the time goes."""
    yield graph(
        "One text: how long",
        "What a user feels. 99 % are promised under the line, 250 ms.",
        quantiles("single_text_duration_seconds", 0.5, 0.95, 0.99),
        width=6,
        unit="s",
        lines=((None, "transparent"), (0.25, RED)),
    )
    yield graph(
        "A request's mean time, by stage",
        "Which stage to look at: tokenize, waiting in the queue, inference, or finish.",
        {mean("stage_duration_seconds", by="stage"): "{{stage}}"},
        width=6,
        unit="s",
        stack=True,
    )
    yield graph(
        "The slowest hundredth, by stage",
        "Which stage makes the slow ones slow. Queue: load. Inference: long texts, or a slow "
        "machine.",
        {
            "histogram_quantile(0.99, "
            f"{rate('danshi_stage_duration_seconds_bucket', by='le, stage')})": "{{stage}}"
        },
        width=6,
        unit="s",
    )
    yield spread(
        "All requests: how long",
        "Lists and streams too: two bands are two kinds of callers, not an incident.",
        increase("request_duration_seconds", TEXTS),
        width=6,
        unit="s",
    )


def batching() -> Iterator[Panel]:
    """Is there room? Queue, batches, engine."""
    yield graph(
        "The engine's busy share",
        "Near 1 it is full: add replicas or cores before the queue grows.",
        {'rate(danshi_engine_busy_seconds_total{job="$job"}[$__rate_interval])': ("{{instance}}")},
        width=5,
        unit="percentunit",
        top=1,
        lines=((None, "transparent"), (0.9, RED)),
    )
    yield graph(
        "Waiting for the engine",
        "Requests that wait, and the tokens in them; at the limit requests get a 429.",
        {
            'sum(danshi_queue_depth{job="$job"})': "requests",
            'sum(danshi_queue_tokens{job="$job"})': "tokens",
            'sum(danshi_queue_limit_tokens{job="$job"})': "limit of tokens",
        },
        width=5,
    )
    yield graph(
        "Rows a batch",
        "1 is an idle service. Many rows under load is batching at work.",
        {mean("batch_size"): "mean"} | quantiles("batch_size", 0.95),
        width=5,
    )
    yield graph(
        "Tokens a batch",
        "At DANSHI_BATCH_TOKENS batches are as large as they may be.",
        {mean("batch_tokens"): "mean"} | quantiles("batch_tokens", 0.95),
        width=5,
    )
    yield graph(
        "Padding",
        "Share of the engine's work that is padding. Over a third under load: lengths are mixed.",
        {mean("batch_padding_ratio"): "mean"},
        width=4,
        unit="percentunit",
        top=1,
    )
