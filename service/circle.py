"""Which rows run next: fair between requests, the oldest first, little padding.

Requests with waiting rows stand in a circle, oldest first. The first gives its
longest row and goes to the end of the circle, so that everybody gets on. What is
left of the token budget goes to those who have the fewest rows left, of each the
longest rows that suit. So one request of hundreds of texts does not hold up one
of one text, and big requests that came together are answered one after the other:
were they all answered at once, the engine would wait for the next ones.

An engine that lays rows end to end takes whatever still fits into the budget.
For one that pads them, the first row makes the batch as wide as it is, and what
suits is no longer and not much shorter.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.engine import RowLogits
from models.packing import most_texts
from models.tokenizer import Row

# Padding that costs less than a pass of its own.
_CHEAP_PADDING = 16


def shortest_beside(width: int) -> int:
    """The shortest row that may share a batch of `width` tokens a row."""
    return width - max(_CHEAP_PADDING, width // 4)


@dataclass(eq=False, slots=True)
class Job:
    """One request's rows, and who waits for them."""

    rows: Sequence[Row]
    answer: "asyncio.Future[list[RowLogits]]"
    outputs: dict[int, RowLogits] = field(default_factory=dict)
    submitted: float = field(default_factory=time.perf_counter)
    started: float = 0.0
    finished: float = 0.0
    # The lengths and indices of the rows that no batch has taken, longest last.
    waiting: list[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.waiting = sorted((row.length, -i) for i, row in enumerate(self.rows))

    def waiting_tokens(self) -> int:
        """Tokens of the rows that no batch has taken."""
        return sum(length for length, _ in self.waiting)

    def take(self, shortest: int, longest: int) -> int | None:
        """The index of the longest row of such a length, which then waits no more."""
        waiting = self.waiting
        place = len(waiting) - 1
        # A single row nearly always: no bisection.
        while place >= 0 and waiting[place][0] > longest:
            place -= 1
        if place < 0 or waiting[place][0] < shortest:
            return None
        return -waiting.pop(place)[1]


class Circle:
    """The jobs that have waiting rows. Not thread-safe: its owner holds a lock."""

    def __init__(self, *, packs: bool) -> None:
        """Args: packs: whether the engine lays rows end to end, or pads them."""
        self._packs = packs
        self.tokens = 0
        self._jobs: OrderedDict[Job, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job) -> None:
        """Let `job` join at the end."""
        self._jobs[job] = None
        self.tokens += job.waiting_tokens()

    def remove(self, job: Job) -> None:
        """Let `job` leave, if it is here; its waiting rows will not run."""
        if job in self._jobs:
            del self._jobs[job]
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

        At least one row; more only while they cost no more than `budget` tokens.
        """
        first = next(iter(self._jobs))
        self._jobs.move_to_end(first)
        width = first.waiting[-1][0]
        if self._packs:
            shortest, most = 0, most_texts(budget)
        else:
            shortest, most = shortest_beside(width), max(budget // width, 1)
        index = self._give(first, shortest, width)
        assert index is not None
        batch = [(first, index)]
        longest = budget - width if self._packs else width
        for job in sorted(self._jobs, key=lambda job: len(job.waiting)):
            while len(batch) < most:
                index = self._give(job, shortest, longest)
                if index is None:
                    break
                batch.append((job, index))
                if self._packs:
                    longest -= job.rows[index].length
        return batch

    def _give(self, job: Job, shortest: int, longest: int) -> int | None:
        """The index of a row of such a length that `job` has given, and may leave thereby."""
        index = job.take(shortest, longest)
        if index is not None:
            self.tokens -= job.rows[index].length
            if not job.waiting:
                del self._jobs[job]
        return index
