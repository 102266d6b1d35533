"""Clauses: where a reader would pause, and before a turn."""

import itertools
import marshal
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import clauses
from models.clauses import _segmenter, split_clauses
from models.text import normalize


def pieces(text: str) -> list[str]:
    normalized = normalize(text)
    return [normalized.text[c.start : c.end] for c in split_clauses(normalized.text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("这部电影不坏，但也不算特别好。", ["这部电影不坏，", "但也不算特别好。"]),
        ("东西好但是贵", ["东西好", "但是贵"]),
        ("虽然有点贵还是会再来", ["虽然有点贵", "还是会再来"]),
        ("价格便宜却好用", ["价格便宜", "却好用"]),
        ("服务员态度却很差", ["服务员态度却很差"]),
        ("好吃就是贵", ["好吃", "就是贵"]),
        ("味道很好  送货慢   不会再买", ["味道很好  ", "送货慢   ", "不会再买"]),
        ("很 好 吃 就 是 贵", ["很 好 吃 就 是 贵"]),
        ("3,999元买的,18:40送到...还行", ["3,999元买的，", "18:40送到...", "还行"]),
        ("江景👍👍马桶堵了", ["江景👍👍", "马桶堵了"]),
        ("我爱❤你们", ["我爱❤你们"]),
        ("苹果、梨、桃都甜", ["苹果、梨、桃都甜"]),
        ("，，，好", ["，，，好"]),
        ("好！！！！！", ["好！！！！！"]),
        ("1.好吃2.便宜3.服务差", ["1.好吃", "2.便宜", "3.服务差"]),
        ("1、位置好 2、房间旧", ["1、位置好 ", "2、房间旧"]),
        ("第1次来，买了2、3次", ["第1次来，", "买了2、3次"]),
        ("味道不错，但是，价格太贵", ["味道不错，", "但是，价格太贵"]),
        ("味道不错，但……贵", ["味道不错，", "但....贵"]),
        ("好吃，不过就是贵", ["好吃，", "不过就是贵"]),
        ("再好不过，下次还来", ["再好不过，", "下次还来"]),
        ("还好，一般", ["还好，", "一般"]),
        ("贵吗？但是！好吃", ["贵吗？", "但是！", "好吃"]),
        ("3~5天到货，50%~60%推荐", ["3~5天到货，", "50%~60%推荐"]),
        ("好吃~下次还来", ["好吃~", "下次还来"]),
        ("屏幕 nice but 电池不行", ["屏幕 nice ", "but 电池不行"]),
    ],
)
def test_a_clause_ends_where_a_reader_pauses_or_turns(text, expected):
    assert pieces(text) == expected


@given(st.text(alphabet="好差，。！ 但是不过虽然却可就是\n😂ab1.…~", min_size=1, max_size=80))
def test_clauses_tile_any_text(text):
    if not text.strip():
        return
    normalized = normalize(text)
    spans = split_clauses(normalized.text)
    assert spans[0].start == 0
    assert spans[-1].end == len(normalized.text)
    assert all(a.end == b.start for a, b in itertools.pairwise(spans))
    assert all(span.start < span.end for span in spans)
    for span in spans:
        if span.mark:
            assert span.start <= span.mark.start < span.mark.end <= span.end


@pytest.mark.parametrize("unit", ["就是", "：。", "我倒走路", "桌子而且", "以为", "好 ", "但是"])
def test_a_long_text_of_anything_is_split_in_a_moment(unit):
    text = normalize(unit * (20_000 // len(unit))).text
    begin = time.perf_counter()
    split_clauses(text)
    assert time.perf_counter() - begin < 5


@given(
    st.lists(
        st.sampled_from([*"不但可是就却倒虽然好还有算以为结果过来去分钱了的吧，。 ", "but", "3a"]),
        min_size=1,
    )
)
def test_segmenting_only_where_it_matters_changes_nothing(parts):
    text = "".join(parts)
    quick = split_clauses(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clauses, "_parts_words", lambda *_: False)
        assert split_clauses(text) == quick


def test_a_text_without_rare_punctuation_is_split_alike_by_the_full_pattern():
    for text in ("好，很好！！ 好", "好~\"，'差", "很好，，，\n。差", "好；差，>）好"):
        plain = split_clauses(text)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(clauses, "_PLAIN_BOUNDARY", clauses._BOUNDARY)
            assert split_clauses(text) == plain


@pytest.fixture
def segmenter_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """jieba as it starts where its cache holds these bytes."""

    def make(cache: bytes):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        (tmp_path / "jieba.cache").write_bytes(cache)
        return _segmenter.__wrapped__()

    return make


def test_the_dictionary_comes_from_the_cache(segmenter_from) -> None:
    segmenter = segmenter_from(marshal.dumps(({"但是": 3, "但": 1}, 4)))
    assert segmenter.total == 4
    assert segmenter.FREQ["但是"] == 3


def test_a_dictionary_beside_the_programs_comes_before_the_temporary_one(
    segmenter_from, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "jieba.cache").write_bytes(marshal.dumps(({"但": 7}, 7)))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "programs"))
    assert segmenter_from(marshal.dumps(({"但": 1}, 1))).total == 7


def test_a_broken_cache_is_built_anew(segmenter_from, tmp_path: Path) -> None:
    segmenter = segmenter_from(marshal.dumps((1, 2, 3)))
    assert len(segmenter.FREQ) > 400_000
    assert marshal.loads((tmp_path / "jieba.cache").read_bytes())[1] == segmenter.total
