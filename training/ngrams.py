"""Fit the n-grams that stand beside the network (models/ngrams.py) to the rows it trains on.

Three linear models over one set of n-grams: label, side, and the polarity of each clause. Each is
fitted by the partial-label likelihood that the network's document head has, with an L2 penalty:
convex, so it takes a minute and no choice of learning rate.
"""

import logging
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array
from tqdm import tqdm

from models.labels import CLAUSE_LABELS
from models.ngrams import (
    CLAUSES,
    COLUMNS,
    DOCUMENT,
    LEANING,
    Found,
    Keys,
    Ngrams,
    find,
    once,
    spell,
)
from models.tokenizer import NO_CLAUSE
from training.targets import IGNORED, TrainingRow

log = logging.getLogger(__name__)

_KNOWN = 300_000  # 6 MB; a million of them gained 0.1 points (EXPERIMENTS.md)
_NEW = 100_000  # beside those of the start
_RARE = 2  # an n-gram of fewer texts is not learnt
_STRENGTH = 5.0  # of the data against the penalty
_STEPS = 60
_MOST_ROWS = 400_000  # of more a sample: it all lies in memory

Matrix = Any  # scipy.sparse has no types
Floats = NDArray[np.float64]


def fit_ngrams(rows: Sequence[TrainingRow], start: Ngrams | None = None) -> Ngrams:
    """The n-grams of `rows`, or `start` moved as far as `rows` ask for.

    Args:
        rows: each teaches what it knows, see `TrainingRow`.
        start: what to go on from; the penalty is then on the distance to it.
    """
    if len(rows) > _MOST_ROWS:
        rows = random.Random(1).sample(rows, _MOST_ROWS)
    found = spell([row.row for row in rows])
    keys, rarity = _choose(found, len(rows), start)
    weights = np.zeros((len(keys), COLUMNS))
    bias = np.zeros(COLUMNS)
    if start is not None:
        weights[np.searchsorted(keys, start.keys)] = start.weights
        bias[:] = start.bias
    of_text, of_clause = _matrices(keys, rarity, found, rows)
    for name, matrix, columns, (targets, counts) in (
        ("label", of_text, DOCUMENT, _document(rows)),
        ("side", of_text, slice(LEANING, LEANING + 1), _leaning(rows)),
        ("clauses", of_clause, CLAUSES, _clauses(rows)),
    ):
        if counts.any():  # else it stays as it was
            taught = np.flatnonzero(counts)
            weights[:, columns], bias[columns] = _fit(
                name, matrix[taught], targets[taught], counts[taught], weights[:, columns],
                bias[columns],
            )  # fmt: skip
    log.info("%s n-grams of %s rows", f"{len(keys):,}", f"{len(rows):,}")
    return Ngrams(keys, rarity, weights.astype(np.float16), bias.astype(np.float32))


def _choose(found: Found, texts: int, start: Ngrams | None) -> tuple[Keys, NDArray[np.float16]]:
    """Which n-grams to know, ascending, and how much each counts: the most frequent."""
    _, each = once(found.rows, found.keys.astype(np.intp), 2**32 - 1)
    keys, counts = np.unique(each.astype(np.uint32), return_counts=True)
    often = counts >= _RARE
    if start is not None:
        often &= ~np.isin(keys, start.keys)
    keys, counts = keys[often], counts[often]
    kept = np.argsort(-counts, kind="stable")[: _KNOWN if start is None else _NEW]
    keys, counts = keys[kept], counts[kept]
    rarity = (np.log((1 + texts) / (1 + counts)) + 1).astype(np.float16)
    if start is not None:
        keys = np.concatenate((start.keys, keys))
        rarity = np.concatenate((start.rarity, rarity))
    order = np.argsort(keys)
    return keys[order], rarity[order]


