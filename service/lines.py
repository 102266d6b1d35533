"""`POST /v1/classify` with JSON Lines: a line in, a line out, while both still flow.

Nothing here grows with the body: so many groups of lines are under way at a
time, and while the client does not take their answers no more lines are read.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from models import Result
from service.body import JSON_LINES, json_type, parse_json
from service.errors import (
    BodyTimeout,
    BodyTooLarge,
    ClientGone,
    FieldError,
    InvalidRequest,
    Problem,
    Stopping,
)
from service.pipeline import Pipeline
from service.record import current

# What is grouped is computed and answered together: enough to fill batches, soon enough to flow.
_LINES_A_GROUP = 64
_GROUPS_UNDER_WAY = 4

Answer = Callable[[Result | Problem], dict[str, Any]]


class LineStream(Response):
    """The answer to a body of lines. Starts with the first answered line."""

    def __init__(
        self,
        request: Request,
        pipeline: Pipeline,
        *,
        answer: Answer,
        line_bytes: int,
        group_bytes: int,
        seconds: float,
        stopping: Callable[[], bool],
    ) -> None:
        """Prepare to stream.

        Args:
            answer: what a line says of a result or of a problem.
            line_bytes: bytes a line, at most.
            group_bytes: bytes of lines that are queued as one, about.
            seconds: how long the next line may let wait for it, and its answer for itself.
            stopping: whether the service ends, and the stream with it.
        """
        super().__init__(media_type=JSON_LINES)
        # Its length is not known when it starts.
        del self.headers["content-length"]
        self._request = request
        self._pipeline = pipeline
        self._answer = answer
        self._line_bytes = line_bytes
        self._group_bytes = group_bytes
        self._seconds = seconds
        self._stopping = stopping
        self._gone = asyncio.Event()
        self._broken: Problem | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read, classify and answer until the body ends.

        Raises:
            InvalidRequest: there is no line.
            ClientGone: nobody reads the answers.
            Problem: what ended the stream early, told in its last line.
        """
        current(self._pipeline.metrics).form = "lines"
        groups: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(_GROUPS_UNDER_WAY)
        reader = asyncio.create_task(self._read(groups))
        started = False
        try:
            while (group := await groups.get()) is not None:
                body = await group
                if not started:
                    await self._start(send)
                    started = True
                # Who sends on and never reads would wait for us, as we would for them.
                async with asyncio.timeout(self._seconds):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            if self._gone.is_set():
                raise ClientGone
            if not started:
                raise InvalidRequest("The body holds no line.")
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            if self._broken is not None:
                raise self._broken
        except OSError:  # no time left, or the server's way to say that the client has gone
            raise ClientGone from None
        finally:
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader
            while not groups.empty():
                if (left := groups.get_nowait()) is not None:
                    left.cancel()

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

    async def _read(self, groups: "asyncio.Queue[asyncio.Task[bytes] | None]") -> None:
        """Turn the body into tasks, a group each; then wait for the client to hang up."""
        try:
            async for lines in self._groups():
                await groups.put(asyncio.create_task(self._classify(lines)))
                if self._stopping():
                    self._broken = Stopping()
                    break
        except TimeoutError:
            self._broken = BodyTimeout(f"No line came for {self._seconds:g} seconds.")
        if self._broken is not None:
            await groups.put(asyncio.create_task(self._last(self._broken)))
        await groups.put(None)
        while not self._gone.is_set():
            message = await self._request.receive()
            if message["type"] == "http.disconnect":
                self._gone.set()

    async def _groups(self) -> AsyncIterator[list[bytes]]:
        """The lines that have come, grouped; one that is too long is cut just above the limit."""
        # Grown in place: a line may come in a million pieces, and each is looked at once.
        rest = bytearray()
        more = True
        while more:
            async with asyncio.timeout(self._seconds):
                message = await self._request.receive()
            if message["type"] == "http.disconnect":
                self._gone.set()
                return
            more = message.get("more_body", False)
            *lines, last = message.get("body", b"").split(b"\n")
            if lines:
                lines[0] = bytes(rest + lines[0])
                rest.clear()
            rest += last
            if not more:
                lines.append(bytes(rest))
            elif len(rest) > 2 * self._line_bytes:
                del rest[self._line_bytes + 1 :]
            for group in self._grouped(line for line in lines if line.strip()):
                yield group

    def _grouped(self, lines: Iterable[bytes]) -> Iterator[list[bytes]]:
        group: list[bytes] = []
        size = 0
        for line in lines:
            if group and (len(group) == _LINES_A_GROUP or size + len(line) > self._group_bytes):
                yield group
                group, size = [], 0
            group.append(line)
            size += len(line)
        if group:
            yield group

    async def _classify(self, lines: Sequence[bytes]) -> bytes:
        """The answers to `lines`, a line each."""
        texts = [self._parse(line) for line in lines]
        sound = [text for text in texts if not isinstance(text, Problem)]
        record = current(self._pipeline.metrics)
        for text in texts:
            if isinstance(text, Problem):
                record.said(text)
        results = iter(await self._results(sound) if sound else ())
        said = (text if isinstance(text, Problem) else next(results) for text in texts)
        return b"".join(to_json(self._answer(result)) + b"\n" for result in said)

    async def _results(self, texts: Sequence[object]) -> Sequence[Result | Problem]:
        deadline = asyncio.get_running_loop().time() + self._seconds
        try:
            # A stream can wait for room, and its client with it.
            return await self._pipeline.classify(
                texts, field="text", deadline=deadline, hung_up=self._gone.wait, patient=True
            )
        except Problem as problem:
            return self._all(problem, len(texts))

    def _all(self, problem: Problem, count: int) -> list[Problem]:
        """`problem` for each of so many lines; counted here, since `Pipeline` did not."""
        record = current(self._pipeline.metrics)
        for _ in range(count):
            record.said(problem)
        return [problem] * count

    async def _last(self, problem: Problem) -> bytes:
        return to_json(self._answer(problem)) + b"\n"

    def _parse(self, line: bytes) -> object:
        """The text of a line: the string that it is, or the one under `text`."""
        if len(line) > self._line_bytes:
            return BodyTooLarge(f"The line is larger than {self._line_bytes} bytes.")
        try:
            value = parse_json(line)
        except Problem as problem:
            problem.detail = problem.detail.replace("The body", "The line")
            return problem
        if isinstance(value, dict):
            if "text" not in value:
                wrong = FieldError("text", "is missing")
                return InvalidRequest("The line has no text.", errors=[wrong])
            return value["text"]
        if isinstance(value, str):
            return value
        return InvalidRequest(
            f"The line must be an object with text, or a string, not {json_type(value)}."
        )
