"""Figures of quality from what was expected and what was said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from models import Clause, Result
from models.labels import LABELS, Label
from training.data import Example, Span

ECE_BINS = 15


@dataclass(frozen=True, slots=True)
class Said:
    """An example and what the model said of it."""

    example: Example
    result: Result


def scores(said: Sequence[Said]) -> dict[str, Any]:
    """All figures that the labels of one set allow.

    A set with `mixed` among its labels is scored four-way; one without, by the
    side that wins: it never asked for more.
    """
    figures: dict[str, Any] = {"texts": len(said)}
    labels = {s.example.label for s in said}
    if "mixed" in labels:
        figures |= label_scores(said)
    elif "neutral" in labels:
        figures |= label_scores(said, without_mixed=True)
    figures |= side_scores(said)
    figures |= clause_scores(said)
    figures["called_mixed"] = _share(s.result.label == "mixed" for s in said)
    plain = [s for s in said if s.example.label in ("positive", "negative")]
    if plain:
        figures["plain_called_mixed"] = _share(s.result.label == "mixed" for s in plain)
    return figures


def main_figure(figures: dict[str, Any]) -> float:
    """The one figure by which a set is compared: label accuracy, or side accuracy."""
    return float(figures.get("accuracy", figures.get("side_accuracy", 0.0)))


def label_scores(said: Sequence[Said], *, without_mixed: bool = False) -> dict[str, Any]:
    """Accuracy, macro-F1, per class and calibration of the label.

    without_mixed: the set has no such label; a text called mixed counts for its side.
    """
    known = [s for s in said if s.example.label is not None]
    names = [label for label in LABELS if not (without_mixed and label == "mixed")]
    expected = [str(s.example.label) for s in known]
    found = [_unmixed(s.result) if without_mixed else s.result.label for s in known]
    precision, recall, f1, count = precision_recall_fscore_support(
        expected, found, labels=names, zero_division=0.0
    )
    right = np.array([e == f for e, f in zip(expected, found, strict=True)])
    confidence = np.array(
        [
            s.result.scores[f]
            + (s.result.scores["mixed"] if without_mixed and f != "neutral" else 0)
            for s, f in zip(known, found, strict=True)
        ]
    )
    return {
        "accuracy": float(right.mean()),
        "macro_f1": float(f1[count > 0].mean()),
        "label_ece": calibration_error(confidence, right),
        "label_ece_by_chance": calibration_error_by_chance(confidence),
        "classes": {
            name: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "texts": int(count[i]),
            }
            for i, name in enumerate(names)
        },
        "confusion": confusion_matrix(expected, found, labels=names).tolist(),
        "confusion_labels": names,
    }


def _unmixed(result: Result) -> Label:
    if result.label != "mixed":
        return result.label
    return "positive" if result.polarity >= 0 else "negative"


def side_scores(said: Sequence[Said]) -> dict[str, Any]:
    """Accuracy of the side that wins (the sign of polarity), and its calibration."""
    sided = [(s, hit) for s in said if (hit := side_right(s)) is not None]
    if not sided:
        return {}
    right = np.array([hit for _, hit in sided])
    confidence = np.array([(1 + abs(s.result.polarity)) / 2 for s, _ in sided])
    return {
        "sided_texts": len(sided),
        "side_accuracy": float(right.mean()),
        "side_ece": calibration_error(confidence, right),
    }


def side_right(said: Said) -> bool | None:
    """Whether the side that wins is the labelled one; None where there is no such side."""
    if said.example.leaning not in (0.0, 1.0):
        return None
    return (said.result.polarity >= 0) == (said.example.leaning == 1.0)


def clause_scores(said: Sequence[Said]) -> dict[str, Any]:
    """Polarity accuracy of annotated spans, each against the clause that it lies in most."""
    right: list[bool] = []
    contrasted: list[bool] = []
    for s in said:
        turns = any(c.relation == "contrast" for c in s.result.clauses)
        hits = clauses_right(s)
        right += hits
        if turns:
            contrasted += hits
    figures: dict[str, Any] = {}
    if right:
        figures |= {"spans": len(right), "clause_accuracy": float(np.mean(right))}
    if contrasted:
        figures |= {
            "contrast_spans": len(contrasted),
            "contrast_clause_accuracy": float(np.mean(contrasted)),
        }
    return figures


def clauses_right(said: Said) -> list[bool]:
    """For each annotated span whether its clause has its polarity."""
    return [
        clause_of(span, said.result.clauses).label == span.polarity
        for span in said.example.spans or ()
    ]


def clause_of(span: Span, clauses: Sequence[Clause]) -> Clause:
    """The clause that shares most characters with `span`, the first of equals."""
    return max(clauses, key=lambda c: min(c.end, span.end) - max(c.start, span.start))


def consistency(said: Sequence[Said]) -> dict[str, float]:
    """How often the label and the clauses tell the same: mixed ⇔ both signs."""
    mixed = [s for s in said if s.result.label == "mixed"]
    both = [s for s in said if both_signs(s.result)]
    return {
        "mixed_with_both_signs": _share(both_signs(s.result) for s in mixed),
        "both_signs_called_mixed": _share(s.result.label == "mixed" for s in both),
    }


def both_signs(result: Result) -> bool:
    """Whether the text shows a favourable and an unfavourable clause."""
    return {"positive", "negative"} <= {clause.label for clause in result.clauses}


def calibration_error(confidence: Any, right: Any) -> float:
    """Expected calibration error over equal-width bins (Guo et al. 2017)."""
    bins = np.clip((np.asarray(confidence) * ECE_BINS).astype(int), 0, ECE_BINS - 1)
    error = 0.0
    for index in np.unique(bins):
        inside = bins == index
        error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return float(error)


def calibration_error_by_chance(confidence: Any) -> float:
    """The calibration error to expect of so few texts if every score were exactly right.

    Below it there is nothing to find (consistency resampling, Bröcker and Smith 2007).
    """
    confidence = np.asarray(confidence)
    draws = np.random.default_rng(0).random((200, len(confidence))) < confidence
    return float(np.mean([calibration_error(confidence, right) for right in draws]))


def _share(hits: Any) -> float:
    values = list(hits)
    return float(np.mean(values)) if values else 0.0