def _matrices(
    keys: Keys, rarity: NDArray[np.float16], found: Found, rows: Sequence[TrainingRow]
) -> tuple[Matrix, Matrix]:
    """The n-grams of each row, and of each clause of each row, as `Ngrams.read` weighs them."""
    known, places = find(found.keys, keys)
    clauses = found.clauses[known]
    whole = clauses != NO_CLAUSE
    count = sum(len(row.clauses) for row in rows)
    return (
        _matrix(found.rows[known], places, (len(rows), len(keys)), rarity),
        _matrix(clauses[whole], places[whole], (count, len(keys)), rarity),
    )


def _matrix(
    units: NDArray[np.intp],
    places: NDArray[np.intp],
    shape: tuple[int, int],
    rarity: NDArray[np.float16],
) -> Matrix:
    """Each n-gram once in each unit, as rare as it is; rows of length 1."""
    units, places = once(units, places, shape[1])
    values = rarity[places].astype(np.float32)
    length = np.sqrt(np.bincount(units, values * values, minlength=shape[0]))
    return csr_array((values / length[units].astype(np.float32), (units, places)), shape=shape)


def _document(rows: Sequence[TrainingRow]) -> tuple[Floats, Floats]:
    targets = np.stack([row.document for row in rows]).astype(np.float64)
    return targets, (targets.sum(1) > 0) * np.array([row.weight for row in rows])


def _leaning(rows: Sequence[TrainingRow]) -> tuple[Floats, Floats]:
    side = np.array([row.leaning for row in rows])
    weight = np.array([row.weight * row.leaning_weight for row in rows])
    known = ~np.isnan(side)
    return np.stack((1 - side, side), 1), np.where(known, weight, 0.0)


def _clauses(rows: Sequence[TrainingRow]) -> tuple[Floats, Floats]:
    labels = np.array([label for row in rows for label in row.clauses])
    weight = np.array([row.weight * w for row in rows for w in row.clause_weights])
    known = labels != IGNORED
    return np.eye(len(CLAUSE_LABELS))[np.where(known, labels, 0)], np.where(known, weight, 0.0)


def _fit(
    name: str, matrix: Matrix, targets: Floats, counts: Floats, weights: Floats, bias: Floats
) -> tuple[Floats, Floats]:
    """What is best for -Σ counts · log Σ targets · p, near `weights`.

    Args:
        matrix: (N, K).
        targets: how far each class may be the right one (N, classes).
        counts: how much each row counts (N,).
        weights, bias: what to start from (K, columns), (columns,); with two classes one column,
            the second's lead over the first.
    """
    transposed = matrix.T.tocsr()
    allowed = np.log(np.maximum(targets, 1e-9))
    single = weights.shape[1] == 1
    base = (matrix @ weights.astype(np.float32) + bias).astype(np.float64)

    def loss(x: Floats) -> tuple[float, Floats]:
        change = x.reshape(-1, weights.shape[1])
        logits = base + matrix @ change[:-1].astype(np.float32) + change[-1]
        if single:
            logits = np.concatenate((np.zeros_like(logits), logits), 1)
        said = logits - np.logaddexp.reduce(logits, 1, keepdims=True)
        both = said + allowed
        right = np.logaddexp.reduce(both, 1, keepdims=True)
        error = (np.exp(said) - np.exp(both - right)) * counts[:, None]
        if single:
            error = error[:, 1:]
        slope = change[:-1] + _STRENGTH * (transposed @ error.astype(np.float32))
        value = 0.5 * float((change[:-1] ** 2).sum()) - _STRENGTH * float(counts @ right[:, 0])
        return value, np.concatenate((slope, _STRENGTH * error.sum(0, keepdims=True))).ravel()

    with tqdm(total=_STEPS, desc=f"n-grams, {name}", unit=" steps", mininterval=2) as bar:
        found = minimize(
            loss,
            np.zeros((len(weights) + 1) * weights.shape[1]),
            jac=True,
            method="L-BFGS-B",
            callback=lambda _: bar.update(),
            options={"maxiter": _STEPS, "maxcor": 5},
        )
    change = found.x.reshape(-1, weights.shape[1])
    return weights + change[:-1], bias + change[-1]
