"""The order in which rows are trained on."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from transformers.trainer_pt_utils import LengthGroupedSampler


class GroupedByLength(LengthGroupedSampler):
    """Rows of like length together, in an order that a resumed epoch finds again.

    The Trainer draws the order from torch's own generator, and when it goes on, before that is
    what it was: each epoch would go on in the order of the first.

    place: seed and epoch, asked for when an epoch begins.
    """

    def __init__(
        self, batch_size: int, lengths: list[int], place: Callable[[], tuple[int, int]]
    ) -> None:
        super().__init__(batch_size, lengths=lengths)
        self._place = place

    def __iter__(self) -> Iterator[int]:
        (seed,) = np.random.SeedSequence(self._place()).generate_state(1)
        self.generator = torch.Generator().manual_seed(int(seed))
        order: Iterator[int] = super().__iter__()  # type: ignore[no-untyped-call]
        return order
