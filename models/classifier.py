"""The classifier: prepare → run → finish. What is served is what is evaluated."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from .artifact import (
    GOLDEN,
    TOKENIZER,
    Manifest,
    load_manifest,
    verify,
)
from .engine import Engine, EngineName, RowLogits, load_engine
from .errors import ArtifactError
from .lanes import Lanes
from .ngrams import NGRAMS, NgramEngine, Ngrams
from .tokenizer import Prepared, Row, TextTokenizer
from .verdict import ModelName, Result, verdict

# Engines differ in precision, and 8-bit arithmetic between processors with and without VNNI.
GOLDEN_TOLERANCE = 0.15


class Classifier:
    """A loaded model.

    `prepare` and `finish` are cheap, thread-safe Python; `run` is one blocking
    pass of the engine, and releases the GIL.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, tokenizer: TextTokenizer, engine: Engine
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.tokenizer = tokenizer
        self.engine = engine
        self._heat = manifest.heat
        self._name = ModelName(manifest.name, manifest.version)

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        engine: EngineName | Literal["auto"] = "auto",
        threads: int = 0,
    ) -> "Classifier":
        """Load a model folder after checking every file's hash.

        Args:
            engine: what computes; `auto` takes what is fastest on this processor.
            threads: how many to compute with; 0 takes what the CPU quota allows.

        Raises:
            ArtifactError: the folder is missing, damaged or of another schema, or has
                nothing for the engine.
        """
        manifest = load_manifest(folder)
        verify(folder, manifest)
        try:
            tokenizer = TextTokenizer.load(folder / TOKENIZER, manifest.max_length)
        except Exception as error:  # tokenizers raises bare Exception
            raise ArtifactError(f"cannot read {folder / TOKENIZER}: {error}") from error

        def load(threads: int) -> Engine:
            return load_engine(
                folder,
                engine,
                precision=manifest.precision,
                pad_id=tokenizer.pad_id,
                threads=threads,
            )

        loaded = load(threads)
        if loaded.lanes == 1 and loaded.threads > 1:
            loaded = Lanes(loaded, load(1))
        if NGRAMS in manifest.files:
            ngrams = Ngrams.load(folder / NGRAMS)
            loaded = NgramEngine(loaded, ngrams, manifest.ngram_weights)
        return cls(folder, manifest, tokenizer, loaded)

    @property
    def engine_name(self) -> str:
        """Runtime and precision, as the setting names them."""
        return f"{self.engine.name}-{self.engine.precision}"

    def prepare(self, text: str) -> Prepared:
        """Split and tokenise one text. Raises TextError if it is blank or not Unicode."""
        return self.tokenizer.prepare(text)

    def run(self, rows: Sequence[Row]) -> list[RowLogits]:
        """One engine pass over rows of any texts; logits in their order."""
        return self.engine.run(rows)

    def finish(self, prepared: Prepared, outputs: Sequence[RowLogits]) -> Result:
        """The result of one text from the logits of its rows, in their order."""
        return verdict(prepared, outputs, self._heat, self._name)

    def classify(self, text: str) -> Result:
        """The three steps for one text. Raises TextError as `prepare` does."""
        prepared = self.prepare(text)
        return self.finish(prepared, self.run(prepared.rows))

    def check_golden(self) -> None:
        """Classify the golden texts and compare.

        Raises:
            ArtifactError: an answer is not what it was at release, so this
                machine does not compute what was measured.
        """
        file = self.folder / GOLDEN
        if not file.is_file():
            raise ArtifactError(f"{self.folder} has no {GOLDEN} to check the engine with")
        lines = file.read_text(encoding="utf-8").splitlines()
        if not lines:
            raise ArtifactError(f"{file} is empty: there is nothing to check the engine with")
        for number, line in enumerate(lines, 1):
            expected = json.loads(line)
            result = self.classify(expected["text"])
            if (difference := _difference(expected, result)) > GOLDEN_TOLERANCE:
                said = [clause.label for clause in result.clauses]
                raise ArtifactError(
                    f"golden text {number} came out {result.label} {result.polarity:+.2f} {said}, "
                    f"not {expected['label']} {expected['polarity']:+.2f} {expected['clauses']}: "
                    f"off by {difference:.2f}, allowed is {GOLDEN_TOLERANCE}"
                )


def _difference(expected: Mapping[str, Any], result: Result) -> float:
    """How far a result is from what was released, as a probability.

    A label that lost by a hair is as far off as the hair: engines of other precision may
    tip what was undecided, a broken one is far off.
    """
    if len(result.clauses) != len(expected["clauses"]):
        return 1.0
    pairs: list[tuple[str, Mapping[Any, float]]] = [(expected["label"], result.scores)]
    pairs += [
        (label, clause.scores)
        for label, clause in zip(expected["clauses"], result.clauses, strict=True)
    ]
    behind = (max(scores.values()) - scores[label] for label, scores in pairs)
    return max(abs(result.polarity - float(expected["polarity"])) / 2, *behind)
