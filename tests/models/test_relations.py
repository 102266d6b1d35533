"""The network has the last word on a connective: a turn, or only its look-alike."""

import numpy as np

from models.clauses import split_clauses
from models.labels import RELATIONS
from models.relations import read_marks


def _logits(*said: str) -> np.ndarray:
    return np.array([[4.0 * (name == relation) for name in RELATIONS] for relation in said])


def test_a_mark_stays_where_the_network_reads_the_same_relation():
    clauses = split_clauses("虽然位置偏，但是安静")
    marks = read_marks(clauses, _logits("concession", "contrast"), ["neutral"] * 2)
    assert [mark.relation for mark in marks if mark] == ["concession", "contrast"]


def test_a_mark_goes_where_the_network_reads_none():
    clauses = split_clauses("位置偏，但是安静")
    assert read_marks(clauses, _logits("none", "none"), ["neutral"] * 2) == [None, None]


def test_the_network_alone_marks_nothing():
    clauses = split_clauses("位置偏，安静")
    assert read_marks(clauses, _logits("none", "contrast"), ["neutral"] * 2) == [None, None]


def test_what_only_grants_stands_wherever_the_next_clause_turns():
    clauses = split_clauses("甜是甜，就是贵")
    marks = read_marks(clauses, _logits("none", "contrast"), ["neutral"] * 2)
    assert [mark.relation for mark in marks if mark] == ["concession", "contrast"]
    assert read_marks(clauses, _logits("none", "none"), ["neutral"] * 2) == [None, None]


def test_a_long_word_between_praise_and_blame_turns_whatever_the_network_reads():
    clauses = split_clauses("皮酥肉嫩，唯一的缺点是葱粗")
    none = _logits("none", "none")
    marks = read_marks(clauses, none, ["positive", "negative"])
    assert [mark and mark.relation for mark in marks] == [None, "contrast"]
    assert read_marks(clauses, none, ["negative", "negative"]) == [None, None]


def test_a_word_of_one_character_is_left_to_the_network():
    clauses = split_clauses("位置偏，可旧物多")
    assert clauses[1].mark
    assert read_marks(clauses, _logits("none", "none"), ["negative", "positive"]) == [None, None]


def test_what_grants_stands_before_the_other_side():
    clauses = split_clauses("便宜是便宜，不耐用")
    marks = read_marks(clauses, _logits("none", "none"), ["positive", "negative"])
    assert [mark and mark.relation for mark in marks] == ["concession", None]
