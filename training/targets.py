"""Examples → what the network is to say: document, leaning and clause targets.

Each row teaches only what its source knows. A binary set does not know `mixed`,
so its label is a set of labels the text may have, with weights; the loss is the
partial-label likelihood of Cour et al. 2011, -log Σ w·p.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.clauses import ClauseSpan
from models.labels import CLAUSE_LABELS, LABELS, RELATIONS
from models.tokenizer import NO_CLAUSE, Prepared, Row, TextTokenizer
from training.config import Source
from training.data import Example, Span

IGNORED = -100
# In characters: of a longer text the last turn is but a part.
_SHORT = 40


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRow:
    """One window with its targets.

    document: weights of the four labels (4,), all 0 where unknown.
    leaning: share of the favourable side, or nan.
    clauses: label of each of the row's clauses, `IGNORED` where unknown.
    clause_weights: how far each clause label is to be believed.
    relations: relation of each of the row's clauses, `IGNORED` where unknown.
    weight: how much the row counts.
    """

    row: Row
    document: NDArray[np.float32]
    leaning: float
    leaning_weight: float
    clauses: list[int]
    clause_weights: list[float]
    relations: list[int]
    weight: float

    @property
    def length(self) -> int:
        return self.row.length


def training_row(
    example: Example, source: Source, tokenizer: TextTokenizer, mixed_leaning: float = 1.0
) -> TrainingRow:
    """Tokenise `example` into one window and work out its targets."""
    prepared = tokenizer.prepare(example.text)
    row = shorten(prepared, tokenizer.max_length)
    labels, weights = clause_targets(example, source, prepared)
    relations = relation_targets(example, prepared)
    leaning, leaning_weight = _leaning(example, source, prepared, labels)
    if example.label == "mixed":  # of the side that wins; nan stays nan
        leaning = 0.5 + (2 * mixed_leaning - 1) * (leaning - 0.5)
    return TrainingRow(
        row=row,
        document=_document(example, source),
        leaning=leaning,
        leaning_weight=leaning_weight,
        clauses=[labels[i] for i in row.clauses],
        clause_weights=[weights[i] for i in row.clauses],
        relations=[relations[i] for i in row.clauses],
        weight=source.loss_weight,
    )


def shorten(prepared: Prepared, max_length: int) -> Row:
    """One window of a long text: its beginning and its end, where verdicts stand."""
    if len(prepared.rows) == 1:
        return prepared.rows[0]
    ids = np.concatenate([row.token_ids[1:-1] for row in prepared.rows])
    clauses = np.concatenate(
        [np.asarray(row.clauses)[row.clause_ids[1:-1]] for row in prepared.rows]
    )
    capacity = max_length - 2
    tail = capacity // 3
    keep = np.r_[0 : capacity - tail, len(ids) - tail : len(ids)]
    kept, local = np.unique(clauses[keep], return_inverse=True)
    opening, closing = prepared.rows[0].token_ids[[0, -1]]
    special = [NO_CLAUSE]
    return Row(
        token_ids=np.concatenate(([opening], ids[keep], [closing])).astype(np.int32),
        clause_ids=np.concatenate((special, local, special)).astype(np.int32),
        clauses=tuple(int(i) for i in kept),
    )


def _document(example: Example, source: Source) -> NDArray[np.float32]:
    target = np.zeros(len(LABELS), np.float32)
    if example.label is not None and source.teaches_document:
        target[LABELS.index(example.label)] = 1.0
        if example.label in ("positive", "negative"):
            target[LABELS.index("mixed")] = source.mixed_allowance or 0.0
    return target


def clause_targets(
    example: Example, source: Source, prepared: Prepared
) -> tuple[list[int], list[float]]:
    """Label and weight for each clause of the whole text."""
    labels = [IGNORED] * len(prepared.clauses)
    weights = [0.0] * len(prepared.clauses)
    if example.spans is not None:
        for i, clause in enumerate(prepared.clauses):
            found = {span.polarity for span in example.spans if _overlaps(span, clause, prepared)}
            if len(found) == 1:
                labels[i], weights[i] = CLAUSE_LABELS.index(found.pop()), 1.0
            elif not found:
                labels[i] = CLAUSE_LABELS.index("neutral")
                weights[i] = source.unannotated_weight
    elif len(labels) == 1 and example.label in CLAUSE_LABELS:
        labels[0], weights[0] = CLAUSE_LABELS.index(example.label), source.single_clause_weight
    return labels, weights


def relation_targets(example: Example, prepared: Prepared) -> list[int]:
    """Relation of each clause of the whole text, where a reader marked the connectives."""
    marked = example.meta.get("connectives")
    if marked is None:
        return [IGNORED] * len(prepared.clauses)
    relations = [RELATIONS.index("none")] * len(prepared.clauses)
    ends = [prepared.normalized.original_offset(clause.end) for clause in prepared.clauses]
    for connective in reversed(marked):  # the first of a clause has the last word
        place = next(i for i, end in enumerate(ends) if connective["start"] < end)
        relations[place] = RELATIONS.index(connective["relation"])
    return relations


def _overlaps(span: Span, clause: ClauseSpan, prepared: Prepared) -> bool:
    """Whether a good part of the opinion, or of the clause, is in the other."""
    start = prepared.normalized.original_offset(clause.start)
    end = prepared.normalized.original_offset(clause.end)
    shared = min(span.end, end) - max(span.start, start)
    return shared > 0 and shared * 3 >= min(span.end - span.start, end - start)


def _leaning(
    example: Example, source: Source, prepared: Prepared, labels: Sequence[int]
) -> tuple[float, float]:
    short = len(example.text) <= _SHORT
    if short and not source.sided_turns and _turns(prepared.clauses):
        return float("nan"), 0.0
    if example.leaning is not None:
        return example.leaning, 1.0
    if example.label != "mixed":
        return float("nan"), 0.0
    side = contrast_side(prepared.clauses, labels)
    # A rule's word counts for less than a reader's.
    return (float("nan"), 0.0) if side is None else (side, 0.5)


def contrast_side(clauses: Sequence[ClauseSpan], labels: Sequence[int]) -> float | None:
    """Which side wins by the rule: what follows the last turn, or None without a turn.

    1.0 for the favourable side, 0.0 for the unfavourable; after a concession the
    main clause wins ("A-but-B", Hu et al. 2016).
    """
    sides = {CLAUSE_LABELS.index("positive"): 1.0, CLAUSE_LABELS.index("negative"): 0.0}
    turns = _turns(clauses)
    if not turns:
        return None
    after = [sides[label] for label in labels[turns[-1] :] if label in sides]
    return after[0] if after else None


def _turns(clauses: Sequence[ClauseSpan]) -> list[int]:
    """The clauses that the rules mark as a turn."""
    return [i for i, c in enumerate(clauses) if c.mark and c.mark.relation == "contrast"]
