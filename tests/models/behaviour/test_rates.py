"""Minima leave room for luck and no more, and never fall unasked."""

from pathlib import Path

import pytest

from tests.models.behaviour.rates import Rate, Recorded, load, renew, save


def rate(right: int, texts: int) -> Rate:
    made = Rate()
    for i in range(texts):
        made.count(str(i), i < right)
    return made


@pytest.mark.parametrize(
    ("right", "texts", "minimum"),
    [(900, 1000, 0.879), (90, 100, 0.823), (9, 10, 0.588), (10, 10, 0.714), (0, 10, 0.0)],
)
def test_a_minimum_is_the_lower_end_of_the_wilson_interval(right, texts, minimum):
    assert rate(right, texts).minimum == minimum


def test_clauses_of_one_text_count_as_one_for_the_margin():
    made = Rate()
    for i in range(10):
        made.count(str(i), True, True, i > 0)
    assert (made.right, made.of, made.texts, made.misses) == (29, 30, 10, ["0"])
    assert made.minimum < rate(29, 30).minimum


def test_a_better_model_raises_the_minimum_and_a_slightly_worse_one_leaves_it():
    first, fallen = renew({}, {"a": rate(80, 100)})
    assert not fallen
    better, fallen = renew(first, {"a": rate(95, 100)})
    assert not fallen
    assert better["a"].minimum > first["a"].minimum
    worse, fallen = renew(better, {"a": rate(93, 100)})
    assert not fallen
    assert worse["a"].minimum == better["a"].minimum
    assert worse["a"].measured == 0.93


def test_a_fallen_rate_is_named_and_its_minimum_stays():
    before = {"a": Recorded(100, 0.9, 0.825), "b": Recorded(100, 0.9, 0.825)}
    after, fallen = renew(before, {"a": rate(50, 100), "b": rate(90, 100)})
    assert len(fallen) == 1
    assert fallen[0].startswith("a: 0.500 of 100 texts, and 0.825 is recorded")
    assert after["a"].minimum == 0.825


def test_only_what_has_fallen_is_lowered_when_it_is_asked_for():
    before = {"a": Recorded(100, 0.9, 0.825), "b": Recorded(100, 0.9, 0.825)}
    after, _ = renew(before, {"a": rate(50, 100), "b": rate(88, 100)}, lower=True)
    assert after["a"].minimum == rate(50, 100).minimum
    assert after["b"].minimum == 0.825


def test_a_rate_that_is_no_longer_measured_has_fallen():
    _, fallen = renew({"a": Recorded(100, 0.9, 0.825)}, {})
    assert fallen == ["a: no longer measured"]


def test_what_is_saved_is_loaded(tmp_path: Path):
    rates = {"a: label": Recorded(3, 0.6667, 0.208), "b": Recorded(10, 1.0, 0.714)}
    save(tmp_path / "rates.json", "danshi 1", "0123", rates)
    assert load(tmp_path / "rates.json") == ("0123", rates)
