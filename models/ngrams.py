"""What a text's character n-grams say, beside the network.

A linear model over n-grams (Wang & Manning 2012, ACL P12-2018) knows hundreds of thousands of
phrases that a small network has no room for, and errs elsewhere than it does. So their logits are
added: a product of experts (Hinton 2002), whose weights are fitted on held-out texts. It costs no
further pass.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .engine import Engine, RowLogits
from .errors import ArtifactError
from .labels import CLAUSE_LABELS, LABELS
from .tokenizer import NO_CLAUSE, Row

NGRAMS = "ngrams.npz"
# Of one token to so many.
LONGEST = 4

# The columns of the weights.
DOCUMENT = slice(0, len(LABELS))
LEANING = DOCUMENT.stop
CLAUSES = slice(LEANING + 1, LEANING + 1 + len(CLAUSE_LABELS))
COLUMNS = CLAUSES.stop

_STEP = np.uint64(0x9E3779B97F4A7C15)
_HIGH = np.uint64(32)

_ARRAYS = ("keys", "rarity", "weights", "bias")

Floats = NDArray[np.float32]
Keys = NDArray[np.uint32]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class NgramWeights:
    """How much the n-grams' logits count beside the network's, by head; 0 is not at all."""

    document: float = 0.0
    leaning: float = 0.0
    clause: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """N-grams of some rows: the key of each, and the row and the clause that it lies in.

    keys: hashes (N,). rows: (N,). clauses: (N,), counted through all rows, `NO_CLAUSE` where
    an n-gram reaches from one clause into the next.
    """

    keys: Keys
    rows: Places
    clauses: Places


def spell(rows: Sequence[Row]) -> Found:
    """Every n-gram of `rows` of one to `LONGEST` tokens; none reaches into another row."""
    lengths = [row.length - 2 for row in rows]  # without the special tokens at both ends
    tokens = np.concatenate([row.token_ids[1:-1] for row in rows])
    clauses = np.concatenate([row.clause_ids[1:-1] for row in rows]).astype(np.intp)
    starts = np.cumsum([0, *(len(row.clauses) for row in rows[:-1])])
    clauses += np.repeat(starts, lengths)
    of_row = np.repeat(np.arange(len(rows)), lengths)
    numbers = tokens.astype(np.uint64) + np.uint64(1)
    spelt, keys, in_row, in_clause = numbers, [numbers], [of_row], [clauses]
    for length in range(2, min(LONGEST, len(tokens)) + 1):
        spelt = spelt[:-1] * _STEP + numbers[length - 1 :]
        first = of_row[: len(spelt)]
        whole = first == of_row[length - 1 :]
        opens = clauses[: len(spelt)]
        here = np.where(opens == clauses[length - 1 :], opens, NO_CLAUSE)
        keys.append(spelt[whole])
        in_row.append(first[whole])
        in_clause.append(here[whole])
    mixed = np.concatenate(keys) * _STEP >> _HIGH
    return Found(mixed.astype(np.uint32), np.concatenate(in_row), np.concatenate(in_clause))


def find(keys: Keys, known: Keys) -> tuple[Places, Places]:
    """Which of `keys` are among `known`, by their indices, and the place of each there.

    `known` is ascending.
    """
    if not len(known):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    order = np.argsort(keys)  # a search in order goes through memory but once
    wanted = keys[order]
    places = np.searchsorted(known, wanted)
    places[places == len(known)] = 0
    there = known[places] == wanted
    return order[there], places[there]


def once(units: Places, places: Places, known: int) -> tuple[Places, Places]:
    """Each n-gram once in each unit, ordered by both; `places` are below `known`."""
    bits = known.bit_length()
    pairs = np.sort(units << bits | places)
    pairs = pairs[np.diff(pairs, prepend=-1) != 0]
    return pairs >> bits, pairs & ((1 << bits) - 1)


class Ngrams:
    """A linear model over the n-grams of one tokenizer. Thread-safe."""

    def __init__(
        self,
        keys: Keys,
        rarity: NDArray[np.float16],
        weights: NDArray[np.float16],
        bias: NDArray[np.float32],
    ) -> None:
        """Take its arrays.

        Args:
            keys: hashes of the n-grams that it knows, ascending (K,).
            rarity: how much each counts in a text (K,): the inverse document frequency.
            weights: by n-gram and column (K, `COLUMNS`).
            bias: (`COLUMNS`,).
        """
        self.keys = keys
        self.rarity = rarity
        self.weights = weights
        self.bias = bias
        rare = rarity.astype(np.float32)[:, None]
        # What is summed: a column a logit, and the last for the length of the text's vector.
        self._terms = np.concatenate((weights * rare, rare * rare), axis=1)

    @classmethod
    def load(cls, file: Path) -> "Ngrams":
        """Read what `save` wrote. Raises ArtifactError if it is not that."""
        try:
            with np.load(file, allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in _ARRAYS}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ArtifactError(f"cannot read the n-grams of {file}: {error}") from error
        shape, expected = found["weights"].shape, (len(found["keys"]), COLUMNS)
        if shape != expected:
            raise ArtifactError(f"{file} has weights of shape {shape}, not {expected}")
        return cls(**found)

    def save(self, file: Path) -> None:
        partial = file.with_name(f"{file.name}.partial")  # half a file is never taken for one
        with partial.open("wb") as target:
            np.savez(target, **{name: getattr(self, name) for name in _ARRAYS})
        partial.replace(file)

    def read(self, rows: Sequence[Row]) -> list[Floats]:
        """Logits of each row: its text's and below them its clauses' (1 + C, `COLUMNS`)."""
        found = spell(rows)
        known, places = find(found.keys, self.keys)
        clauses = found.clauses[known]
        whole = clauses != NO_CLAUSE
        units = np.concatenate((found.rows[known], clauses[whole] + len(rows)))
        places = np.concatenate((places, places[whole]))
        counts = [len(row.clauses) for row in rows]
        sums = self._sum(units, places, len(rows) + sum(counts))
        edges = np.cumsum([len(rows), *counts]).tolist()
        return [
            np.concatenate((sums[i : i + 1], sums[start:stop]))
            for i, (start, stop) in enumerate(pairwise(edges))
        ]

    def _sum(self, units: Places, places: Places, count: int) -> Floats:
        """Logits of each of `count` units (count, `COLUMNS`); an n-gram counts once in each."""
        logits = np.zeros((count, COLUMNS), np.float32)
        if len(units):
            units, places = once(units, places, len(self.keys))
            opens = np.flatnonzero(np.diff(units, prepend=-1))
            sums = np.add.reduceat(self._terms[places], opens)
            logits[units[opens]] = sums[:, :-1] / np.sqrt(sums[:, -1:])
        return logits + self.bias


def pool(output: RowLogits, said: Floats, weights: NgramWeights) -> RowLogits:
    """The network's logits of a row and, weighed, what its n-grams say (see `Ngrams.read`)."""
    return replace(
        output,
        document=output.document + np.float32(weights.document) * said[0, DOCUMENT],
        leaning=output.leaning + weights.leaning * float(said[0, LEANING]),
        clauses=output.clauses + np.float32(weights.clause) * said[1:, CLAUSES],
    )


class NgramEngine:
    """An engine whose logits have those of the n-grams of the same rows added."""

    def __init__(self, network: Engine, ngrams: Ngrams, weights: NgramWeights) -> None:
        self.network = network
        self.ngrams = ngrams
        self._weights = weights
        self.threads = network.threads
        self.lanes = network.lanes
        self.packs = network.packs

    @property
    def name(self) -> str:
        return self.network.name

    @property
    def precision(self) -> str:
        return self.network.precision

    def cost(self, lengths: Sequence[int]) -> int:
        return self.network.cost(lengths)

    def run(self, rows: Sequence[Row]) -> list[RowLogits]:
        said = self.ngrams.read(rows)
        outputs = self.network.run(rows)
        return [pool(*both, self._weights) for both in zip(outputs, said, strict=True)]
