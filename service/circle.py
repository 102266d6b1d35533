"""Which rows run next: fair between requests, little padding.

Requests with waiting rows stand in a circle. A batch takes rows of one class
of lengths, that of the request whose turn it is, so that under half of it is
padding. Every request gives one row of that class a round until the token
budget is full, so that one of hundreds of texts shares the engine with one of
one text; and whoever had its turn goes to the end of the circle, so that no
class of lengths waits for long.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.engine import RowLogits
from models.tokenizer import Row

# Shorter rows are one class: a pass of their own costs more than their padding.
_SHORT = 32


def length_class(length: int) -> int:
    """Rows of one class differ in length by less than a factor of two, or are short."""
    return max(length - 1, _SHORT - 1).bit_length()


@dataclass(eq=False, slots=True)
class Job:
    """One request's rows, and who waits for them."""

    rows: Sequence[Row]
    answer: "asyncio.Future[list[RowLogits]]"
    outputs: dict[int, RowLogits] = field(default_factory=dict)
    waiting: dict[int, deque[int]] = field(default_factory=dict)
    submitted: float = field(default_factory=time.perf_counter)
    started: float = 0.0
    finished: float = 0.0

    def __post_init__(self) -> None:
        for index, row in enumerate(self.rows):
            self.waiting.setdefault(length_class(row.length), deque()).append(index)

    def waiting_tokens(self) -> int:
        """Tokens of the rows that no batch has taken."""
        return sum(self.rows[i].length for indices in self.waiting.values() for i in indices)

    def next_length(self, kind: int) -> int:
        """The length of the next row of class `kind`."""
        return self.rows[self.waiting[kind][0]].length

    def take(self, kind: int) -> int:
        """The index of the next row of class `kind`, which then waits no more."""
        indices = self.waiting[kind]
        index = indices.popleft()
        if not indices:
            del self.waiting[kind]
        return index


class Circle:
    """The jobs that have waiting rows. Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        self.tokens = 0
        self._jobs: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job) -> None:
        """Let `job` join at the end."""
        self._jobs.append(job)
        self.tokens += job.waiting_tokens()

    def remove(self, job: Job) -> None:
        """Let `job` leave, if it is here; its waiting rows will not run."""
        if job in self._jobs:
            self._jobs.remove(job)
            self.tokens -= job.waiting_tokens()
            job.waiting.clear()

    def clear(self) -> list[Job]:
        """Let all leave; returns them."""
        jobs = list(self._jobs)
        for job in jobs:
            self.remove(job)
        return jobs

    def take(self, budget: int) -> list[tuple[Job, int]]:
        """The next batch, as jobs and the indices of their rows.

        At least one row; more only while rows × longest row keep to `budget`.
        """
        kind = next(iter(self._jobs[0].waiting))
        givers = deque(job for job in self._jobs if kind in job.waiting)
        self._jobs.rotate(-1)
        batch: list[tuple[Job, int]] = []
        width = 0
        while givers:
            job = givers.popleft()
            length = job.next_length(kind)
            width = max(width, length)
            if batch and width * (len(batch) + 1) > budget:
                break
            batch.append((job, job.take(kind)))
            self.tokens -= length
            if kind in job.waiting:
                givers.append(job)
            elif not job.waiting:
                self._jobs.remove(job)
        return batch
