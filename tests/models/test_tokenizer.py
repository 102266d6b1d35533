"""Windows: a text of any length is read to its end, nothing twice, nothing cut."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from models import Classifier
from models.tokenizer import NO_CLAUSE, TextTokenizer, collate, pack_windows


@given(
    st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=40),
    st.integers(4, 25),
)
def test_windows_hold_every_token_once_and_stay_within_their_size(clauses, capacity):
    edges = [0]
    for length, _ in clauses:
        edges.append(edges[-1] + length)
    windows = list(pack_windows(edges, [closes for _, closes in clauses], capacity))
    if edges[-1]:
        assert windows[0].start == 0
        assert windows[-1].stop == edges[-1]
    assert all(a.stop == b.start for a, b in itertools.pairwise(windows))
    assert all(window.stop - window.start <= capacity for window in windows)


def test_a_window_ends_with_a_sentence_where_one_ends():
    windows = list(pack_windows([0, 4, 8, 12], [False, True, False], 10))
    assert [(w.start, w.stop) for w in windows] == [(0, 8), (8, 12)]


def test_every_token_of_a_clause_carries_its_number(released: Classifier):
    row = released.prepare("东西好，但是贵。").rows[0]
    assert row.clause_ids[0] == row.clause_ids[-1] == NO_CLAUSE
    assert list(row.clause_ids[1:-1]) == [0] * 4 + [1] * 4


def test_a_text_of_20000_characters_is_read_to_its_end(released: Classifier):
    prepared = released.prepare("房间不错，" * 4000)
    assert prepared.token_count >= 20_000
    assert len(prepared.rows) > 70
    assert max(row.length for row in prepared.rows) <= released.manifest.max_length
    assert {i for row in prepared.rows for i in row.clauses} == set(range(4000))


def test_a_clause_longer_than_a_window_runs_over_several(released: Classifier):
    prepared = released.prepare("好" * 2000)
    assert len(prepared.rows) > 1
    assert all(row.clauses == (0,) for row in prepared.rows)


def test_padding_does_not_change_what_a_row_says(released: Classifier):
    short, long = (released.prepare(t).rows[0] for t in ("很好", "房间很旧，" * 20))
    alone = released.run([short])[0]
    padded = released.run([short, long])[0]
    assert alone.document.argmax() == padded.document.argmax()
    # int8 scales follow the whole batch, so the logits move a little.
    assert abs(alone.leaning - padded.leaning) < 0.5
    assert len(alone.clauses) == len(padded.clauses) == 1


def test_a_clause_opens_at_its_first_token_and_nowhere_else(released: Classifier):
    tokenizer: TextTokenizer = released.tokenizer
    rows = [tokenizer.prepare(t).rows[0] for t in ("好", "不错，但贵")]
    opens = collate(rows, tokenizer.pad_id).clause_opens
    assert opens.tolist() == [[-1, 0, -1, -1, -1, -1, -1], [-1, 0, -1, -1, 1, -1, -1]]


def test_a_batch_is_as_wide_as_its_longest_row(released: Classifier):
    tokenizer: TextTokenizer = released.tokenizer
    rows = [tokenizer.prepare(t).rows[0] for t in ("好", "不错，但贵，还慢")]
    batch = collate(rows, tokenizer.pad_id)
    assert batch.input_ids.shape == (2, rows[1].length)
    assert list(batch.clause_slots) == [0, 1, 2]
    assert batch.attention_mask.sum(1).tolist() == [row.length for row in rows]
