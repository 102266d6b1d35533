"""A text that is called mixed shows praise and blame among its clauses."""

import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.agreement import show_both
from models.labels import CLAUSE_LABELS

POSITIVE, NEGATIVE = CLAUSE_LABELS.index("positive"), CLAUSE_LABELS.index("negative")


def leading(clauses):
    return [scores.index(max(scores)) for scores in clauses]


def readings(clauses):
    """Every reading with both signs, the most probable first: its probability and its labels."""
    return sorted(
        (
            (
                math.prod(scores[label] for scores, label in zip(clauses, labels, strict=True)),
                labels,
            )
            for labels in itertools.product(range(3), repeat=len(clauses))
            if {POSITIVE, NEGATIVE} <= set(labels)
        ),
        reverse=True,
    )


@st.composite
def clause_lists(draw):
    rows = draw(
        st.lists(st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3), min_size=2, max_size=5)
    )
    return [[value / sum(row) for value in row] for row in rows]


@given(clause_lists())
def test_the_clauses_are_the_most_probable_ones_that_show_both_signs(clauses):
    (best, labels), (second, _) = readings(clauses)[:2]
    assume(best > second * 1.001)
    assert leading(show_both(clauses)) == list(labels)


@given(clause_lists())
def test_the_scores_of_a_changed_clause_are_those_of_the_best_reading_with_each_label(clauses):
    found = readings(clauses)
    for place, (before, after) in enumerate(zip(clauses, show_both(clauses), strict=True)):
        if after != before:
            best = [
                max((p for p, labels in found if labels[place] == label), default=0.0)
                for label in range(3)
            ]
            assert after == pytest.approx([share / sum(best) for share in best])


def test_clauses_that_show_both_signs_stay_as_they_are():
    clauses = [[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]]
    assert show_both(clauses) == clauses


def test_one_clause_cannot_show_both_signs_and_stays_as_it_is():
    assert show_both([[0.1, 0.2, 0.7]]) == [[0.1, 0.2, 0.7]]


def test_the_clause_that_needs_the_least_changes_and_no_other():
    clauses = [[0.01, 0.04, 0.95], [0.40, 0.55, 0.05], [0.05, 0.05, 0.9]]
    first, second, third = show_both(clauses)
    assert (first, third) == (clauses[0], clauses[2])
    assert leading([second]) == [NEGATIVE]
    assert sum(second) == pytest.approx(1)
