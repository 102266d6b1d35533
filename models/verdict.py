"""Logits of a text's windows → its label, polarity and clauses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.clauses import ClauseSpan, Mark
from models.engine import RowLogits
from models.labels import CLAUSE_LABELS, LABELS, RELATIONS, ClauseLabel, Label, Relation
from models.tokenizer import Prepared

Floats = NDArray[np.float64]

# The order in which the contract writes scores.
_SHOWN: tuple[Label, ...] = ("positive", "neutral", "negative", "mixed")
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Temperatures:
    """Divisors of the logits that make the scores calibrated (Guo et al. 2017)."""

    document: float = 1.0
    leaning: float = 1.0
    clause: float = 1.0


@dataclass(frozen=True, slots=True)
class Connective:
    """The word that marks a clause's relation, at [start, end) of the text as sent."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause, at [start, end) code points of the text as sent."""

    text: str
    start: int
    end: int
    label: ClauseLabel
    scores: dict[ClauseLabel, float]
    relation: Relation
    connective: Connective | None


@dataclass(frozen=True, slots=True)
class Result:
    """What the classifier says of one text; see the REST contract."""

    label: Label
    scores: dict[Label, float]
    polarity: float
    clauses: tuple[Clause, ...]
    windows: int

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON has it, without the model."""
        return {
            "label": self.label,
            "scores": self.scores,
            "polarity": self.polarity,
            "clauses": [_clause_dict(clause) for clause in self.clauses],
            "windows": self.windows,
        }


def _clause_dict(clause: Clause) -> dict[str, Any]:
    mark = clause.connective
    return {
        "text": clause.text,
        "start": clause.start,
        "end": clause.end,
        "label": clause.label,
        "scores": clause.scores,
        "relation": clause.relation,
        "connective": mark and {"text": mark.text, "start": mark.start, "end": mark.end},
    }


def verdict(prepared: Prepared, outputs: Sequence[RowLogits], heat: Temperatures) -> Result:
    """Put the windows of one text together; `outputs` in the order of `prepared.rows`."""
    weights = np.array([row.length - 2 for row in prepared.rows], np.float64)
    weights /= weights.sum()
    document = weights @ softmax(np.stack([o.document for o in outputs]) / heat.document)
    leaning = weights @ np.array([o.leaning for o in outputs], np.float64) / heat.leaning
    scores = {label: float(document[LABELS.index(label)]) for label in _SHOWN}
    return Result(
        label=max(scores, key=scores.__getitem__),
        scores={label: round(score, _DIGITS) for label, score in scores.items()},
        polarity=round(float(np.tanh(leaning / 2)), _DIGITS),  # 2 σ(z) - 1
        clauses=_clauses(
            prepared,
            clause_scores(prepared, outputs, heat.clause),
            relation_logits(prepared, outputs),
        ),
        windows=len(prepared.rows),
    )


def softmax(logits: NDArray[Any]) -> Floats:
    """Probabilities over the last axis."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(-1, keepdims=True))


def clause_scores(prepared: Prepared, outputs: Sequence[RowLogits], temperature: float) -> Floats:
    """Probabilities (clauses of the text, 3); a clause in several windows gets their mean."""
    total = np.zeros((len(prepared.clauses), len(CLAUSE_LABELS)))
    for row, output in zip(prepared.rows, outputs, strict=True):
        share = np.bincount(row.clause_ids[row.clause_ids >= 0], minlength=len(row.clauses))
        total[list(row.clauses)] += softmax(output.clauses / temperature) * share[:, None]
    # A clause of unreadable characters only has no tokens: nothing is said in it.
    empty = total.sum(-1) == 0
    total[empty, CLAUSE_LABELS.index("neutral")] = 1.0
    return np.asarray(total / total.sum(-1, keepdims=True))


def relation_logits(prepared: Prepared, outputs: Sequence[RowLogits]) -> Floats | None:
    """Relation logits (clauses of the text, 4), from the first window that reads a clause."""
    logits = np.zeros((len(prepared.clauses), len(RELATIONS)))
    for row, output in zip(reversed(prepared.rows), reversed(outputs), strict=True):
        if output.relations is None:
            return None
        logits[list(row.clauses)] = output.relations
    return logits


def _clauses(prepared: Prepared, scores: Floats, relations: Floats | None) -> tuple[Clause, ...]:
    labels = [CLAUSE_LABELS[i] for i in scores.argmax(-1)]
    if relations is None:
        marks = resolve_marks(prepared.clauses, labels)
    else:
        marks = read_marks(prepared.clauses, relations)
    normalized = prepared.normalized
    original = normalized.original
    clauses = []
    for i, span in enumerate(prepared.clauses):
        start = normalized.original_offset(span.start) if i else 0
        end = normalized.original_offset(span.end)
        start, end = _strip(original, start, end)
        mark = marks[i]
        connective = None
        if mark is not None:
            begin = normalized.original_offset(mark.start)
            # Up to the end of the last character, not to the start of the next visible one.
            stop = normalized.original_offset(mark.end - 1) + 1
            connective = Connective(original[begin:stop], begin, stop)
        clauses.append(
            Clause(
                text=original[start:end],
                start=start,
                end=end,
                label=labels[i],
                scores={
                    name: round(float(scores[i, CLAUSE_LABELS.index(name)]), _DIGITS)
                    for name in ("positive", "neutral", "negative")
                },
                relation=mark.relation if mark else "none",
                connective=connective,
            )
        )
    return tuple(clauses)


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """Without the blanks at both ends: every other character stays in a clause."""
    while start < end - 1 and text[start].isspace():
        start += 1
    while end - 1 > start and text[end - 1].isspace():
        end -= 1
    return start, end


_SIGN: dict[ClauseLabel, int] = {"positive": 1, "neutral": 0, "negative": -1}


_NONE = RELATIONS.index("none")


def read_marks(clauses: Sequence[ClauseSpan], relations: Floats) -> list[Mark | None]:
    """Keep a mark where the network reads the word as the rules do, not as a look-alike."""
    return [
        mark if mark and logits[RELATIONS.index(mark.relation)] > logits[_NONE] else None
        for mark, logits in zip((c.mark for c in clauses), relations, strict=True)
    ]


def resolve_marks(
    clauses: Sequence[ClauseSpan], labels: Sequence[ClauseLabel]
) -> list[Mark | None]:
    """Keep a mark that is open only where the clauses really oppose each other.

    没想到 joins 难吃 with 更难吃 as well as with 好吃: the word alone does not tell.
    """
    marks = [clause.mark for clause in clauses]
    signs = [_SIGN[label] for label in labels]
    for i, mark in enumerate(marks):
        if mark is None or not mark.open:
            continue
        if mark.relation == "concession":
            following = next((s for s in signs[i + 1 :] if s), 0)
            turn = i + 1 < len(marks) and marks[i + 1]
            keeps = signs[i] * following < 0 or bool(turn and turn.relation == "contrast")
        else:
            preceding = next((s for s in reversed(signs[:i]) if s), 0)
            behind = marks[i - 1] if i else None
            conceded = behind is not None and behind.relation == "concession"
            # Behind a bare fact only an upset expectation turns: 特意加急，结果三天才到.
            upset = i > 0 and not preceding and signs[i] != 0 and mark.upsets
            keeps = conceded or upset or signs[i] * preceding < 0
        if not keeps:
            marks[i] = None
    return marks
