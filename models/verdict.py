"""Logits of a text's windows → its label, polarity and clauses."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .agreement import show_both
from .clauses import Mark
from .engine import RowLogits
from .labels import CLAUSE_LABELS, LABELS, RELATIONS, ClauseLabel, Label, Relation
from .relations import read_marks
from .show import as_html, as_text
from .text import NormalizedText
from .tokenizer import Prepared, Row

Floats = NDArray[np.float32]

# The order in which the contract writes scores.
_SHOWN: tuple[tuple[Label, int], ...] = tuple(
    (label, LABELS.index(label)) for label in ("positive", "neutral", "negative", "mixed")
)
_CLAUSE_SHOWN: tuple[tuple[ClauseLabel, int], ...] = tuple(
    (label, CLAUSE_LABELS.index(label)) for label in ("positive", "neutral", "negative")
)
_NEUTRAL = CLAUSE_LABELS.index("neutral")
# A clause of unreadable characters only has no tokens.
_NOTHING_SAID = [float(label == "neutral") for label in CLAUSE_LABELS]
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Temperatures:
    """What makes the scores calibrated: divisors of the logits (Guo et al. 2017), and a bias.

    neutral_clause: added to the neutral logit of a clause behind the division (Alexandari et
        al. 2020). Training takes clauses that nobody annotated for neutral, now and then
        wrongly, so the network says neutral too readily where there is an opinion.
    """

    document: float = 1.0
    leaning: float = 1.0
    clause: float = 1.0
    neutral_clause: float = 0.0


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
class ModelName:
    """Which model said it."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Result:
    """What the classifier says of one text; see the REST contract.

    logits: what `scores` are the softmax of, for who wants another function of
        them: the calibrated logits of the document head.
    """

    label: Label
    scores: dict[Label, float]
    polarity: float
    clauses: tuple[Clause, ...]
    windows: int
    model: ModelName | None = None
    logits: dict[Label, float] = field(default_factory=dict, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON has it."""
        return {
            "label": self.label,
            "scores": self.scores,
            "polarity": self.polarity,
            "clauses": [_clause_dict(clause) for clause in self.clauses],
            "windows": self.windows,
            "model": self.model and {"name": self.model.name, "version": self.model.version},
        }

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return as_html(self)


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


def verdict(
    prepared: Prepared,
    outputs: Sequence[RowLogits],
    heat: Temperatures,
    model: ModelName | None = None,
) -> Result:
    """Put the windows of one text together; `outputs` in the order of `prepared.rows`."""
    lengths = [row.length - 2 for row in prepared.rows]
    weights = [length / sum(lengths) for length in lengths]
    logits = [(o.document / np.float32(heat.document)).tolist() for o in outputs]
    document = _mean([_softmax(window) for window in logits], weights)
    leaning = sum(w * o.leaning for w, o in zip(weights, outputs, strict=True)) / heat.leaning
    scores = {label: document[place] for label, place in _SHOWN}
    label = max(scores, key=scores.__getitem__)
    clauses = clause_scores(prepared, outputs, heat)
    return Result(
        label=label,
        scores={label: round(score, _DIGITS) for label, score in scores.items()},
        polarity=round(math.tanh(leaning / 2), _DIGITS),  # 2 σ(z) - 1
        clauses=_clauses(
            prepared,
            show_both(clauses) if label == "mixed" else clauses,
            relation_logits(prepared, outputs),
        ),
        windows=len(prepared.rows),
        model=model,
        logits=_logits(logits, document, weights),
    )


def _logits(
    windows: Sequence[list[float]], document: Sequence[float], weights: Sequence[float]
) -> dict[Label, float]:
    """One window's own logits; of several, such that their softmax is the mean of the scores."""
    if len(windows) == 1:
        return {label: windows[0][place] for label, place in _SHOWN}
    totals = [math.log(sum(map(math.exp, window))) for window in windows]
    level = sum(w * total for w, total in zip(weights, totals, strict=True))
    return {label: level + math.log(document[place]) for label, place in _SHOWN}


# Plain floats from here on: for a handful of numbers an array costs more than its arithmetic.


def softmax(logits: Floats, temperature: float) -> list[float]:
    """Probabilities of `logits` (labels,)."""
    return _softmax((logits / np.float32(temperature)).tolist())


def _softmax(logits: list[float]) -> list[float]:
    highest = max(logits)
    shares = [math.exp(logit - highest) for logit in logits]
    total = sum(shares)
    return [share / total for share in shares]


def _mean(rows: Sequence[list[float]], weights: Sequence[float]) -> list[float]:
    """The weighted mean, place by place; `weights` sum to 1."""
    if len(rows) == 1:
        return rows[0]
    return [
        sum(w * value for w, value in zip(weights, column, strict=True))
        for column in zip(*rows, strict=True)
    ]


def clause_scores(
    prepared: Prepared, outputs: Sequence[RowLogits], heat: Temperatures
) -> list[list[float]]:
    """Probabilities of every clause's labels; a clause in several windows gets their mean."""
    if len(prepared.rows) == 1:  # nearly always; the rest gives the same, for ten times the work
        scores = [_NOTHING_SAID] * len(prepared.clauses)
        for clause, tokens, said in _said(prepared.rows[0], outputs[0], heat):
            if tokens:
                scores[clause] = _softmax(said)
        return scores
    found: list[list[list[float]]] = [[] for _ in prepared.clauses]
    shares: list[list[int]] = [[] for _ in prepared.clauses]
    for row, output in zip(prepared.rows, outputs, strict=True):
        for clause, tokens, said in _said(row, output, heat):
            if tokens:
                found[clause].append(_softmax(said))
                shares[clause].append(tokens)
    return [
        _mean(windows, [share / sum(tokens) for share in tokens]) if windows else _NOTHING_SAID
        for windows, tokens in zip(found, shares, strict=True)
    ]


def _said(
    row: Row, output: RowLogits, heat: Temperatures
) -> Iterable[tuple[int, int, list[float]]]:
    """For each clause of the window its index, its tokens there, and its logits."""
    logits = output.clauses / np.float32(heat.clause)
    logits[:, _NEUTRAL] += np.float32(heat.neutral_clause)
    return zip(row.clauses, row.clause_tokens, logits.tolist(), strict=True)


_NO_RELATION = (0.0,) * len(RELATIONS)


def relation_logits(prepared: Prepared, outputs: Sequence[RowLogits]) -> list[Sequence[float]]:
    """Relation logits (clauses of the text, 4), from the first window that reads a clause."""
    logits: list[Sequence[float]] = [_NO_RELATION] * len(prepared.clauses)
    for row, output in zip(reversed(prepared.rows), reversed(outputs), strict=True):
        for clause, said in zip(row.clauses, output.relations.tolist(), strict=True):
            logits[clause] = said
    return logits


def _clauses(
    prepared: Prepared,
    scores: Sequence[list[float]],
    relations: Sequence[Sequence[float]],
) -> tuple[Clause, ...]:
    labels = [CLAUSE_LABELS[row.index(max(row))] for row in scores]
    marks = read_marks(prepared.clauses, relations, labels)
    normalized = prepared.normalized
    original = normalized.original
    offset = normalized.original_offset
    clauses = []
    start = 0
    for span, mark, label, row in zip(prepared.clauses, marks, labels, scores, strict=True):
        end = offset(span.end)
        begin, stop = _strip(original, start, end)
        clauses.append(
            Clause(
                text=original[begin:stop],
                start=begin,
                end=stop,
                label=label,
                scores={name: round(row[place], _DIGITS) for name, place in _CLAUSE_SHOWN},
                relation=mark.relation if mark else "none",
                connective=_connective(normalized, mark) if mark else None,
            )
        )
        start = end
    return tuple(clauses)


def _connective(normalized: NormalizedText, mark: Mark) -> Connective:
    start = normalized.original_offset(mark.start)
    # Up to the end of the last character, not to the start of the next visible one.
    end = normalized.original_offset(mark.end - 1) + 1
    return Connective(normalized.original[start:end], start, end)


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """Without the blanks at both ends: every other character stays in a clause."""
    while start < end - 1 and text[start].isspace():
        start += 1
    while end - 1 > start and text[end - 1].isspace():
        end -= 1
    return start, end
