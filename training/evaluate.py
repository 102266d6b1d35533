"""Evaluate an exported model, through the class that serves it, on held-out examples."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from models import Classifier
from models.agreement import shows_both
from models.engine import RowLogits
from models.stream import cut
from models.tokenizer import Prepared
from models.verdict import clause_scores
from training.data import Example
from training.metrics import Said, consistency, main_figure, scores

_BATCH_TOKENS = 4096

Answer = tuple[Prepared, list[RowLogits]]


def run_all(classifier: Classifier, examples: Sequence[Example], title: str = "") -> list[Answer]:
    """Logits of every example, in order; what suits the engine shares a pass."""
    prepared = [classifier.prepare(example.text) for example in examples]
    rows = [(i, j, row) for i, p in enumerate(prepared) for j, row in enumerate(p.rows)]
    lengths = [row.length for _, _, row in rows]
    outputs: list[list[RowLogits | None]] = [[None] * len(p.rows) for p in prepared]
    with tqdm(total=len(rows), desc=title or "evaluate", unit=" windows", mininterval=2) as bar:
        for batch in cut(lengths, _BATCH_TOKENS, classifier.engine.packs):
            logits = classifier.run([rows[place][2] for place in batch])
            for place, output in zip(batch, logits, strict=True):
                i, j, _ = rows[place]
                outputs[i][j] = output
            bar.update(len(batch))
    return [
        (p, [o for o in found if o is not None]) for p, found in zip(prepared, outputs, strict=True)
    ]


def evaluate(
    classifier: Classifier, dev: Mapping[str, Sequence[Example]]
) -> tuple[dict[str, Any], dict[str, list[Said]]]:
    """Scores of every set and over all of them; and what was said of each example.

    The scores hold `sets` (name → figures, see `training.metrics.scores`),
    `phenomena` where examples name one, `consistency`, and `mean`: the plain
    mean of the sets' main figures. `consistency` also tells how often the clauses
    of a mixed text would show both signs by themselves.
    """
    said: dict[str, list[Said]] = {}
    unaided: list[bool] = []
    for name, examples in dev.items():
        if not examples:
            continue
        answers = run_all(classifier, examples, name)
        results = [classifier.finish(*answer) for answer in answers]
        said[name] = list(map(Said, examples, results))
        unaided += [
            shows_both(clause_scores(*answer, classifier.manifest.heat))
            for answer, result in zip(answers, results, strict=True)
            if result.label == "mixed"
        ]
    sets = {name: scores(part) for name, part in said.items()}
    everything = [s for part in said.values() for s in part]
    found: dict[str, Any] = {
        "mean": float(np.mean([main_figure(figures) for figures in sets.values()])),
        "sets": sets,
        "consistency": {
            **consistency(everything),
            "mixed_with_both_signs_unaided": float(np.mean(unaided)) if unaided else 0.0,
        },
    }
    if phenomena := by_phenomenon(everything):
        found["phenomena"] = phenomena
    return found, said


def by_phenomenon(said: Sequence[Said]) -> dict[str, dict[str, Any]]:
    """Figures of the authored sentences by what they show."""
    groups: dict[str, list[Said]] = defaultdict(list)
    for s in said:
        if name := s.example.meta.get("phenomenon"):
            groups[str(name)].append(s)
    return {
        name: {
            "texts": len(part),
            "label_accuracy": float(np.mean([s.result.label == s.example.label for s in part])),
            **{
                key: figure
                for key, figure in scores(part).items()
                if key in ("side_accuracy", "clause_accuracy")
            },
            "turns_right": float(np.mean([turns_right(s) for s in part])),
            "false_turns": float(np.mean([turned_falsely(s) for s in part])),
        }
        for name, part in sorted(groups.items())
    }


def turns_right(said: Said) -> bool:
    """Whether the words marked as turning are exactly those that a reader marked.

    A look-alike marked as a turn is wrong, and so is a turn that was missed;
    the marked word may be longer or shorter than the reader's.
    """
    expected, found = _expected_turns(said), _found_turns(said)
    return len(expected) == len(found) and all(map(_overlap, expected, found))


def turned_falsely(said: Said) -> bool:
    """Whether a word is marked as turning where a reader marked none."""
    expected = _expected_turns(said)
    return any(not any(_overlap(word, turn) for turn in expected) for word in _found_turns(said))


Place = tuple[int, int]


def _expected_turns(said: Said) -> list[Place]:
    return [
        (c["start"], c["end"])
        for c in said.example.meta.get("connectives", ())
        if c["relation"] == "contrast"
    ]


def _found_turns(said: Said) -> list[Place]:
    return [
        (c.connective.start, c.connective.end)
        for c in said.result.clauses
        if c.connective and c.relation == "contrast"
    ]


def _overlap(one: Place, other: Place) -> bool:
    return one[0] < other[1] and other[0] < one[1]
