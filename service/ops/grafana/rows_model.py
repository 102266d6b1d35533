"""Rows 5 to 8: what the model says, whether it drifts, what comes in, what runs."""

from collections.abc import Iterator

from service.ops.grafana.panels import (
    AMBER,
    BLUE,
    GREEN,
    RED,
    Panel,
    bars,
    graph,
    listing,
    number,
    spread,
)
from service.ops.grafana.queries import increase, mean, quantiles, rate

DRIFT = ((None, GREEN), (0.1, AMBER), (0.25, RED))
NO_DRIFT_YET = "no texts yet, or a model without a reference"
DRIFT_HELP = (
    "PSI of the last day against the texts that the model was measured with. Under 0.1: no change. "
    "Over 0.25, with over 1,000 texts behind it: read fifty recent texts. Is the model right? Then "
    "your users changed. Is it wrong? Label them and retrain (`danshi train --data`)."
)


def answers() -> Iterator[Panel]:
    """What the model says."""
    yield graph(
        "Labels",
        "The mix of labels. A jump is news: in your product, in your users, or in a caller.",
        {rate("danshi_predictions_total", by="label"): "{{label}}"},
        width=6,
        percent=True,
    )
    yield graph(
        "Clauses",
        "The same, clause by clause: moves earlier than the labels of whole texts.",
        {rate("danshi_clause_predictions_total", by="label"): "{{label}}"},
        width=6,
        percent=True,
    )
    yield spread(
        "Polarity",
        "Which side wins, from -1 to 1. A band in the middle is doubt.",
        increase("polarity"),
        width=6,
    )
    yield spread(
        "Confidence",
        "The score of the winning label. If it sinks, the model meets what it does not know.",
        increase("confidence"),
        width=6,
        unit="percentunit",
    )
    yield graph(
        "Words that turn",
        "但是, 不过, 可惜 …: turns a second, by the word. More of them is more mixed feelings.",
        {f"topk(8, {rate('danshi_contrast_total', by='connective')})": "{{connective}}"},
        width=12,
        unit="cps",
        stack=True,
    )
    yield graph(
        "Label and clauses disagree",
        "Share of texts whose label is not what their clauses add up to. If it rises, read "
        "some: the model is out of its depth.",
        {
            f"{rate('danshi_clause_disagreement_total')} / "
            f"{rate('danshi_predictions_total')}": "share of texts"
        },
        width=12,
        unit="percentunit",
        top=1,
    )


def drift() -> Iterator[Panel]:
    """Drift: is this still what the model was measured with?."""
    labels, confidence = "job:danshi_label_drift:psi1d", "job:danshi_confidence_drift:psi1d"
    for title, series in (("Drift of labels", labels), ("Drift of confidence", confidence)):
        yield number(
            f"{title} (PSI)",
            DRIFT_HELP,
            {f'{series}{{job="$job"}}': ""},
            width=8,
            steps=DRIFT,
            decimals=2,
            unknown=NO_DRIFT_YET,
        )
    yield number(
        "Texts behind it, last day",
        "Under 1,000 the drift is noise, and no alert believes it.",
        {'job:danshi_predictions:increase1d{job="$job"}': ""},
        width=8,
        steps=((None, AMBER), (1000, BLUE)),
        decimals=0,
    )
    yield graph(
        "Drift",
        DRIFT_HELP,
        {f'{labels}{{job="$job"}}': "labels", f'{confidence}{{job="$job"}}': "confidence"},
        width=8,
        lines=DRIFT,
    )
    yield bars(
        "Labels: now and reference",
        "Which label moved: its share in the last day, and in the model's manifest.",
        {
            'job_label:danshi_predictions:share1d{job="$job"}': "{{label}} now",
            'avg by (label) (danshi_reference_share{job="$job"})': "{{label}} reference",
        },
        width=8,
    )
    yield bars(
        "Confidence: now and reference",
        "Up to which confidence, in steps: more at the bottom is a model in doubt.",
        {
            'job_bin:danshi_confidence:share1d{job="$job"}': "to {{bin}} now",
            'avg by (bin) (danshi_reference_confidence_share{job="$job"})': (
                "to {{bin}} reference"
            ),
        },
        width=8,
    )


def inputs() -> Iterator[Panel]:
    """What comes in."""
    yield graph(
        "Characters a text",
        "Longer texts take longer: the first thing to compare when latency moves.",
        quantiles("input_chars", 0.5, 0.95, 0.99),
        width=6,
    )
    yield graph(
        "Tokens a text",
        "What the engine has to read.",
        {mean("input_tokens"): "mean"} | quantiles("input_tokens", 0.95),
        width=6,
    )
    yield graph(
        "Windows a text",
        "Over 1, texts are longer than the model reads at once, and cost several passes.",
        {mean("windows"): "mean"} | quantiles("windows", 0.99),
        width=6,
    )
    yield graph(
        "Tokens that the model does not know",
        "Another language, or broken text, if this rises; over 5 % there is an alert.",
        {
            f"{rate('danshi_unknown_tokens_total')} / {rate('danshi_input_tokens_sum')}": (
                "share of tokens"
            )
        },
        width=6,
        unit="percentunit",
        lines=((None, "transparent"), (0.05, RED)),
    )


def process() -> Iterator[Panel]:
    """What runs: release and process."""
    yield listing(
        "Models",
        "Which replica serves which model. Different versions for longer than a release takes "
        "answer differently.",
        {'danshi_model_info{job="$job"}': ""},
        width=8,
        hidden=("Time", "Value", "__name__", "job"),
    )
    yield graph(
        "Hours since the model was loaded",
        "A fall to 0 is a release or a restart: does a change above begin there?",
        {'(time() - danshi_model_loaded_timestamp_seconds{job="$job"}) / 3600': "{{instance}}"},
        width=4,
        unit="h",
    )
    yield graph(
        "Memory",
        "Of each process. Steady after an hour; a slope is a leak.",
        {'process_resident_memory_bytes{job="$job"}': "{{instance}}"},
        width=4,
        unit="bytes",
    )
    yield graph(
        "Cores in use",
        "Of each process. At its limit, with a busy engine, the machine is full.",
        {
            'rate(process_cpu_seconds_total{job="$job"}[$__rate_interval])': "{{instance}}",
        },
        width=4,
    )
    yield graph(
        "Open files",
        "Share of the connections and files that the system allows.",
        {
            'process_open_fds{job="$job"} / process_max_fds{job="$job"}': "{{instance}}",
        },
        width=4,
        unit="percentunit",
    )
