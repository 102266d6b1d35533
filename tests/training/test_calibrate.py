"""The calibration finds what made the scores wrong."""

import numpy as np
import pytest

from models.labels import CLAUSE_LABELS
from training.calibrate import Fit, Seen, fit

NEUTRAL = np.array([float(label == "neutral") for label in CLAUSE_LABELS])


def drawn(temperature: float, bias: float = 0.0, ngrams: float = 0.0, doubt: float = 1.0) -> Seen:
    """Logits, and labels drawn as often as softmax((a + ngrams · b) / temperature + bias) says."""
    random = np.random.default_rng(5)
    logits, beside = random.normal(0, 3, (2, 6000, 3))
    right = np.exp((logits + ngrams * beside) / temperature + bias * NEUTRAL)
    right /= right.sum(-1, keepdims=True)
    seen = Seen()
    for row, ngram, p in zip(logits, beside, right, strict=True):
        target = int(random.choice(3, p=p))
        seen.add(row, ngram, target, doubt if NEUTRAL[target] and random.random() < 0.5 else 1.0)
    return seen


@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 0.0), (2.0, -1.0), (0.7, 0.5)])
def test_a_head_gets_its_temperature_and_its_bias_for_neutral_back(
    temperature: float, bias: float
) -> None:
    found = fit(drawn(temperature, bias), pooled=False, bias=NEUTRAL)
    assert (found.temperature, found.neutral) == pytest.approx((temperature, bias), abs=0.15)
    assert found.ngrams == 0.0


@pytest.mark.parametrize(("temperature", "ngrams"), [(1.0, 0.5), (2.0, 1.5)])
def test_the_ngrams_count_as_far_as_they_are_right(temperature: float, ngrams: float) -> None:
    found = fit(drawn(temperature, ngrams=ngrams), pooled=True)
    assert (found.temperature, found.ngrams) == pytest.approx((temperature, ngrams), abs=0.15)


def test_ngrams_that_say_nothing_or_the_opposite_count_for_nothing() -> None:
    assert fit(drawn(1.0, ngrams=0.0), pooled=True).ngrams == pytest.approx(0.0, abs=0.05)
    assert fit(drawn(1.0, ngrams=-1.0), pooled=True).ngrams == 0.0


def test_a_head_that_nothing_teaches_is_left_as_it_is() -> None:
    assert fit(Seen(), pooled=True) == Fit(1.0, 0.0, 0.0)


def test_a_bias_is_fitted_only_where_every_label_occurs() -> None:
    whole, part = drawn(2.0, -1.0), Seen()
    for row in zip(whole.logits, whole.ngrams, whole.targets, strict=True):
        if row[2] != CLAUSE_LABELS.index("neutral"):
            part.add(*row)
    assert fit(part, pooled=False, bias=NEUTRAL).neutral == 0.0


def test_a_clause_counts_as_far_as_its_label_is_believed() -> None:
    found = fit(drawn(1.0, doubt=0.0), pooled=False, bias=NEUTRAL)
    assert found.neutral == pytest.approx(-np.log(2), abs=0.15)
