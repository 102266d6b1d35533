"""How far a bulk run is: on a terminal a bar with rate and time left, else a line now and then."""

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from service.bulk.sources import Source

_SECONDS_BETWEEN_LINES = 10.0


class Progress(AbstractContextManager["Progress"]):
    """Shows on standard error how many rows are done, until its `with` ends.

    `read` counts the rows that were read, those of an earlier run included.
    """

    def __init__(self, source: Source, kept: int) -> None:
        self.read = 0
        self._source = source
        self._kept = kept
        self._rows = 0
        self._begin = self._shown = time.monotonic()
        self._bar = _bar() if sys.stderr.isatty() else None
        self._task = self._bar.add_task("", total=None, rows="0", rate="") if self._bar else None
        self._screen: AbstractContextManager[object] = self._bar or nullcontext()

    def __enter__(self) -> Self:
        self._screen.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._screen.__exit__(*raised)  # type: ignore[arg-type]

    def advance(self, rows: int) -> None:
        """`rows` more are done."""
        self._rows += rows
        now = time.monotonic()
        rate = self._rows / max(now - self._begin, 1e-6)
        complete = self._kept + self._rows
        # The rows read so far, by their share of the file, tell how many there are about.
        share = self._source.done
        total = max(self.read / share, complete) if share else None
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task,
                completed=complete,
                total=total,
                rows=f"{complete:,}",
                rate=f"{rate:,.0f}/s",
            )
        elif now - self._shown >= _SECONDS_BETWEEN_LINES:
            self._shown = now
            left = (
                f", {complete / total:.0%}, {(total - complete) / rate:.0f} s left" if total else ""
            )
            print(f"danshi: {complete:,} rows, {rate:,.0f} a second{left}", file=sys.stderr)


def _bar() -> Bar:
    return Bar(
        TextColumn("{task.fields[rows]} rows"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
    )
