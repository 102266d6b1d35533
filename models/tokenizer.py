"""Texts → rows of tokens: one row a window, each token with the index of its clause.

A text is read to its end. Clauses are packed into windows of at most
`max_length` tokens, breaking at a sentence end where there is one; a clause
longer than a window runs over several. Nothing is cut.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from .characters import CharacterEncoder
from .clauses import ClauseSpan, split_clauses
from .errors import TextError
from .text import NormalizedText, normalize, spell_out_emoji

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

    @property
    def clause_tokens(self) -> list[int]:
        """How many tokens each of `clauses` has here."""
        places = self.clause_ids.tolist()
        return [places.count(place) for place in range(len(self.clauses))]


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
        self._characters = CharacterEncoder.of(tokenizer)
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
        ids, starts = self._encode(spell_out_emoji(normalized.text))
        if not ids:  # the tokenizer has its own idea of what is no character
            raise TextError("the text holds nothing that can be read")
        edges = [bisect_left(starts, span.start) for span in spans]
        edges.append(len(ids))
        windows = pack_windows(edges, [span.closes for span in spans], self.max_length - 2)
        rows = tuple(self._row(ids, edges, window) for window in windows)
        return Prepared(normalized, tuple(spans), rows, ids.count(self._unknown))

    def _encode(self, text: str) -> tuple[Sequence[int], Sequence[int]]:
        """Token ids, and the offset at which each token starts."""
        if self._characters is not None:
            return self._characters.encode(text)
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return encoding.ids, [start for start, _ in encoding.offsets]

    def _row(self, ids: Sequence[int], edges: Sequence[int], window: "Window") -> Row:
        start, stop = window.start, window.stop
        places = [NO_CLAUSE]
        for place, clause in enumerate(window.clauses):
            places += [place] * (min(edges[clause + 1], stop) - max(edges[clause], start))
        places.append(NO_CLAUSE)
        # From whole lists: an array's slices cost more than its making.
        token_ids = np.array([self._open, *ids[start:stop], self._close], np.int32)
        return Row(token_ids, np.array(places, np.int32), window.clauses)


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


# What the network takes, in this order.
INPUTS = ("input_ids", "attention_mask", "clause_ids", "clause_opens", "clause_slots")


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows padded together, as the network takes them.

    input_ids, attention_mask, clause_ids, clause_opens: int64 (B, T); clause_opens is
    clause_ids at the first token of each clause, else `NO_CLAUSE`. clause_slots: int64 (C,),
    0 … C - 1 for the most clauses that a row of the batch has.
    """

    input_ids: NDArray[np.int64]
    attention_mask: NDArray[np.int64]
    clause_ids: NDArray[np.int64]
    clause_opens: NDArray[np.int64]
    clause_slots: NDArray[np.int64]

    def as_inputs(self, names: Iterable[str] = INPUTS) -> dict[str, NDArray[np.int64]]:
        """The arrays by name; models exported before `clause_opens` was an input do without it."""
        return {name: getattr(self, name) for name in names}


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
    # Clauses follow one another: a token opens one where its predecessor is in another.
    clause_opens = np.full(shape, NO_CLAUSE, np.int64)
    np.copyto(clause_opens[:, 1:], clause_ids[:, 1:], where=clause_ids[:, 1:] != clause_ids[:, :-1])
    places = np.arange(max(len(row.clauses) for row in rows), dtype=np.int64)
    return Batch(input_ids, attention_mask, clause_ids, clause_opens, places)
