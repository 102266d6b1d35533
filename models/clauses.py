"""Split a text into clauses and find the connectives that relate them.

Works on the normal form (`models.text`): simplified characters, full-width
punctuation. A clause ends at clause punctuation or before a contrast word;
the clauses tile the text.
"""

import logging
import marshal
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jieba

from .connectives import (
    ALL,
    GRANTED,
    GRANTING,
    MAIN_CLAUSE,
    NO_WORDS,
    PAUSED,
    PREDICATE_END,
    Connective,
    Place,
)
from .labels import Relation

CLAUSE_RULES = "v3"

jieba.setLogLevel(logging.WARNING)

_HAN = r"\u3400-\u9fff\uf900-\ufaff"
# Closing quotes, blanks and emoji stay with the clause that they end.
_TRAIL = r"[\s\"'\]）》>*_^=|/\\\-\u2190-\u2bff\U0001f000-\U0001ffff。，！？；~.]*"
_TILDE = r"(?<![0-9%])~|~(?![0-9])"  # not that of 3~5天
_BOUNDARY = re.compile(
    rf"(?:[，。！？；\n]|{_TILDE}|\.\.+|--+|(?<=[{_HAN}])\.(?=[\s{_HAN}]|$)"
    rf"|(?<=[\u2600-\u27bf\U0001f300-\U0001faff])(?=[{_HAN}]))(?:{_TRAIL})"
    rf"|(?<=[{_HAN}]) +(?=[{_HAN}])"
)
# The items of a list on one line, 1.好吃2.便宜, in a text that has a first one.
_FIRST_ITEM = re.compile(r"(?<![\w.])1[.、)）](?![0-9])")
_ITEM_BOUNDARY = re.compile(rf"(?<=[{_HAN}]) *(?=[1-9][0-9]?[.、)）](?![0-9]))|{_BOUNDARY.pattern}")
# Nearly all boundaries are of these few characters; only a text with one of the others
# needs all of the above tried at each of its characters.
_PLAIN_BOUNDARY = re.compile(rf"(?:[，。！？；\n]|{_TILDE}){_TRAIL}")
_OTHER_BOUNDARY = re.compile(r"[ .\-\u2600-\u27bf\U0001f300-\U0001faff]")
_ASKS = re.compile(r"[！？]")
_SENTENCE_END = re.compile(r"[。！？\n]|\.\.+")
_READABLE = re.compile(r"\w")
# A connective before a pause, as people speak, opens the clause behind the pause: 但是，太贵.
_PAUSED = re.compile(rf"\W*(?:{'|'.join(PAUSED)})[呢吧嘛啊]?")
_LEFT_OPEN = re.compile(r"\w(?:但是|但系|但|然而)[呢吧嘛啊]?$")
# The first half of 不是太咸，就是太淡 and 除了慢，就是慢.
_EITHER = re.compile(r"(?:不是(?![说不没我])|除了)[^，。！？；]*，$")
# No reading looks further: the time stays linear in the text.
_CONTEXT = 24
# A concession with its subject, and nothing said of it yet, is no longer than this.
_SUBJECT = 4
_BY_WORD: dict[str, Connective] = {entry.word: entry for entry in ALL}
_CANDIDATE = re.compile(
    # 但系 is Cantonese for 但是, and not in 但系统.
    "|".join(sorted((*_BY_WORD, *MAIN_CLAUSE), key=len, reverse=True)).replace(
        "但系", "但系(?![统列带里主数])"
    )
)
_BEHIND_CONCESSION = {word: Connective(word, "contrast", Place.INSIDE) for word in MAIN_CLAUSE}


@dataclass(frozen=True, slots=True)
class Mark:
    """A connective at [start, end) of the normal form, as the rules propose it.

    `grants`: it is 好是好, the first half of a turn.
    """

    start: int
    end: int
    relation: Relation
    grants: bool = False


