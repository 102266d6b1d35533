"""Which of the connectives that the rules propose mark a relation."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .clauses import ClauseSpan, Mark
from .labels import RELATIONS, ClauseLabel

_NONE = RELATIONS.index("none")


def read_marks(
    clauses: Sequence[ClauseSpan],
    relations: Sequence[Sequence[float]] | NDArray[np.float32],
    labels: Sequence[ClauseLabel],
) -> list[Mark | None]:
    """Keep a mark where the network reads the word as the rules do, not as a look-alike.

    Where the sides of the clauses tell the turn, it stands: a word of two characters or more
    between praise and blame turns, and 好是好 grants before the other side, or before a turn.
    """
    marks = [
        mark if mark and logits[RELATIONS.index(mark.relation)] > logits[_NONE] else None
        for mark, logits in zip((c.mark for c in clauses), relations, strict=True)
    ]
    for i, (label, following) in enumerate(pairwise(labels)):
        opposed = {label, following} == {"positive", "negative"}
        turn = clauses[i + 1].mark
        if opposed and turn and turn.relation == "contrast" and turn.end - turn.start > 1:
            marks[i + 1] = turn
        grant, kept = clauses[i].mark, marks[i + 1]
        if grant and grant.grants and (opposed or (kept and kept.relation == "contrast")):
            marks[i] = grant
    return marks
