"""Texts → rows of tokens: one row a window, each token with the index of its clause.

A text is read to its end. Clauses are packed into windows of at most
`max_length` tokens, breaking at a sentence end where there is one; a clause
longer than a window runs over several. Nothing is cut.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.clauses import ClauseSpan, split_clauses
from models.errors import TextError
from models.text import NormalizedText, normalize, spell_out_emoji

NO_CLAUSE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One window.

    token_ids: int32 (T,), with the opening and closing special token.
    clause_ids: int32 (T,), the place of each token's clause in `clauses`,
        `NO_CLAUSE` for special tokens.
    clauses: the indices, within the text, of the clauses that the window reads.
    """

    token_ids: NDArray[np.int32]
    clause_ids: NDArray[np.int32]
    clauses: tuple[int, ...]

    @property
    def length(self) -> int:
        return len(self.token_ids)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A text on its way to the engine."""

    normalized: NormalizedText
    clauses: tuple[ClauseSpan, ...]
    rows: tuple[Row, ...]
    unknown_tokens: int

    @property
    def token_count(self) -> int:
        return sum(row.length for row in self.rows)


class TextTokenizer:
    """The tokenizer of one model. Thread-safe."""

    def __init__(self, tokenizer: Tokenizer, max_length: int) -> None:
        if max_length < 8:
            raise ValueError(f"max_length must be at least 8, not {max_length}")
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self.max_length = max_length
        self._open, self._close, self.pad_id, self._unknown = _special_ids(tokenizer)

    @classmethod
    def load(cls, file: Path, max_length: int) -> "TextTokenizer":
        return cls(Tokenizer.from_file(str(file)), max_length)

    def prepare(self, text: str) -> Prepared:
        """Normalise, split and tokenise one text.

        Raises:
            TextError: the text is blank or not valid Unicode.
        """
        normalized = normalize(text)
        spans = split_clauses(normalized.text)
        encoding = self._tokenizer.encode(
            spell_out_emoji(normalized.text), add_special_tokens=False
        )
        ids = encoding.ids
        if not ids:  # the tokenizer has its own idea of what is no character
            raise TextError("the text holds nothing that can be read")
        starts = [start for start, _ in encoding.offsets]
        edges = [bisect_left(starts, span.start) for span in spans]
        edges.append(len(ids))
        windows = pack_windows(edges, [span.closes for span in spans], self.max_length - 2)
        rows = tuple(self._row(ids, edges, window) for window in windows)
        return Prepared(normalized, tuple(spans), rows, ids.count(self._unknown))

    def _row(self, ids: list[int], edges: list[int], window: "Window") -> Row:
        length = window.stop - window.start + 2
        token_ids = np.empty(length, np.int32)
        token_ids[0], token_ids[-1] = self._open, self._close
        token_ids[1:-1] = ids[window.start : window.stop]
        clause_ids = np.full(length, NO_CLAUSE, np.int32)
        for place, clause in enumerate(window.clauses):
            begin = max(edges[clause], window.start) - window.start + 1
            end = min(edges[clause + 1], window.stop) - window.start + 1
            clause_ids[begin:end] = place
        return Row(token_ids, clause_ids, window.clauses)


def _special_ids(tokenizer: Tokenizer) -> tuple[int, int, int, int]:
    """Ids of the opening, closing, padding and unknown token, as BERT or XLM-R name them."""
    for names in (("[CLS]", "[SEP]", "[PAD]", "[UNK]"), ("<s>", "</s>", "<pad>", "<unk>")):
        found = [number for name in names if (number := tokenizer.token_to_id(name)) is not None]
        if len(found) == len(names):
            opening, closing, padding, unknown = found
            return opening, closing, padding, unknown
    raise ValueError("the tokenizer has neither BERT's nor XLM-R's special tokens")


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens [start, stop) of a text and the clauses among them."""

    start: int
    stop: int
    clauses: tuple[int, ...]


def pack_windows(edges: Sequence[int], closes: Sequence[bool], capacity: int) -> Iterator[Window]:
    """Pack clauses into windows of at most `capacity` tokens.

    Clause i is tokens [edges[i], edges[i + 1]); `closes[i]` tells that a
    sentence ends with it. Sentences stay whole where they fit a window.
    """
    start, clauses = edges[0], list[int]()
    sentence = 0  # how many of `clauses` belong to ended sentences
    for clause, (begin, end) in enumerate(pairwise(edges)):
        while end - start > capacity:
            # Close before the running sentence, else before this clause, else within it.
            keep = sentence or len(clauses)
            if keep:
                stop = edges[clauses[keep - 1] + 1]
                yield Window(start, stop, tuple(clauses[:keep]))
                start, clauses = stop, clauses[keep:]
            else:
                yield Window(start, start + capacity, (clause,))
                start += capacity
            sentence = 0
        if end > max(begin, start) or not clauses:
            clauses.append(clause)
        if closes[clause]:
            sentence = len(clauses)
    if clauses:
        yield Window(start, edges[-1], tuple(clauses))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows padded together, as the network takes them.

    input_ids, attention_mask, clause_ids: int64 (B, T); clause_slots: int64 (C,),
    0 … C - 1 for the most clauses that a row of the batch has.
    """

    input_ids: NDArray[np.int64]
    attention_mask: NDArray[np.int64]
    clause_ids: NDArray[np.int64]
    clause_slots: NDArray[np.int64]

    def as_inputs(self) -> dict[str, NDArray[np.int64]]:
        return {
            "input_ids": self.input_ids,
            "attention_mask": self.attention_mask,
            "clause_ids": self.clause_ids,
            "clause_slots": self.clause_slots,
        }


def collate(rows: Sequence[Row], pad_id: int) -> Batch:
    """Pad `rows` to the longest of them."""
    shape = len(rows), max(row.length for row in rows)
    input_ids = np.full(shape, pad_id, np.int64)
    attention_mask = np.zeros(shape, np.int64)
    clause_ids = np.full(shape, NO_CLAUSE, np.int64)
    for i, row in enumerate(rows):
        input_ids[i, : row.length] = row.token_ids
        attention_mask[i, : row.length] = 1
        clause_ids[i, : row.length] = row.clause_ids
    slots = np.arange(max(len(row.clauses) for row in rows), dtype=np.int64)
    return Batch(input_ids, attention_mask, clause_ids, slots)