@dataclass(frozen=True, slots=True)
class ClauseSpan:
    """A clause at [start, end) of the normal form; `closes` tells that a sentence ends here."""

    start: int
    end: int
    mark: Mark | None
    closes: bool


def split_clauses(text: str) -> list[ClauseSpan]:
    """Split normalised `text` into clauses that tile it, in order."""
    spans: list[ClauseSpan] = []
    conceded = False  # a concession waits for its main clause
    marked = _CANDIDATE.search(text) or any(word in text for word in GRANTING)
    for start, end in _pieces(text):
        closes = _SENTENCE_END.search(text, start, end) is not None
        if not marked:
            spans.append(ClauseSpan(start, end, None, closes))
            continue
        cuts = _cuts(text, start, end, conceded)
        for i, (begin, mark) in enumerate(cuts):
            last = i + 1 == len(cuts)
            finish = end if last else cuts[i + 1][0]
            spans.append(ClauseSpan(begin, finish, mark, closes and last))
        relation = cuts[-1][1].relation if cuts[-1][1] else "none"
        conceded = not closes and (relation == "concession" or (conceded and relation == "none"))
    return spans


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Stretches between clause punctuation; one without readable characters joins the next."""
    # A text that is spaced out word by word does not mean its spaces.
    words = text.split()
    spaced_out = len(words) * 3 > sum(map(len, words))
    start = 0
    readable_from = 0
    boundaries = _BOUNDARY if _OTHER_BOUNDARY.search(text) else _PLAIN_BOUNDARY
    if _FIRST_ITEM.search(text):
        boundaries = _ITEM_BOUNDARY
    for boundary in boundaries.finditer(text):
        blank = text[boundary.start()] == " "
        # A blank or an emoji ends a clause only where one can have been said.
        shortest = 2 if blank else 0 if boundary[0] else 4
        if (blank and spaced_out) or boundary.start() - start < shortest:
            continue
        if not _READABLE.search(text, readable_from, boundary.start()):
            readable_from = boundary.end()
            continue
        if not _READABLE.search(text, boundary.end()):
            break  # only punctuation is left: it belongs to this clause
        if not _ASKS.search(boundary[0]) and _is_left_open(text, start, boundary.start()):
            readable_from = boundary.end()
            continue
        yield start, boundary.end()
        start = readable_from = boundary.end()
    if start < len(text):
        yield start, len(text)


def _is_left_open(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] is, or ends in, a connective for what comes behind the pause."""
    return bool(
        _PAUSED.fullmatch(text, start, end) or _LEFT_OPEN.search(text, max(start, end - 6), end)
    )


def _cuts(text: str, start: int, end: int, conceded: bool) -> list[tuple[int, Mark | None]]:
    """Where the clauses of one piece begin, each with its connective."""
    cuts: list[tuple[int, Mark | None]] = [(start, None)]
    words: set[int] | None = None
    for found in _CANDIDATE.finditer(text, start, end):
        begin, held = cuts[-1]
        entry = _BY_WORD.get(found[0])
        if entry is None:
            conceding = conceded if held is None else held.relation == "concession"
            if not conceding:
                continue
            entry = _BEHIND_CONCESSION[found[0]]
        if held and not _READABLE.search(text, held.end, found.start()):
            continue  # 不过就是贵 turns once
        before = text[max(begin, found.start() - _CONTEXT) : found.start()]
        if _only_stresses(entry.word, text, begin, found):
            continue
        if not entry.fits(before, text[found.end() : found.end() + _CONTEXT]):
            continue
        edges: tuple[int, ...] = found.span()
        if entry.at_head is not None and found.start() == begin:
            edges = (begin,)  # jieba sees 可用 and 可比 as words, also where 可 begins a clause
        if words is None and not all(_parts_words(text, edge, start, end) for edge in edges):
            words = _word_edges(text, start, end)
        if words is not None and not words.issuperset(edges):
            continue
        mark = Mark(found.start(), found.end(), entry.relation)
        if not _READABLE.search(text, begin, found.start()):
            cuts[-1] = (begin, mark) if held is None else cuts[-1]
        elif _splits(entry, before, held):
            cuts.append((found.start(), mark))
        elif entry.place is Place.INSIDE or (
            entry.place is Place.ANYWHERE and entry.relation != "contrast"
        ):
            cuts[-1] = (begin, mark) if held is None else cuts[-1]
    if cuts[0][1] is None and (
        granted := GRANTED.search(text, start, cuts[1][0] if len(cuts) > 1 else end)
    ):
        cuts[0] = (start, Mark(granted.start(), granted.end(), "concession", grants=True))
    return cuts


