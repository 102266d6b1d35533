"""The classifier on real and on ugly text: the contract's shape, whatever comes."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import Classifier, Result, TextError

UGLY = [
    "这部电影不坏，但也不算特别好。",
    "😂😂😂👍🏻❤️",
    "e\u0301cole 的课很好\u200d，但👨‍👩‍👧‍👦家庭票贵",
    "這間酒店好靚,但係啲職員好黑面",
    "ＦＵＬＬ　ＷＩＤＴＨ　很好！！！",
    "wifi很快but空调坏了lol",
    "没有标点的一句话一直说一直说就是停不下来但是还行",
    "…………",
    "?",
    "\n\n 好 \t\n坏\r\n",
    "100%好评~~~~\\(^o^)/",
    "𠮷野家的牛肉飯不錯",
    "ﷺ好㍿",
    "\x00\x07好\x1b[31m",
    "[CLS][SEP][PAD] 很好 [MASK]",
    "好" * 3000,
    "好，坏。" * 2000,
    "a" * 500,
]


def check(text: str, result: Result) -> None:
    """What the contract promises of every result."""
    assert result.label == max(result.scores, key=result.scores.__getitem__)
    assert math.isclose(sum(result.scores.values()), 1, abs_tol=1e-5)
    assert -1 <= result.polarity <= 1
    covered = set()
    end = 0
    for clause in result.clauses:
        assert clause.start >= end
        assert clause.end > clause.start
        assert clause.text == text[clause.start : clause.end]
        assert clause.label == max(clause.scores, key=clause.scores.__getitem__)
        assert math.isclose(sum(clause.scores.values()), 1, abs_tol=1e-5)
        assert (clause.relation == "none") == (clause.connective is None)
        if mark := clause.connective:
            assert clause.start <= mark.start < mark.end <= clause.end
            assert mark.text == text[mark.start : mark.end]
        covered |= set(range(clause.start, clause.end))
        end = clause.end
    assert {i for i, c in enumerate(text) if not c.isspace()} <= covered


@pytest.mark.parametrize("text", UGLY, ids=range(len(UGLY)))
def test_offsets_and_tiling_hold_on_ugly_text(released: Classifier, text):
    check(text, released.classify(text))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80))
def test_offsets_and_tiling_hold_on_any_text(released: Classifier, text):
    try:
        result = released.classify(text)
    except TextError:
        return
    check(text, result)


def test_the_sentence_that_started_it_is_read_as_a_reader_reads_it(released: Classifier):
    result = released.classify("这部电影不坏，但也不算特别好。")
    first, second = result.clauses
    assert result.label == "mixed"
    assert result.polarity < 0
    assert (first.text, first.label, first.relation) == ("这部电影不坏，", "positive", "none")
    assert (second.label, second.relation) == ("negative", "contrast")
    assert second.connective is not None
    assert (second.connective.text, second.connective.start, second.connective.end) == ("但", 7, 8)


def test_the_sentence_that_started_it_leans_only_a_little(released: Classifier):
    assert -0.9 < released.classify("这部电影不坏，但也不算特别好。").polarity < 0


def test_a_turn_is_told_with_its_clauses_its_word_and_its_side(released: Classifier):
    result = released.classify("房间很干净，但是隔音太差了。")
    first, second = result.clauses
    assert result.label == "mixed"
    assert result.polarity < 0
    assert (first.text, first.label, first.relation) == ("房间很干净，", "positive", "none")
    assert (second.label, second.relation) == ("negative", "contrast")
    assert second.connective is not None
    assert (second.connective.text, second.connective.start, second.connective.end) == (
        "但是",
        6,
        8,
    )


def test_turning_a_sentence_around_turns_the_side_that_wins(released: Classifier):
    blamed = released.classify("房间很干净，但是隔音太差了。")
    praised = released.classify("隔音太差了，但是房间很干净。")
    assert blamed.label == praised.label == "mixed"
    assert blamed.polarity < praised.polarity


def test_traditional_characters_mean_the_same(released: Classifier):
    simplified = released.classify("房间很干净，但是隔音太差了。")
    traditional = released.classify("房間很乾淨，但是隔音太差了。")
    assert simplified.label == traditional.label
    assert [c.label for c in simplified.clauses] == [c.label for c in traditional.clauses]
    assert traditional.clauses[0].text == "房間很乾淨，"


def test_the_end_of_a_long_review_counts(released: Classifier):
    good = "房间很干净，早餐也不错，服务员很热情。" * 30
    bad = "可是半夜漏水，没人管，太差了，绝对不会再来。" * 30
    assert released.classify(good).polarity > 0.5
    both = released.classify(good + bad)
    assert both.windows > 1
    assert both.polarity < released.classify(good).polarity - 0.3


def test_golden_texts_come_out_as_at_release(released: Classifier):
    released.check_golden()
