"""The calibration finds what made the scores wrong."""

import numpy as np
import pytest

from models.labels import CLAUSE_LABELS
from training.calibrate import _fit_clauses, _fit_softmax

NEUTRAL = np.array([label == "neutral" for label in CLAUSE_LABELS])


def drawn(temperature: float, bias: float) -> list[tuple[np.ndarray, int]]:
    """Logits, and labels drawn as often as softmax(logits / temperature + bias) says."""
    random = np.random.default_rng(5)
    logits = random.normal(0, 3, (4000, 3))
    right = np.exp(logits / temperature + bias * NEUTRAL)
    right /= right.sum(-1, keepdims=True)
    return [(row, int(random.choice(3, p=p))) for row, p in zip(logits, right, strict=True)]


@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 0.0), (2.0, -1.0), (0.7, 0.5)])
def test_the_clause_head_gets_its_temperature_and_its_bias_for_neutral_back(
    temperature: float, bias: float
) -> None:
    clauses = [(*pair, 1.0) for pair in drawn(temperature, bias)]
    assert _fit_clauses(clauses) == pytest.approx((temperature, bias), abs=0.15)


def test_a_head_that_nothing_teaches_is_left_as_it_is() -> None:
    assert _fit_softmax([]) == 1.0
    assert _fit_clauses([]) == (1.0, 0.0)


def test_a_bias_is_fitted_only_where_every_label_occurs() -> None:
    pairs = [(row, target) for row, target in drawn(2.0, -1.0) if not NEUTRAL[target]]
    assert _fit_clauses([(*pair, 1.0) for pair in pairs]) == (_fit_softmax(pairs), 0.0)


def test_a_clause_counts_as_far_as_its_label_is_believed() -> None:
    pairs = drawn(1.0, 0.0)
    doubted = [
        (row, target, 0.0 if NEUTRAL[target] and i % 2 else 1.0)
        for i, (row, target) in enumerate(pairs)
    ]
    assert _fit_clauses(doubted)[1] == pytest.approx(-np.log(2), abs=0.15)
