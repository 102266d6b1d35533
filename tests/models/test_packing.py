"""Texts laid end to end: every row once, passes full, nothing mixed up."""

import numpy as np
import pytest

from models.engine_openvino import room
from models.packing import INPUTS, PASS_TOKENS, fill, most_texts, pack, unpack
from models.tokenizer import NO_CLAUSE, Row


def row(first_id: int, *clauses: int) -> Row:
    """A row of clauses of so many tokens, between an opening and a closing token."""
    places = [NO_CLAUSE, *(i for i, size in enumerate(clauses) for _ in range(size)), NO_CLAUSE]
    ids = np.arange(first_id, first_id + len(places), dtype=np.int32)
    return Row(ids, np.array(places, np.int32), tuple(range(len(clauses))))


@pytest.mark.parametrize(
    "lengths",
    [[5], [9, 3, 200, 17], [16] * 77, [256, 255] * 9, [400, 12], [3] * 100, [120, 30] * 8],
)
def test_every_row_is_in_one_pass_that_keeps_to_its_budget(lengths: list[int]) -> None:
    found = list(fill(lengths, 256, 32))
    assert sorted(place for places in found for place in places) == list(range(len(lengths)))
    for places in found:
        assert len(places) <= 32
        assert len(places) == 1 or sum(lengths[i] for i in places) <= 256


def test_passes_over_texts_of_all_lengths_are_nearly_full() -> None:
    lengths = np.random.default_rng(0).geometric(1 / 45, 400).clip(3, 256).tolist()
    passes = list(fill(lengths, PASS_TOKENS, most_texts(PASS_TOKENS)))
    assert sum(lengths) / (len(passes) * PASS_TOKENS) > 0.95


def test_each_token_and_clause_knows_its_text_and_padding_none() -> None:
    found = pack([row(10, 2, 1), row(50, 1)], 0, tokens=10, texts=2, clauses=4)
    assert list(found) == list(INPUTS)
    assert found["input_ids"].tolist() == [10, 11, 12, 13, 14, 50, 51, 52, 0, 0]
    assert found["position_ids"].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 0, 0]
    assert found["text_ids"].tolist() == [0, 0, 0, 0, 0, 1, 1, 1, -1, -1]
    assert found["clause_ids"].tolist() == [-1, 0, 0, 1, -1, -1, 2, -1, -1, -1]
    assert found["clause_opens"].tolist() == [-1, 0, -1, 1, -1, -1, 2, -1, -1, -1]
    assert found["clause_texts"].tolist() == [0, 0, 1, -1]
    assert found["text_slots"].tolist() == [0, 1]
    assert found["clause_slots"].tolist() == [0, 1, 2, 3]


def test_each_row_gets_its_own_logits_back() -> None:
    rows = [row(10, 2, 1), row(50, 1)]
    document, leaning = np.eye(2, 4, dtype=np.float32), np.array([0.5, -0.5], np.float32)
    clauses, relations = (np.arange(4 * n, dtype=np.float32).reshape(4, n) for n in (3, 4))
    first, second = unpack(rows, (document, leaning, clauses, relations))
    assert (first.leaning, second.leaning) == (0.5, -0.5)
    assert second.document.tolist() == document[1].tolist()
    assert first.clauses.tolist() == clauses[:2].tolist()
    assert second.clauses.tolist() == clauses[2:3].tolist()
    assert second.relations.tolist() == relations[2:3].tolist()


def test_whatever_a_pass_holds_fits_its_shape_and_there_are_few_shapes() -> None:
    shapes = set()
    for tokens in range(3, PASS_TOKENS + 1):
        for texts in range(1, min(tokens // 3, most_texts(PASS_TOKENS)) + 1):
            for clauses in (texts, tokens // 6 + 1, tokens // 3 + 1):
                shape = room(tokens, texts, clauses)
                assert np.all(np.array(shape) >= (tokens, texts, clauses))
                shapes.add(shape)
    assert len(shapes) < 160
    # Texts and clauses as they are in reviews: nearly always one shape a length.
    assert len({room(n, n // 40 + 1, n // 8 + 1) for n in range(3, PASS_TOKENS + 1)}) <= 24
