"""One queue, and a worker thread for each pass beside others of the engine, and one more.

There is no waiting for more rows: an idle worker takes what is there, and a
batch forms while all are busy. `circle` says which rows a batch takes. A batch
is short in time: who comes next waits for no more than one.
"""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress

from models.engine import Engine, RowLogits
from models.packing import PASS_TOKENS
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
# A pass should take so long: most of an engine's throughput, and a short wait for the next.
_PASS_SECONDS = 0.016
_LEAST_TOKENS = 256
# A pass shorter than this tells more of its fixed cost than of the engine's speed.
_TELLING_TOKENS = 128
# A first guess, until the engine has shown its speed.
_TOKENS_PER_SECOND = 25_000.0
_LONGEST_RETRY_SECONDS = 60
# A pass takes a second at most on the slowest machine; this one hangs.
STALLED_SECONDS = 30.0


class Batcher:
    """Runs the rows of many requests in shared batches."""

    def __init__(
        self,
        engine: Engine,
        metrics: Metrics,
        *,
        max_queue_tokens: int,
        batch_tokens: int,
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._max_queue_tokens = max_queue_tokens
        self._batch_tokens = batch_tokens
        # The lock of what follows it: the event loop and the worker both come here.
        self._changed = threading.Condition()
        self._circle = Circle(packs=engine.packs)
        self._closing = False
        self._died = False
        # Of one pass beside others.
        self._speed = _TOKENS_PER_SECOND
        # One more than lanes: its pass stands ready when a lane gets free.
        self._workers = [_Worker() for _ in range(engine.lanes + (engine.lanes > 1))]
        for worker in self._workers:
            worker.thread = threading.Thread(
                target=self._work, args=(worker,), name="danshi-engine", daemon=True
            )
            worker.thread.start()
        metrics.watch_queue(
            lambda: len(self._circle), lambda: self._circle.tokens, max_queue_tokens
        )

    def check_alive(self) -> None:
        """Raise WorkerDead if a worker has died, or will not come back from the engine."""
        if self._died:
            raise WorkerDead
        now = time.perf_counter()
        for worker in self._workers:
            since = worker.busy_since
            if since is not None and now - since > STALLED_SECONDS:
                detail = f"One pass of the engine lasts more than {STALLED_SECONDS:g} seconds."
                raise WorkerDead(detail)

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
        loop = asyncio.get_running_loop()
        job = Job(rows, loop.create_future())
        self._enqueue(job)
        wait = _Wait(loop, job, seconds, hung_up)
        try:
            outputs = await job.answer
        finally:
            wait.end()
            if job.waiting:
                # Whatever ended this: nothing of it runs any more.
                with self._changed:
                    self._circle.remove(job)
            # Also of who waited in vain: else a full queue would look short.
            record = current(self._metrics)
            record.stage("queue", job.submitted, job.started or time.perf_counter())
        record.stage("inference", job.started, job.finished)
        return outputs

    def close(self) -> None:
        """Accept no more, run what was accepted, and end the workers. Blocks until then."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for worker in self._workers:
            worker.thread.join()

    def _enqueue(self, job: Job) -> None:
        with self._changed:
            if self._closing:
                raise Stopping
            if self._died:
                raise WorkerDead
            queued = self._circle.tokens
            if queued + job.waiting_tokens() > self._max_queue_tokens:
                seconds = math.ceil(queued / (self._speed * self._engine.lanes))
                raise QueueFull(min(max(seconds, 1), _LONGEST_RETRY_SECONDS))
            self._circle.add(job)
            self._changed.notify()

    # From here on: the workers' threads.

    def _work(self, worker: "_Worker") -> None:
        try:
            while batch := self._next_batch(worker):
                self._run(worker, batch)
        except BaseException:
            logger.critical("a worker of the engine has died", exc_info=True)
            with self._changed:
                self._died = True
                left = {*self._circle.clear(), *worker.running}
            _reply(left, WorkerDead)

    def _next_batch(self, worker: "_Worker") -> list[tuple[Job, int]]:
        """Wait for rows and take some; none when closed and nothing is left."""
        with self._changed:
            worker.running = set()
            while not len(self._circle) and not self._closing and not self._died:
                self._changed.wait()
            if not len(self._circle):
                return []
            batch = self._circle.take(self._budget())
            worker.running = {job for job, _ in batch}
        now = time.perf_counter()
        for job in worker.running:
            job.started = job.started or now
        return batch

    def _budget(self) -> int:
        """Tokens of a batch, by what the engine has shown."""
        if self._engine.packs:  # one pass, whose size is known
            return min(PASS_TOKENS, self._batch_tokens)
        return min(max(int(self._speed * _PASS_SECONDS), _LEAST_TOKENS), self._batch_tokens)

    def _run(self, worker: "_Worker", batch: list[tuple[Job, int]]) -> None:
        rows = [job.rows[index] for job, index in batch]
        worker.busy_since = begin = time.perf_counter()
        try:
            outputs = self._engine.run(rows)
        except Exception:
            logger.exception("the engine failed on a batch of %d rows", len(rows))
            with self._changed:
                for job in worker.running:
                    self._circle.remove(job)
            _reply(worker.running, InternalError)
            return
        finally:
            end = time.perf_counter()
            worker.busy_since = None
        done = []
        with self._changed:  # the rows of one job may come from several workers
            for (job, index), output in zip(batch, outputs, strict=True):
                job.outputs[index] = output
                if len(job.outputs) == len(job.rows):
                    job.finished = end
                    done.append(job)
        _reply(done)
        # Behind the reply, which somebody waits for. All lanes together are busy 1 at most.
        tokens = self._engine.cost([row.length for row in rows])
        if tokens >= _TELLING_TOKENS:
            self._speed += 0.1 * (tokens / max(end - begin, 1e-6) - self._speed)
        count_batch(self._metrics, rows, tokens, (end - begin) / len(self._workers))


class _Worker:
    """One thread and what it is at."""

    thread: threading.Thread

    def __init__(self) -> None:
        self.running: set[Job] = set()
        self.busy_since: float | None = None


class _Wait:
    """Ends a wait at its deadline, or when the client hangs up. Costs a timer and no task."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        job: Job,
        seconds: float,
        hung_up: Callable[[], Awaitable[object]],
    ) -> None:
        self._loop = loop
        self._answer = job.answer
        self._left = seconds - _PATIENCE_SECONDS
        self._hung_up = hung_up
        self._watch: asyncio.Future[object] | None = None
        after = self._watch_client if self._left > 0 else self._give_up
        self._timer = loop.call_later(min(_PATIENCE_SECONDS, seconds), after)

    def _watch_client(self) -> None:
        self._timer = self._loop.call_later(self._left, self._give_up)
        self._watch = asyncio.ensure_future(self._hung_up())
        self._watch.add_done_callback(self._let_go)

    def _let_go(self, watch: "asyncio.Future[object]") -> None:
        if not watch.cancelled() and not self._answer.done():
            self._answer.set_exception(watch.exception() or ClientGone())

    def _give_up(self) -> None:
        if not self._answer.done():
            self._answer.set_exception(DeadlineExceeded())

    def end(self) -> None:
        """There is an answer, or nobody waits for one."""
        self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()


def _reply(jobs: Collection[Job], problem: type[Problem] | None = None) -> None:
    """Hand the jobs' outputs, or `problem`, to the event loop that waits for them."""
    for loop in {job.answer.get_loop() for job in jobs}:
        # One wake-up for all of them: each costs the GIL twice.
        same = [job for job in jobs if job.answer.get_loop() is loop]
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, same, problem)


def _resolve(jobs: Iterable[Job], problem: type[Problem] | None) -> None:
    for job in jobs:
        if job.answer.done():
            continue
        if problem is None:
            job.answer.set_result([job.outputs[i] for i in range(len(job.rows))])
        else:
            job.answer.set_exception(problem())