def _only_stresses(word: str, text: str, begin: int, found: re.Match[str]) -> bool:
    """Whether 倒 grants as in 便宜倒便宜, or 就是 is that of 好吃就是好吃 or 不是太咸，就是太淡."""
    if word != "就是":
        return word in GRANTING and _repeats(text, *found.span())
    either = found.start() == begin and _EITHER.search(text, max(0, begin - _CONTEXT), begin)
    return bool(either) or _repeats(text, *found.span())


def _repeats(text: str, start: int, end: int) -> bool:
    """Whether what precedes text[start:end] is said again behind it."""
    return any(
        text[start - n : start] == text[end : end + n] and text[end : end + n].isalnum()
        for n in (1, 2, 3)
        if n <= start
    )


def _splits(entry: Connective, before: str, held: Mark | None) -> bool:
    """Whether the word starts a clause of its own in the middle of a stretch."""
    if entry.place is Place.HEAD or len(before) < (1 if entry.word in ("但", "但是") else 2):
        return False
    if entry.relation == "contrast" and not entry.open and entry.place is Place.ANYWHERE:
        return True
    behind_concession = (
        held is not None
        and held.relation == "concession"
        and entry.relation == "contrast"
        # 虽说进度还是偏赶 and 尽管电视还是大屁股 have said their subject only.
        and (entry.word not in _BEHIND_CONCESSION or len(before) > _SUBJECT)
    )
    return behind_concession or PREDICATE_END.search(before) is not None


@cache
def _segmenter() -> jieba.Tokenizer:
    """jieba with its dictionary loaded once."""
    segmenter = jieba.Tokenizer()
    # jieba reads its cached dictionary a byte at a time, 1.2 s; in one piece it is 0.3 s.
    # The image has one beside its programs; elsewhere jieba leaves one among temporary files.
    for folder in (sys.prefix, tempfile.gettempdir()):
        with suppress(Exception):  # missing, cut off, of another Python: jieba builds it anew
            cached = (Path(folder) / "jieba.cache").read_bytes()
            segmenter.FREQ, segmenter.total = marshal.loads(cached)
            segmenter.initialized = True
            break
    segmenter.initialize()
    for rare in NO_WORDS:
        segmenter.del_word(rare)
    return segmenter


@cache
def _longest_word() -> int:
    return max(map(len, _segmenter().FREQ))


def _parts_words(text: str, offset: int, start: int, end: int) -> bool:
    """Whether no word of jieba's dictionary lies across `offset` in text[start:end].

    Then every segmentation has an edge there, and finding the best one, which
    costs more than all the rest of this file, can be left out.
    """
    if offset in (start, end):
        return True
    before, after = text[offset - 1], text[offset]
    if before.isascii() and after.isascii():  # jieba joins letters and digits
        return False
    # The dictionary holds every beginning of its words too.
    known = _segmenter().FREQ
    first = max(start, offset - _longest_word())
    return not any(text[i : offset + 1] in known for i in range(first, offset))


def _word_edges(text: str, start: int, end: int) -> set[int]:
    """The offsets at which jieba sees a word begin or end."""
    edges = {start}
    position = start
    for word in _segmenter().cut(text[start:end], HMM=False):
        position += len(word)
        edges.add(position)
    return edges
