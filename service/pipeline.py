"""A request's way through the model: prepare → batcher → finish, each timed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from models import Result, TextError
from models.engine import Engine, RowLogits
from models.tokenizer import Prepared, Row
from service.batcher import Batcher
from service.body import json_type
from service.errors import (
    DeadlineExceeded,
    FieldError,
    InvalidRequest,
    InvalidText,
    Problem,
    QueueFull,
)
from service.metrics import Metrics
from service.record import Record, current
from service.settings import Settings

# Up to so many characters the work takes less time than a thread's wake-up costs the others.
_INLINE_CHARACTERS = 1000
# Who waits for room in the queue asks again after this, then after twice as long, and so on.
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0


class ServedModel(Protocol):
    """What the service needs of `models.Classifier`."""

    engine: Engine

    def prepare(self, text: str) -> Prepared:
        """Tokenise."""
        ...

    def finish(self, prepared: Prepared, outputs: Sequence[RowLogits]) -> Result:
        """Decide."""
        ...


class Pipeline:
    """Classifies the texts of requests with one model."""

    def __init__(self, model: ServedModel, settings: Settings, metrics: Metrics) -> None:
        self._model = model
        self._settings = settings
        self.metrics = metrics
        self._batcher = Batcher(
            model.engine,
            metrics,
            max_queue_tokens=settings.max_queue_tokens,
            batch_tokens=settings.batch_tokens,
        )

    def check_alive(self) -> None:
        """Raise WorkerDead if nothing can be classified any more."""
        self._batcher.check_alive()

    def close(self) -> None:
        """Answer what was accepted, then end the worker. Blocks until then."""
        self._batcher.close()

    async def classify(
        self,
        texts: Sequence[object],
        *,
        field: str,
        deadline: float,
        hung_up: Callable[[], Awaitable[object]],
        patient: bool = False,
    ) -> list[Result | Problem]:
        """Classify `texts`; a wrong one gets its problem in its place.

        Args:
            field: the request's field that the texts come from, for error messages.
            deadline: when the answer is of no more use, in the event loop's time.
            hung_up: returns when the client has gone.
            patient: whether to wait for room in a full queue, instead of refusing at once.

        Raises:
            Problem: the request as a whole cannot be answered.
            ClientGone: nobody waits for the answer any more.
        """
        record = current(self.metrics)
        small = sum(len(t) for t in texts if isinstance(t, str)) <= _INLINE_CHARACTERS

        begin = time.perf_counter()
        prepared = (
            self._prepare(texts, field, record)
            if small
            else await asyncio.to_thread(self._prepare, texts, field, record)
        )
        record.stage("tokenize", begin, time.perf_counter())

        rows = [row for item in prepared if isinstance(item, Prepared) for row in item.rows]
        outputs = await self._run(rows, deadline, hung_up, patient)

        begin = time.perf_counter()
        results = (
            self._finish(prepared, outputs, record)
            if small
            else await asyncio.to_thread(self._finish, prepared, outputs, record)
        )
        record.stage("finish", begin, time.perf_counter())
        return results

    async def _run(
        self,
        rows: Sequence[Row],
        deadline: float,
        hung_up: Callable[[], Awaitable[object]],
        patient: bool,
    ) -> list[RowLogits]:
        """Outputs of `rows`. What was read and counted before is not done again for a retry."""
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE_SECONDS
        while (seconds := deadline - loop.time()) > 0:
            if not rows:  # all texts were wrong
                return []
            try:
                return await self._batcher.submit(rows, seconds=seconds, hung_up=hung_up)
            except QueueFull:
                if not patient or loop.time() + pause > deadline:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        raise DeadlineExceeded

    def _prepare(
        self, texts: Sequence[object], field: str, record: Record
    ) -> list[Prepared | Problem]:
        limit = self._settings.max_queue_tokens
        prepared = list[Prepared | Problem]()
        tokens = 0
        for text in texts:
            item = self._prepare_one(text, field)
            prepared.append(item)
            if not isinstance(item, Prepared):
                continue
            record.read(item)
            if (tokens := tokens + item.token_count) > limit:
                # More than the queue can ever hold: it would be refused for good.
                detail = f"must not be more than {limit} tokens in all"
                raise InvalidRequest(
                    f"The request is not valid: {field} {detail}.",
                    errors=[FieldError(field, detail, limit)],
                )
        return prepared

    def _prepare_one(self, text: object, field: str) -> Prepared | Problem:
        limit = self._settings.max_chars
        if not isinstance(text, str):
            given = json_type(text)
            error = FieldError(field, "must be a string", given=given)
            return InvalidText(f"The text must be a string, not {given}.", errors=[error])
        if len(text) > limit:
            error = FieldError(field, f"must not be longer than {limit}", limit, len(text))
            detail = f"The text is {len(text)} characters long; the limit is {limit}."
            return InvalidText(detail, errors=[error])
        try:
            return self._model.prepare(text)
        except TextError as wrong:
            sentence = str(wrong)
            error = FieldError(field, sentence, given=len(text))
            return InvalidText(f"{sentence[:1].upper()}{sentence[1:]}.", errors=[error])

    def _finish(
        self,
        prepared: Sequence[Prepared | Problem],
        outputs: Sequence[RowLogits],
        record: Record,
    ) -> list[Result | Problem]:
        results = list[Result | Problem]()
        first = 0
        for item in prepared:
            if isinstance(item, Prepared):
                rows = outputs[first : first + len(item.rows)]
                first += len(item.rows)
                results.append(self._model.finish(item, rows))
            else:
                results.append(item)
            record.said(results[-1])
        return results
