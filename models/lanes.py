"""Passes side by side: a lone one gets every thread, several get one thread each.

For throughput, two passes of one thread beat one pass of two threads: nothing
in them waits for the other thread. For one request alone it is the other way.
"""

import threading
from collections.abc import Sequence

from .engine import Engine, RowLogits
from .tokenizer import Row


class Lanes:
    """Two engines of the same network as one."""

    def __init__(self, wide: Engine, narrow: Engine) -> None:
        """Combine them.

        Args:
            wide: runs a pass with all threads.
            narrow: runs as many passes at a time as `wide` has threads, with one each.
        """
        self.name = wide.name
        self.precision = wide.precision
        self.threads = wide.threads
        self.lanes = wide.threads
        self.packs = wide.packs
        self._wide = wide
        self._narrow = narrow
        self._under_way = 0
        self._lock = threading.Lock()

    def cost(self, lengths: Sequence[int]) -> int:
        """Tokens that are computed for rows of such lengths."""
        return self._wide.cost(lengths)

    def run(self, rows: Sequence[Row]) -> list[RowLogits]:
        """Logits of `rows`, in their order."""
        with self._lock:
            alone = not self._under_way
            self._under_way += 1
        try:
            return (self._wide if alone else self._narrow).run(rows)
        finally:
            with self._lock:
                self._under_way -= 1
