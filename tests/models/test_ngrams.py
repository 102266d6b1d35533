"""What the n-grams say beside the network: each text by itself, each clause by itself."""

from pathlib import Path

import numpy as np
import pytest

from models import Classifier
from models.errors import ArtifactError
from models.ngrams import (
    CLAUSES,
    COLUMNS,
    DOCUMENT,
    LEANING,
    NGRAMS,
    Ngrams,
    NgramWeights,
    pool,
    spell,
)
from models.tokenizer import NO_CLAUSE, Row

TEXTS = ("房间很干净，但是隔音太差了。", "好", "还行吧", "很好吃，" * 90, "\u3164，好")


def rows_of(classifier: Classifier, *texts: str) -> list[Row]:
    return [row for text in texts for row in classifier.prepare(text).rows]


def model(keys: np.ndarray, seed: int = 3) -> Ngrams:
    """Weights drawn by chance for the n-grams of `keys`."""
    random = np.random.default_rng(seed)
    keys = np.unique(keys)
    return Ngrams(
        keys,
        random.uniform(1, 9, len(keys)).astype(np.float16),
        random.normal(0, 2, (len(keys), COLUMNS)).astype(np.float16),
        random.normal(0, 1, COLUMNS).astype(np.float32),
    )


def by_formula(ngrams: Ngrams, keys: np.ndarray) -> np.ndarray:
    """bias + Σ rarity · weights / |rarity| over the n-grams that are known, each once."""
    known = np.isin(ngrams.keys, keys)
    rarity = ngrams.rarity[known].astype(np.float64)
    length = np.sqrt((rarity**2).sum()) or 1.0
    return ngrams.bias + rarity @ ngrams.weights[known].astype(np.float64) / length


def test_every_ngram_of_one_to_four_tokens_is_spelt_once(released: Classifier) -> None:
    (row,) = rows_of(released, "房间干净舒服")
    found = spell([row])
    assert len(found.keys) == len(np.unique(found.keys)) == 6 + 5 + 4 + 3


def test_no_ngram_reaches_into_another_text(released: Classifier) -> None:
    rows = rows_of(released, *TEXTS)
    together = spell(rows)
    for number, row in enumerate(rows):
        alone = np.sort(spell([row]).keys)
        assert np.array_equal(np.sort(together.keys[together.rows == number]), alone)


def test_the_same_tokens_in_another_order_are_other_ngrams(released: Classifier) -> None:
    one, other = rows_of(released, "不好吃贵", "贵吃好不")
    shared = set(spell([one]).keys.tolist()) & set(spell([other]).keys.tolist())
    assert len(shared) == 4  # the characters alone


def test_a_text_and_its_clauses_are_scored_by_the_formula(released: Classifier) -> None:
    rows = rows_of(released, *TEXTS)
    found = spell(rows)
    ngrams = model(found.keys[::2])
    for number, (row, said) in enumerate(zip(rows, ngrams.read(rows), strict=True)):
        assert said.shape == (1 + len(row.clauses), COLUMNS)
        whole = by_formula(ngrams, found.keys[found.rows == number])
        assert np.allclose(said[0], whole, atol=1e-2)
        for place in range(len(row.clauses)):
            tokens = row.clause_ids == place
            if tokens.any():  # a clause by itself says what it says in its text
                inside = row.token_ids[tokens]
                ids = np.array([NO_CLAUSE, *np.zeros(len(inside), np.int32), NO_CLAUSE])
                alone = Row(np.array([0, *inside, 0], np.int32), ids, (0,))
                expected = by_formula(ngrams, spell([alone]).keys)
                assert np.allclose(said[1 + place], expected, atol=1e-2)


def test_an_ngram_that_is_said_again_and_again_counts_once(released: Classifier) -> None:
    once, often = rows_of(released, "好好好好好", "好" * 200)
    ngrams = model(spell([once]).keys)
    assert np.allclose(*(said[0] for said in ngrams.read([once, often])))


def test_a_text_of_unknown_ngrams_gets_the_bias(released: Classifier) -> None:
    known, unknown = rows_of(released, "房间干净", "味道")
    ngrams = model(spell([known]).keys)
    assert np.array_equal(ngrams.read([unknown])[0], np.tile(ngrams.bias, (2, 1)))
    empty = Ngrams(ngrams.keys[:0], ngrams.rarity[:0], ngrams.weights[:0], ngrams.bias)
    assert np.array_equal(empty.read([known])[0], np.tile(ngrams.bias, (2, 1)))


def test_the_ngrams_are_added_as_far_as_they_count(released: Classifier) -> None:
    rows = rows_of(released, TEXTS[0])
    (said,) = model(spell(rows).keys).read(rows)
    (output,) = released.engine.run(rows)
    both = pool(output, said, NgramWeights(document=0.5, leaning=2.0, clause=1.0))
    assert np.allclose(both.document, output.document + 0.5 * said[0, DOCUMENT])
    assert both.leaning == pytest.approx(output.leaning + 2 * float(said[0, LEANING]))
    assert np.allclose(both.clauses, output.clauses + said[1:, CLAUSES])
    assert np.array_equal(both.relations, output.relations)


def test_ngrams_are_read_as_they_were_written(released: Classifier, tmp_path: Path) -> None:
    rows = rows_of(released, *TEXTS)
    ngrams = model(spell(rows).keys)
    ngrams.save(tmp_path / NGRAMS)
    for ours, theirs in zip(
        Ngrams.load(tmp_path / NGRAMS).read(rows), ngrams.read(rows), strict=True
    ):
        assert np.array_equal(ours, theirs)


def test_a_file_that_is_no_ngrams_is_refused_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / NGRAMS
    file.write_bytes(b"not an archive")
    with pytest.raises(ArtifactError, match="cannot read the n-grams of"):
        Ngrams.load(file)
    whole = model(np.arange(5, dtype=np.uint32))
    Ngrams(whole.keys, whole.rarity, whole.weights[:, 1:], whole.bias).save(file)
    with pytest.raises(ArtifactError, match=r"weights of shape \(5, 7\), not \(5, 8\)"):
        Ngrams.load(file)


def test_special_tokens_are_in_no_ngram(released: Classifier) -> None:
    (row,) = rows_of(released, "好")
    assert (row.clause_ids == NO_CLAUSE).sum() == 2
    assert len(spell([row]).keys) == 1
