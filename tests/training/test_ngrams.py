"""What the n-grams learn from rows, and what they keep of their start."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.artifact import TOKENIZER
from models.labels import CLAUSE_LABELS, LABELS, ClauseLabel
from models.ngrams import CLAUSES, DOCUMENT, LEANING, NGRAMS, Ngrams
from models.tokenizer import TextTokenizer
from tests.conftest import RELEASED
from training.config import Recipe, Source, load_recipe
from training.data import Example, Span
from training.errors import TrainingError
from training.mixture import Mixture
from training.ngrams import fit_ngrams
from training.run import write_ngrams
from training.targets import TrainingRow, training_row

PRAISE, BLAME = "味道好", "上菜慢"
TEXTS: tuple[tuple[str, ClauseLabel, float], ...] = (
    *((f"{PRAISE}{end}", "positive", 1.0) for end in "啊呀吧呢"),
    *((f"{BLAME}{end}", "negative", 0.0) for end in "啊呀吧呢"),
)


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer.load(RELEASED / "tokenizer.json", 64)


def row(tokenizer: TextTokenizer, text: str, label: ClauseLabel, leaning: float) -> TrainingRow:
    spans = (Span(0, len(text), label),)
    example = Example(text=text, label=label, source="", leaning=leaning, spans=spans)
    return training_row(example, Source(train=""), tokenizer)


@pytest.fixture(scope="module")
def rows(tokenizer: TextTokenizer) -> list[TrainingRow]:
    return [row(tokenizer, *text) for text in TEXTS]


@pytest.fixture(scope="module")
def fitted(rows: list[TrainingRow]) -> Ngrams:
    return fit_ngrams(rows)


def test_words_of_praise_and_of_blame_are_told_apart(fitted: Ngrams, rows: list[TrainingRow]):
    for example, said in zip(TEXTS, fitted.read([row.row for row in rows]), strict=True):
        _, label, leaning = example
        assert LABELS[said[0, DOCUMENT].argmax()] == label
        assert (said[0, LEANING] > 0) == (leaning == 1.0)
        assert CLAUSE_LABELS[said[1, CLAUSES].argmax()] == label


def test_they_are_read_as_they_were_fitted(fitted: Ngrams, rows: list[TrainingRow]):
    # Where the penalty holds the fit back, the mean of what is said is that of the labels.
    sides = [said[0, LEANING] for said in fitted.read([row.row for row in rows])]
    assert np.mean(1 / (1 + np.exp(-np.array(sides)))) == pytest.approx(0.5, abs=0.01)


def test_an_ngram_of_a_single_text_is_not_learnt(tokenizer: TextTokenizer, fitted: Ngrams, rows):
    more = fit_ngrams([*rows, row(tokenizer, "独一无二", "positive", 1.0)])
    assert np.array_equal(more.keys, fitted.keys)


def test_a_row_without_a_side_teaches_no_side(rows: list[TrainingRow]):
    silent = [replace(row, leaning=float("nan"), leaning_weight=0.0) for row in rows]
    ngrams = fit_ngrams(silent)
    assert not ngrams.weights[:, LEANING].any()
    assert ngrams.weights[:, DOCUMENT].any()


def test_a_binary_set_does_not_say_that_praise_is_not_mixed(tokenizer: TextTokenizer):
    binary = Source(train="", mixed_allowance=1.0)
    examples = [Example(text, label, "", leaning=leaning) for text, label, leaning in TEXTS]
    taught = [training_row(example, binary, tokenizer) for example in examples]
    (said, *_) = fit_ngrams(taught).read([taught[0].row])
    logits = dict(zip(LABELS, said[0, DOCUMENT].tolist(), strict=True))
    assert logits["mixed"] > max(logits["neutral"], logits["negative"])


def test_a_start_is_kept_where_the_rows_agree_with_it(fitted: Ngrams, rows: list[TrainingRow]):
    again = fit_ngrams(rows, fitted)
    assert np.array_equal(again.keys, fitted.keys)
    assert np.array_equal(again.rarity, fitted.rarity)
    moved = np.abs(again.weights.astype(float) - fitted.weights).max()
    assert moved < np.abs(fitted.weights).max() / 2


def test_a_start_learns_the_words_of_new_rows(tokenizer: TextTokenizer, fitted: Ngrams, rows):
    new = [row(tokenizer, f"续航拉胯{end}", "negative", 0.0) for end in "啊呀"]
    again = fit_ngrams([*rows, *new], fitted)
    assert set(fitted.keys.tolist()) < set(again.keys.tolist())
    assert again.read([new[0].row])[0][0, LEANING] < fitted.read([new[0].row])[0][0, LEANING]


@pytest.mark.parametrize(
    ("said", "kept"), [("keep", True), ("none", False), ("fit", False)], ids=str
)
def test_a_recipe_says_what_becomes_of_the_ngrams_of_the_start(
    fitted: Ngrams, tmp_path: Path, said: str, kept: bool
):
    start, network = tmp_path / "start", tmp_path / "network"
    for folder in (start, network):
        folder.mkdir()
        shutil.copyfile(RELEASED / TOKENIZER, folder / TOKENIZER)
    fitted.save(start / NGRAMS)
    recipe = Recipe(sources=(), encoder=str(start), ngrams=said)
    examples = [Example(text, label, "", leaning=leaning) for text, label, leaning in TEXTS[:6]]
    write_ngrams(recipe, Mixture([(Source(train=""), examples)]), network, seed=1)
    assert (network / NGRAMS).is_file() == (said != "none")
    if said != "none":
        same = np.array_equal(Ngrams.load(network / NGRAMS).weights, fitted.weights)
        assert same == kept


def test_a_recipe_that_asks_for_something_else_is_refused(tmp_path: Path):
    file = tmp_path / "recipe.toml"
    file.write_text('ngrams = "yes"\n[[sources]]\ntrain = "a.jsonl"\n')
    with pytest.raises(TrainingError, match="ngrams must be fit, keep or none, not 'yes'"):
        load_recipe(file)


def test_rows_without_a_common_ngram_give_the_bias_alone(tokenizer: TextTokenizer):
    ngrams = fit_ngrams([row(tokenizer, "好", "positive", 1.0)])
    assert not len(ngrams.keys)
    assert LABELS[ngrams.bias[DOCUMENT].argmax()] == "positive"
