"""The figures say what they claim, on cases worked out by hand."""

import numpy as np
import pytest

from models import Clause, Result
from training.data import Example, Span
from training.metrics import (
    Said,
    calibration_error,
    calibration_error_by_chance,
    clause_of,
    consistency,
    scores,
)


def result(label: str, polarity: float, *clauses: tuple[int, int, str]) -> Result:
    sure = {"positive": 0.0, "neutral": 0.0, "negative": 0.0, "mixed": 0.0, label: 1.0}
    made = tuple(
        Clause("x" * (end - start), start, end, sign, {}, "none", None)  # type: ignore[arg-type]
        for start, end, sign in clauses
    )
    return Result(label, sure, polarity, made, 1)  # type: ignore[arg-type]


def test_a_perfect_coin_is_perfectly_calibrated_and_a_boaster_is_not():
    right = np.array([True, False] * 50)
    assert calibration_error(np.full(100, 0.5), right) == pytest.approx(0.0)
    assert calibration_error(np.full(100, 0.9), right) == pytest.approx(0.4)


def test_few_texts_show_an_error_by_chance_and_many_do_not():
    scores_of_few = np.random.default_rng(0).uniform(0.5, 1.0, 60)
    assert 0.08 < calibration_error_by_chance(scores_of_few) < 0.2
    assert calibration_error_by_chance(np.tile(scores_of_few, 500)) < 0.01


def test_a_binary_set_is_scored_by_the_side_alone():
    said = [
        Said(Example("a", "positive", "s", leaning=1.0), result("mixed", 0.2)),
        Said(Example("b", "negative", "s", leaning=0.0), result("neutral", 0.1)),
    ]
    figures = scores(said)
    assert figures["side_accuracy"] == 0.5
    assert figures["called_mixed"] == 0.5
    assert "accuracy" not in figures


def test_a_three_way_set_takes_mixed_for_its_side():
    said = [
        Said(Example("a", "positive", "s", leaning=1.0), result("mixed", 0.2)),
        Said(Example("b", "neutral", "s", leaning=0.5), result("neutral", 0.0)),
    ]
    assert scores(said)["accuracy"] == 1.0


def test_a_four_way_set_gets_macro_f1_over_its_classes():
    said = [
        Said(Example("a", "mixed", "s"), result("mixed", 0.0)),
        Said(Example("b", "positive", "s"), result("mixed", 0.0)),
    ]
    figures = scores(said)
    assert figures["accuracy"] == 0.5
    assert figures["classes"]["mixed"]["f1"] == pytest.approx(2 / 3)
    assert figures["macro_f1"] == pytest.approx(1 / 3)


def test_a_span_is_held_against_the_clause_that_it_lies_in_most():
    clauses = result("mixed", 0.0, (0, 4, "positive"), (4, 10, "negative")).clauses
    assert clause_of(Span(3, 8, "negative"), clauses).label == "negative"


def test_consistency_tells_mixed_texts_that_show_both_signs():
    both = result("mixed", 0.0, (0, 2, "positive"), (2, 4, "negative"))
    one = result("mixed", 0.0, (0, 2, "positive"))
    example = Example("a", "mixed", "s")
    assert consistency([Said(example, both), Said(example, one)]) == {
        "mixed_with_both_signs": 0.5,
        "both_signs_called_mixed": 1.0,
    }


def test_only_one_sided_texts_can_be_wrongly_called_mixed():
    said = [
        Said(Example("a", "mixed", "s"), result("mixed", 0.0)),
        Said(Example("b", "positive", "s", leaning=1.0), result("mixed", 0.1)),
        Said(Example("c", "negative", "s", leaning=0.0), result("negative", -0.9)),
        Said(Example("d", "neutral", "s", leaning=0.5), result("mixed", 0.0)),
    ]
    assert scores(said)["plain_called_mixed"] == 0.5
