"""Fit the temperatures on held-out examples, with the model as served (after quantisation)."""

import random
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from models import Classifier
from models.labels import CLAUSE_LABELS, LABELS
from models.verdict import Temperatures
from training.config import Source
from training.data import Example
from training.evaluate import Answer, run_all
from training.targets import clause_targets

_RANGE = (0.25, 6.0)
_BIASES = (-3.0, 3.0)
# A clause without a span is taken for neutral about as far as the recipes take it.
_ANNOTATED = Source(train="", unannotated_weight=0.1)
# A set of thousands must not drown one of hundreds.
_MOST_PER_SET = 1500


def fit_temperatures(classifier: Classifier, dev: Mapping[str, Sequence[Example]]) -> Temperatures:
    """The temperature of each head that makes its held-out likelihood highest (Guo et al. 2017).

    The clause head also gets a bias for neutral (Alexandari et al. 2020, arXiv 1901.06852).
    Only sets that know `mixed` fit the document head; a head that no example teaches keeps
    temperature 1.
    """
    document: list[tuple[np.ndarray, int]] = []
    leaning: list[tuple[float, float]] = []
    clauses: list[tuple[np.ndarray, int, float]] = []
    for name, examples in dev.items():
        part = random.Random(0).sample(list(examples), min(len(examples), _MOST_PER_SET))
        four_way = any(e.label == "mixed" for e in part)
        for example, (prepared, outputs) in zip(
            part, run_all(classifier, part, f"calibrate {name}"), strict=True
        ):
            if len(outputs) > 1:
                continue  # one window each: the heads are calibrated, not the aggregation
            if four_way and example.label is not None:
                document.append((outputs[0].document, LABELS.index(example.label)))
            if example.leaning in (0.0, 1.0):
                leaning.append((outputs[0].leaning, example.leaning))
            clauses += _clause_pairs(example, (prepared, outputs))
    temperature, neutral = _fit_clauses(clauses)
    return Temperatures(
        document=_fit_softmax(document),
        leaning=_fit_sigmoid(leaning),
        clause=temperature,
        neutral_clause=neutral,
    )


def _clause_pairs(example: Example, answer: Answer) -> Iterator[tuple[np.ndarray, int, float]]:
    """Logits, label and weight of each clause of an annotated text.

    Who annotates opinions says nothing of the other clauses: most are neutral, many are not.
    """
    prepared, (output,) = answer
    if example.spans is None:
        return
    labels, weights = clause_targets(example, _ANNOTATED, prepared)
    for logits, clause in zip(output.clauses, prepared.rows[0].clauses, strict=True):
        if weights[clause]:
            yield logits, labels[clause], weights[clause]


def _fit_softmax(pairs: Sequence[tuple[np.ndarray, int]]) -> float:
    if not pairs:
        return 1.0
    logits = np.stack([logit for logit, _ in pairs]).astype(np.float64)
    targets = np.array([target for _, target in pairs])
    weights = np.ones(len(targets))
    return _minimum(lambda heat: _negative_log_likelihood(logits / heat, targets, weights))


def _fit_clauses(clauses: Sequence[tuple[np.ndarray, int, float]]) -> tuple[float, float]:
    """Temperature, and what is added to neutral behind it; clauses are logits, label and weight.

    A bias needs every label to be seen.
    """
    targets = np.array([target for _, target, _ in clauses])
    if len(set(targets)) < len(CLAUSE_LABELS):
        return _fit_softmax([(logits, target) for logits, target, _ in clauses]), 0.0
    logits = np.stack([logits for logits, _, _ in clauses]).astype(np.float64)
    weights = np.array([weight for _, _, weight in clauses])
    neutral = np.eye(len(CLAUSE_LABELS))[CLAUSE_LABELS.index("neutral")]
    found = minimize(
        lambda x: _negative_log_likelihood(logits / x[0] + x[1] * neutral, targets, weights),
        (1.0, 0.0),
        bounds=(_RANGE, _BIASES),
    )
    temperature, bias = (round(float(value), 4) for value in found.x)
    return temperature, bias


def _negative_log_likelihood(logits: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """Its weighted mean over the rows; logits (N, labels), targets and weights (N,)."""
    logits = logits - logits.max(-1, keepdims=True)
    chosen = logits[np.arange(len(targets)), targets]
    losses = np.log(np.exp(logits).sum(-1)) - chosen
    return float(np.average(losses, weights=weights))


def _fit_sigmoid(pairs: Sequence[tuple[float, float]]) -> float:
    if not pairs:
        return 1.0
    logits, sides = np.array(pairs, np.float64).T

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        return float((np.logaddexp(0, scaled) - sides * scaled).mean())

    return _minimum(loss)


def _minimum(loss: object) -> float:
    found = minimize_scalar(loss, bounds=_RANGE, method="bounded")
    return round(float(found.x), 4)
