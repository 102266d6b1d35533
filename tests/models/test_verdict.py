"""The verdict of plain floats is that of the formula, written with arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Classifier
from models.agreement import show_both
from models.engine import RowLogits
from models.labels import CLAUSE_LABELS, LABELS
from models.tokenizer import Prepared
from models.verdict import Temperatures, verdict

HEAT = Temperatures(1.6, 1.5, 1.4, neutral_clause=-0.7)
NEUTRAL = np.array([label == "neutral" for label in CLAUSE_LABELS])


def softmax(logits):
    shifted = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def formula(prepared: Prepared, outputs: list[RowLogits]):
    """Windows weigh as much as they have tokens; a clause's windows by its own tokens."""
    weights = np.array([row.length - 2 for row in prepared.rows], np.float64)
    weights /= weights.sum()
    document = weights @ softmax(np.stack([o.document for o in outputs]) / HEAT.document)
    leaning = weights @ np.array([o.leaning for o in outputs]) / HEAT.leaning
    clauses = np.zeros((len(prepared.clauses), 3))
    for row, output in zip(prepared.rows, outputs, strict=True):
        share = np.bincount(row.clause_ids[row.clause_ids >= 0], minlength=len(row.clauses))
        said = output.clauses / HEAT.clause + HEAT.neutral_clause * NEUTRAL
        clauses[list(row.clauses)] += softmax(said) * share[:, None]
    clauses[clauses.sum(-1) == 0, CLAUSE_LABELS.index("neutral")] = 1
    return document, np.tanh(leaning / 2), clauses / clauses.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    "text",
    [
        "好",
        "房间很干净，但是隔音太差了。",
        "\u3164，好",
        "好！" * 200,
        "很好吃，" * 150 + "。",
        "好" * 700,
    ],
    ids=len,
)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_verdict_is_that_of_the_formula(released: Classifier, text: str, seed: int) -> None:
    prepared = released.prepare(text)
    random = np.random.default_rng(seed)
    outputs = [
        RowLogits(
            random.normal(0, 4, 4).astype(np.float32),
            float(np.float32(random.normal(0, 4))),
            random.normal(0, 4, (len(row.clauses), 3)).astype(np.float32),
            random.normal(0, 4, (len(row.clauses), 4)).astype(np.float32),
        )
        for row in prepared.rows
    ]
    document, polarity, clauses = formula(prepared, outputs)
    result = verdict(prepared, outputs, HEAT)
    assert [result.scores[label] for label in LABELS] == pytest.approx(list(document), abs=1e-6)
    assert result.polarity == pytest.approx(polarity, abs=1e-6)
    found = [[clause.scores[label] for label in CLAUSE_LABELS] for clause in result.clauses]
    if result.label == "mixed":
        clauses = show_both(clauses.tolist())
    assert np.allclose(found, clauses, atol=1e-6)
    assert result.label == max(result.scores, key=result.scores.__getitem__)
