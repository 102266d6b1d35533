"""One queue, one worker thread, one engine pass at a time.

There is no waiting for more rows: an idle engine takes what is there, and a
batch forms while it is busy. `circle` says which rows a batch takes.
"""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from models.engine import RowLogits
from models.tokenizer import Row
from service.circle import Circle, Job
from service.errors import (
    ClientGone,
    DeadlineExceeded,
    InternalError,
    Problem,
    QueueFull,
    Stopping,
    WorkerDead,
)
from service.metrics import Metrics
from service.record import count_batch, current

logger = logging.getLogger(__name__)

# An answer usually comes sooner than this; only then is it worth watching the client.
_PATIENCE_SECONDS = 0.05
# A first guess, until the engine has shown its speed.
_TOKENS_PER_SECOND = 10_000.0
_LONGEST_RETRY_SECONDS = 60
# A pass takes a second at most on the slowest machine; this one hangs.
STALLED_SECONDS = 30.0


class Runner(Protocol):
    """What the batcher needs of `models.Classifier`."""

    def run(self, rows: Sequence[Row]) -> list[RowLogits]:
        """One engine pass."""
        ...


class Batcher:
    """Runs the rows of many requests in shared batches."""

    def __init__(
        self, runner: Runner, metrics: Metrics, *, max_queue_tokens: int, batch_tokens: int
    ) -> None:
        self._runner = runner
        self._metrics = metrics
        self._max_queue_tokens = max_queue_tokens
        self._batch_tokens = batch_tokens
        # The lock of what follows it: the event loop and the worker both come here.
        self._changed = threading.Condition()
        self._circle = Circle()
        self._running: set[Job] = set()
        self._closing = False
        self._ended = False
        self._speed = _TOKENS_PER_SECOND
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._work, name="danshi-engine", daemon=True)
        self._thread.start()
        metrics.watch_queue(
            lambda: len(self._circle), lambda: self._circle.tokens, max_queue_tokens
        )

    def check_alive(self) -> None:
        """Raise WorkerDead if the worker has died, or will not come back from the engine."""
        since = self._busy_since
        if self._ended and not self._closing:
            raise WorkerDead
        if since is not None and time.perf_counter() - since > STALLED_SECONDS:
            raise WorkerDead(f"One pass of the engine lasts more than {STALLED_SECONDS:g} seconds.")

    async def submit(
        self, rows: Sequence[Row], *, seconds: float, hung_up: Callable[[], Awaitable[object]]
    ) -> list[RowLogits]:
        """Run `rows`; outputs in their order.

        Args:
            seconds: how long an answer is of use.
            hung_up: returns when the client has gone.

        Raises:
            Problem: refused (queue full, stopping), too late, or the engine failed.
            ClientGone: nobody waits for the answer any more.
        """
        job = Job(rows, asyncio.get_running_loop().create_future())
        self._enqueue(job)
        watch: asyncio.Future[object] | None = None
        try:
            await asyncio.wait((job.answer,), timeout=min(_PATIENCE_SECONDS, seconds))
            if not job.answer.done() and seconds > _PATIENCE_SECONDS:
                watch = asyncio.ensure_future(hung_up())
                await asyncio.wait(
                    (job.answer, watch),
                    timeout=seconds - _PATIENCE_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            if not job.answer.done():
                raise ClientGone if watch is not None and watch.done() else DeadlineExceeded
            outputs = job.answer.result()
        finally:
            if watch is not None:
                watch.cancel()
            # Whatever ended this: nothing of it runs any more.
            with self._changed:
                self._circle.remove(job)
            # Also of who waited in vain: else a full queue would look short.
            record = current(self._metrics)
            record.stage("queue", job.submitted, job.started or time.perf_counter())
        record.stage("inference", job.started, job.finished)
        return outputs

    def close(self) -> None:
        """Accept no more, run what was accepted, and end the worker. Blocks until then."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _enqueue(self, job: Job) -> None:
        with self._changed:
            if self._closing:
                raise Stopping
            if self._ended:
                raise WorkerDead
            queued = self._circle.tokens
            if queued + job.waiting_tokens() > self._max_queue_tokens:
                seconds = math.ceil(queued / self._speed)
                raise QueueFull(min(max(seconds, 1), _LONGEST_RETRY_SECONDS))
            self._circle.add(job)
            self._changed.notify()

    # From here on: the worker's thread.

    def _work(self) -> None:
        try:
            while batch := self._next_batch():
                self._run(batch)
        except BaseException:
            logger.critical("the engine's worker has died", exc_info=True)
        finally:
            with self._changed:
                self._ended = True
                left = {*self._circle.clear(), *self._running}
            _reply(left, WorkerDead)

    def _next_batch(self) -> list[tuple[Job, int]]:
        """Wait for rows and take some; none when closed and nothing is left."""
        with self._changed:
            self._running = set()
            while not len(self._circle) and not self._closing:
                self._changed.wait()
            if not len(self._circle):
                return []
            batch = self._circle.take(self._batch_tokens)
            self._running = {job for job, _ in batch}
        now = time.perf_counter()
        for job in self._running:
            job.started = job.started or now
        return batch

    def _run(self, batch: list[tuple[Job, int]]) -> None:
        rows = [job.rows[index] for job, index in batch]
        self._busy_since = begin = time.perf_counter()
        try:
            outputs = self._runner.run(rows)
        except Exception:
            logger.exception("the engine failed on a batch of %d rows", len(rows))
            with self._changed:
                for job in self._running:
                    self._circle.remove(job)
            _reply(self._running, InternalError)
            return
        finally:
            end = time.perf_counter()
            self._busy_since = None
            count_batch(self._metrics, rows, end - begin)
        tokens = len(rows) * max(row.length for row in rows)
        self._speed += 0.1 * (tokens / max(end - begin, 1e-6) - self._speed)
        for (job, index), output in zip(batch, outputs, strict=True):
            job.outputs[index] = output
        done = [job for job in self._running if len(job.outputs) == len(job.rows)]
        for job in done:
            job.finished = end
        _reply(done)


def _reply(jobs: Iterable[Job], problem: type[Problem] | None = None) -> None:
    """Hand the jobs' outputs, or `problem`, to the event loops that wait for them."""
    for job in jobs:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            job.answer.get_loop().call_soon_threadsafe(_resolve, job, problem)


def _resolve(job: Job, problem: type[Problem] | None) -> None:
    if job.answer.done():
        return
    if problem is None:
        job.answer.set_result([job.outputs[i] for i in range(len(job.rows))])
    else:
        job.answer.set_exception(problem())
