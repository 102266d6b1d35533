"""Rows laid end to end in one sequence of tokens, as the float network takes them.

A token attends to the tokens of its own text only, so texts of all lengths share a pass, nothing
but the end of the sequence is padded, and passes have few shapes (sequence packing: Krell et al.
2021, arXiv 2107.02027).
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .engine import PACKED_INPUT, Floats, RowLogits
from .tokenizer import NO_CLAUSE, Row

# What the packed network takes, in this order. The T of a token, the S of a text, the C of a
# clause: all int64, numbers from 0, `NO_CLAUSE` (-1) for what belongs to none.
INPUTS = (
    "input_ids",  # (T,)
    "position_ids",  # (T,): each token's place in its text
    "text_ids",  # (T,): each token's text
    "clause_ids",  # (T,): each token's clause, counted through the whole sequence
    "clause_opens",  # (T,): as clause_ids, at the first token of each clause only
    PACKED_INPUT,  # clause_texts (C,): each clause's text
    "text_slots",  # (S,): 0 … S - 1
    "clause_slots",  # (C,): 0 … C - 1
)

# Measured with OpenVINO (EXPERIMENTS.md): what a pass gains from being larger ends about here, as
# attention grows with its square.
PASS_TOKENS = 256
# Of texts this short there are enough in a pass to fill it.
_TOKENS_A_TEXT = 8


def most_texts(tokens: int) -> int:
    """How many texts a pass of so many tokens takes at most."""
    return max(tokens // _TOKENS_A_TEXT, 1)


def fill(lengths: Sequence[int], budget: int, most: int) -> Iterator[list[int]]:
    """Cut rows into passes; yields the places of each one's rows, the longest first.

    Best fit: the longest row that is left, then always the longest that still fits into
    `budget` tokens, and at most `most` of them. A row over the budget has a pass of its own.
    """
    waiting = sorted((length, -place) for place, length in enumerate(lengths))
    while waiting:
        length, place = waiting.pop()
        found, space = [-place], budget - length
        while len(found) < most and (index := bisect_right(waiting, (space, 1))):
            length, place = waiting.pop(index - 1)
            found.append(-place)
            space -= length
        yield found


def run_in_passes(
    rows: Sequence[Row],
    budget: int,
    most: int,
    run: Callable[[Sequence[Row]], Sequence[RowLogits]],
) -> list[RowLogits]:
    """Logits of `rows`, in their order, from `run` on the rows of each pass that `fill` makes."""
    found: dict[int, RowLogits] = {}
    for places in fill([row.length for row in rows], budget, most):
        found.update(zip(places, run([rows[i] for i in places]), strict=True))
    return [found[i] for i in range(len(rows))]


def pack(
    rows: Sequence[Row], pad_id: int, *, tokens: int, texts: int, clauses: int
) -> dict[str, NDArray[np.int64]]:
    """The inputs of a pass over `rows`, with room for so many tokens, texts and clauses."""
    inputs = {name: np.full(tokens, NO_CLAUSE, np.int64) for name in INPUTS[:5]}
    inputs["input_ids"][:] = pad_id
    inputs["position_ids"][:] = 0
    inputs[PACKED_INPUT] = np.full(clauses, NO_CLAUSE, np.int64)
    inputs["text_slots"] = np.arange(texts, dtype=np.int64)
    inputs["clause_slots"] = np.arange(clauses, dtype=np.int64)
    members = inputs["clause_ids"]
    begin = clause = 0
    for text, row in enumerate(rows):
        here = slice(begin, begin := begin + row.length)
        inputs["input_ids"][here] = row.token_ids
        inputs["position_ids"][here] = np.arange(row.length)
        inputs["text_ids"][here] = text
        # The opening and the closing token belong to none.
        members[here][1:-1] = row.clause_ids[1:-1] + clause
        inputs[PACKED_INPUT][clause : clause + len(row.clauses)] = text
        clause += len(row.clauses)
    # Clauses follow one another: a token opens one where its predecessor is in another.
    opens = inputs["clause_opens"]
    np.copyto(opens[1:], members[1:], where=members[1:] != members[:-1])
    return inputs


def unpack(rows: Sequence[Row], outputs: Sequence[Floats]) -> list[RowLogits]:
    """The logits of each row from those of the pass, which come in the order of `OUTPUTS`."""
    document, leaning, clauses, relations = outputs
    found = []
    begin = 0
    for text, row in enumerate(rows):
        here = slice(begin, begin := begin + len(row.clauses))
        found.append(
            RowLogits(document[text], float(leaning[text]), clauses[here], relations[here])
        )
    return found
