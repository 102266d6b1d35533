"""Many texts: in order, nobody waits for texts that have not come, bounded read-ahead."""

import threading
import time
from collections.abc import Iterator
from queue import Queue

import pytest

from models import Classifier, Result, TextError
from models.stream import classify_stream, cut
from tests.service.support import ObedientEngine, obedient_classifier


@pytest.fixture
def classifier() -> Classifier:
    return obedient_classifier()[0]


def texts_of(results: list[tuple[int, Result | TextError]]) -> list[str]:
    return [r.clauses[0].text for _, r in results if isinstance(r, Result)]


def test_results_come_in_order_and_as_one_by_one(released: Classifier) -> None:
    texts = ["很好", "这部电影不坏，但也不算特别好。", "好" * 300, "差评！" * 90, "快递慢"] * 60
    chunks = list(classify_stream(released, enumerate(texts)))
    results = [pair for chunk in chunks for pair in chunk]
    assert [number for number, _ in results] == list(range(300))
    for (_, result), text in zip(results[:5], texts, strict=False):
        alone = released.classify(text)
        assert isinstance(result, Result)
        assert result.label == alone.label
        assert [c.text for c in result.clauses] == [c.text for c in alone.clauses]
        # int8 activations are scaled by the batch, so the last digits may differ.
        assert result.polarity == pytest.approx(alone.polarity, abs=0.05)


def test_a_text_that_cannot_be_classified_has_its_error_in_its_place(
    classifier: Classifier,
) -> None:
    items: list[tuple[int, str | TextError]] = [
        (0, "很好"),
        (1, "  "),
        (2, TextError("no text")),
        (3, "不好"),
    ]
    (results,) = classify_stream(classifier, items)
    kinds = [type(result) for _, result in results]
    assert kinds == [Result, TextError, TextError, Result]
    assert str(results[2][1]) == "no text"


def test_no_texts_are_no_results(classifier: Classifier) -> None:
    assert list(classify_stream(classifier, [])) == []


def test_a_slow_source_gets_each_result_before_the_next_text(classifier: Classifier) -> None:
    sent: Queue[str | None] = Queue()

    def source() -> Iterator[tuple[int, str]]:
        while (text := sent.get()) is not None:
            yield 0, text

    stream = classify_stream(classifier, source())
    for text in ("很好", "不好", "还好"):
        sent.put(text)
        assert texts_of(next(stream)) == [text]
    sent.put(None)
    assert list(stream) == []


def test_a_source_is_read_only_so_far_ahead(classifier: Classifier) -> None:
    read = 0

    def source() -> Iterator[tuple[int, str]]:
        nonlocal read
        for read in range(100_000):
            yield read, "好"

    stream = classify_stream(classifier, source())
    next(stream)
    time.sleep(0.2)
    assert read < 5000
    stream.close()
    time.sleep(0.1)
    stopped = read
    time.sleep(0.1)
    assert read == stopped
    assert not [t for t in threading.enumerate() if t.name.startswith("danshi-reader")]


def test_what_the_source_raises_comes_behind_the_results_before_it(classifier: Classifier) -> None:
    def source() -> Iterator[tuple[int, str]]:
        yield 0, "很好"
        raise OSError("torn cable")

    stream = classify_stream(classifier, source())
    assert texts_of(next(stream)) == ["很好"]
    with pytest.raises(OSError, match="torn cable"):
        next(stream)


def test_an_engine_failure_ends_the_stream() -> None:
    classifier, engine = obedient_classifier()
    assert isinstance(engine, ObedientEngine)
    engine.failure = RuntimeError("no engine")
    with pytest.raises(RuntimeError, match="no engine"):
        list(classify_stream(classifier, [(0, "很好")]))


def test_an_engine_that_pads_gets_similar_lengths_together_within_the_budget() -> None:
    lengths = [3, 52, 4, 51, 5, 50]
    batches = list(cut(lengths, budget=128, packs=False))
    assert batches == [[1, 3], [5, 4], [2, 0]]
    assert sorted(i for batch in batches for i in batch) == [0, 1, 2, 3, 4, 5]
    for batch in batches:
        assert len(batch) * max(lengths[i] for i in batch) <= 128


def test_an_engine_that_packs_gets_whatever_fits_the_budget() -> None:
    lengths = [3, 52, 4, 51, 5, 50]
    assert list(cut(lengths, budget=128, packs=True)) == [[1, 3, 4, 2, 0], [5]]
