"""Many texts through the classifier: in order, in constant memory, the engine never idle.

A thread reads ahead, the engine's threads compute, and the caller's thread
prepares the next texts and finishes the last ones meanwhile.
"""

import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from .classifier import Classifier
from .engine import RowLogits
from .errors import TextError
from .packing import PASS_TOKENS, fill, most_texts
from .tokenizer import Prepared
from .verdict import Result

# The more texts are batched together, the fuller the passes; the fewer, the sooner an answer.
_TEXTS_A_CHUNK = 512
_CHARACTERS_A_CHUNK = 100_000
BATCH_TOKENS = PASS_TOKENS

T = TypeVar("T")


def classify_stream(
    classifier: Classifier,
    items: Iterable[tuple[T, str | TextError]],
    *,
    batch_tokens: int = BATCH_TOKENS,
) -> Generator[list[tuple[T, Result | TextError]], None, None]:
    """Classify endlessly many texts.

    Args:
        items: what the caller wants back beside each result, and the text, or
            why there is none. Read in a thread of its own.

    Yields:
        Chunks of the items with their results, in the order of `items`. A slow
        source gets small chunks: nobody waits for texts that have not come.

    Raises:
        whatever `items` raises, after the results of what came before.
    """
    source = _Ahead(items)
    pending: deque[_Chunk[T]] = deque()
    engine = ThreadPoolExecutor(classifier.engine.lanes, "danshi-engine")
    try:
        while True:
            # Two chunks under way keep the engine busy while one is finished.
            if pending and (len(pending) > 1 or source.must_wait()):
                yield pending.popleft().finish(classifier)
            elif taken := source.take():
                pending.append(_Chunk.begin(classifier, engine, taken, batch_tokens))
            elif not pending:
                source.raise_failure()
                break
    finally:
        source.close()
        engine.shutdown(cancel_futures=True)


@dataclass(slots=True)
class _Chunk(Generic[T]):
    """Some items on their way through the engine."""

    items: list[tuple[T, Prepared | TextError]]
    batches: "list[tuple[list[int], Future[list[RowLogits]]]]"

    @classmethod
    def begin(
        cls,
        classifier: Classifier,
        engine: ThreadPoolExecutor,
        taken: Sequence[tuple[T, str | TextError]],
        budget: int,
    ) -> "_Chunk[T]":
        items = [(item, _prepare(classifier, text)) for item, text in taken]
        rows = [row for _, text in items if isinstance(text, Prepared) for row in text.rows]
        return cls(
            items,
            [
                (batch, engine.submit(classifier.run, [rows[i] for i in batch]))
                for batch in cut([row.length for row in rows], budget, classifier.engine.packs)
            ],
        )

    def finish(self, classifier: Classifier) -> list[tuple[T, Result | TextError]]:
        outputs: dict[int, RowLogits] = {}
        for batch, future in self.batches:
            outputs.update(zip(batch, future.result(), strict=True))
        results: list[tuple[T, Result | TextError]] = []
        first = 0
        for item, text in self.items:
            if isinstance(text, Prepared):
                last = first + len(text.rows)
                result = classifier.finish(text, [outputs[i] for i in range(first, last)])
                results.append((item, result))
                first = last
            else:
                results.append((item, text))
        return results


def _prepare(classifier: Classifier, text: str | TextError) -> Prepared | TextError:
    if isinstance(text, TextError):
        return text
    try:
        return classifier.prepare(text)
    except TextError as error:
        return error


def cut(lengths: Sequence[int], budget: int, packs: bool) -> Iterator[list[int]]:
    """Places of rows in batches of at most `budget` tokens, as suits the engine.

    Args:
        packs: whether it lays rows end to end; else similar lengths are kept together.
    """
    if packs:
        yield from fill(lengths, budget, most_texts(budget))
        return
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and lengths[batch[0]] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


class _Ahead(Generic[T]):
    """Reads items in a thread, a bounded number ahead of who takes them."""

    _AHEAD = 4 * _TEXTS_A_CHUNK

    def __init__(self, items: Iterable[tuple[T, str | TextError]]) -> None:
        # A SimpleQueue costs a tenth of a Queue, and a second of waiting is never at stake.
        self._queue: SimpleQueue[tuple[T, str | TextError] | None] = SimpleQueue()
        self._failure: BaseException | None = None
        self._ended = self._closed = False
        # A daemon: it may wait forever for a line on standard input.
        self._thread = threading.Thread(
            target=self._read, args=(items,), name="danshi-reader", daemon=True
        )
        self._thread.start()

    def _read(self, items: Iterable[tuple[T, str | TextError]]) -> None:
        try:
            for item in items:
                while self._queue.qsize() >= self._AHEAD and not self._closed:
                    time.sleep(0.01)
                if self._closed:
                    return
                self._queue.put(item)
        except BaseException as error:
            self._failure = error
        finally:
            self._queue.put(None)

    def must_wait(self) -> bool:
        """Whether there is nothing to take now, or ever."""
        return self._ended or self._queue.empty()

    def take(self) -> list[tuple[T, str | TextError]]:
        """What is there, up to a chunk, at least one item; empty at the end."""
        taken: list[tuple[T, str | TextError]] = []
        characters = 0
        while not self._ended and len(taken) < _TEXTS_A_CHUNK and characters < _CHARACTERS_A_CHUNK:
            try:
                item = self._queue.get(block=not taken)
            except Empty:
                break
            if item is None:
                self._ended = True
            else:
                taken.append(item)
                characters += len(item[1]) if isinstance(item[1], str) else 0
        return taken

    def raise_failure(self) -> None:
        """Raise what ended the reading, if that was not the end of the items."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Read no more. Waits for the reader, but not if it waits for an item itself."""
        self._closed = True
        self._thread.join(0.1)
