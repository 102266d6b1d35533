"""Calibrate on held-out examples, with the model as served (after quantisation).

Fitted for each head: its temperature, and how much the n-grams count beside the network.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from models import Classifier
from models.engine import RowLogits
from models.labels import CLAUSE_LABELS, LABELS
from models.ngrams import CLAUSES, COLUMNS, DOCUMENT, LEANING, NgramEngine, NgramWeights
from models.tokenizer import Prepared
from models.verdict import Temperatures
from training.config import Source
from training.data import Example
from training.evaluate import run_all
from training.targets import clause_targets

Floats = NDArray[np.float64]

_TEMPERATURES = (0.25, 8.0)
_BIASES = (-3.0, 3.0)
_NGRAM_WEIGHTS = (0.0, 8.0)
_NEUTRAL = np.eye(len(CLAUSE_LABELS))[CLAUSE_LABELS.index("neutral")]
# A clause without a span is taken for neutral about as far as the recipes take it.
_ANNOTATED = Source(train="", unannotated_weight=0.1)
# A set of thousands must not drown one of hundreds.
_MOST_PER_SET = 1500


@dataclass(slots=True)
class Seen:
    """What was said of held-out examples with one head, and what is right."""

    logits: list[ArrayLike] = field(default_factory=list)
    ngrams: list[ArrayLike] = field(default_factory=list)
    targets: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(self, logits: ArrayLike, ngrams: ArrayLike, target: float, weight: float = 1.0) -> None:
        self.logits.append(logits)
        self.ngrams.append(ngrams)
        self.targets.append(target)
        self.weights.append(weight)


@dataclass(frozen=True, slots=True)
class Fit:
    """What makes a head's held-out likelihood highest; a head without examples keeps these."""

    temperature: float = 1.0
    ngrams: float = 0.0
    neutral: float = 0.0


def calibrate(
    classifier: Classifier, dev: Mapping[str, Sequence[Example]]
) -> tuple[Temperatures, NgramWeights | None]:
    """The temperature of each head that makes its held-out likelihood highest (Guo et al. 2017).

    With n-grams beside the network, also how much they count. The clause head also gets a bias
    for neutral (Alexandari et al. 2020, arXiv 1901.06852). Only sets that know `mixed` fit the
    document head; a head that no example teaches keeps temperature 1, without n-grams.
    """
    engine = classifier.engine
    ngrams = engine.ngrams if isinstance(engine, NgramEngine) else None
    alone = Classifier(
        classifier.folder,
        classifier.manifest,
        classifier.tokenizer,
        engine.network if isinstance(engine, NgramEngine) else engine,
    )
    document, leaning, clauses = Seen(), Seen(), Seen()
    for name, examples in dev.items():
        part = random.Random(0).sample(list(examples), min(len(examples), _MOST_PER_SET))
        four_way = any(e.label == "mixed" for e in part)
        for example, (prepared, outputs) in zip(
            part, run_all(alone, part, f"calibrate {name}"), strict=True
        ):
            if len(outputs) > 1:
                continue  # one window each: the heads are calibrated, not the aggregation
            (output,) = outputs
            shape = 1 + len(prepared.rows[0].clauses), COLUMNS
            said = ngrams.read(prepared.rows)[0] if ngrams else np.zeros(shape, np.float32)
            if four_way and example.label is not None:
                document.add(output.document, said[0, DOCUMENT], LABELS.index(example.label))
            if example.leaning in (0.0, 1.0):
                # As two classes, of which the first has logit 0.
                both = (0.0, output.leaning), (0.0, float(said[0, LEANING]))
                leaning.add(*both, example.leaning)
            _add_clauses(clauses, example, prepared, output, said[1:, CLAUSES])
    pooled = ngrams is not None
    text, side = fit(document, pooled), fit(leaning, pooled)
    clause = fit(clauses, pooled, bias=_NEUTRAL)
    temperatures = Temperatures(
        text.temperature, side.temperature, clause.temperature, clause.neutral
    )
    weights = NgramWeights(text.ngrams, side.ngrams, clause.ngrams)
    return temperatures, weights if pooled else None


def _add_clauses(
    seen: Seen,
    example: Example,
    prepared: Prepared,
    output: RowLogits,
    said: NDArray[np.float32],
) -> None:
    """Each clause of an annotated text, as far as its label is to be believed.

    Who annotates opinions says nothing of the other clauses: most are neutral, many are not.
    """
    if example.spans is None:
        return
    labels, weights = clause_targets(example, _ANNOTATED, prepared)
    for logits, ngrams, clause in zip(output.clauses, said, prepared.rows[0].clauses, strict=True):
        if weights[clause]:
            seen.add(logits, ngrams, labels[clause], weights[clause])


def fit(seen: Seen, pooled: bool, bias: Floats | None = None) -> Fit:
    """Fit one head to `seen`.

    Args:
        seen: logits (N, classes).
        pooled: whether there are n-grams to weigh.
        bias: what is added to the classes as often as is best, where each occurs.
    """
    if not seen.targets:
        return Fit()
    logits, ngrams = (np.asarray(part, np.float64) for part in (seen.logits, seen.ngrams))
    targets = np.array(seen.targets, np.intp)
    weights = np.array(seen.weights)
    if bias is None or len(set(seen.targets)) < len(bias):
        bias = np.zeros(logits.shape[1])

    def loss(x: Floats) -> float:
        scores = (logits + x[1] * ngrams) / x[0] + x[2] * bias
        return _negative_log_likelihood(scores, targets, weights)

    unknown = (_TEMPERATURES, _NGRAM_WEIGHTS if pooled else (0.0, 0.0), _BIASES)
    found = minimize(loss, (1.0, 0.0, 0.0), bounds=unknown)
    return Fit(*(round(float(value), 4) for value in found.x))


def _negative_log_likelihood(logits: Floats, targets: NDArray[np.intp], weights: Floats) -> float:
    """Its weighted mean over the rows; logits (N, classes), targets and weights (N,)."""
    logits = logits - logits.max(-1, keepdims=True)
    chosen = logits[np.arange(len(targets)), targets]
    losses = np.log(np.exp(logits).sum(-1)) - chosen
    return float(np.average(losses, weights=weights))
