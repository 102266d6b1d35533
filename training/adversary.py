"""Harder texts: embeddings moved to where the loss is higher (Miyato et al. 2017).

A small network that sees a review for the third time knows it by heart. Moved a little, each time
another way, the review has to be read again (arXiv 1605.07725).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


class Adversary:
    """Moves what an embedding returns, behind a backward pass that told where to."""

    def __init__(self, embedding: nn.Module, distance: float) -> None:
        """Watch `embedding`, which returns (B, T, width).

        Args:
            distance: how far a text is moved: the Euclidean length over its tokens and the width.
        """
        self._distance = distance
        self._seen: Tensor | None = None
        self._moved: Tensor | None = None
        embedding.register_forward_hook(self._pass)

    @property
    def attacking(self) -> bool:
        """Whether embeddings are being moved now."""
        return self._moved is not None

    def _pass(self, module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        if self._moved is not None:
            return output + self._moved
        if output.requires_grad:
            output.retain_grad()
            self._seen = output
        return None

    @contextmanager
    def attack(self) -> Iterator[None]:
        """Inside, the embeddings of the batch of the last backward pass are moved."""
        if self._seen is None or self._seen.grad is None:
            raise RuntimeError("there was no backward pass to tell where the loss is higher")
        gradient = self._seen.grad.detach()
        # One length a text, so that the short and the well known are moved as far as others.
        lengths = gradient.flatten(1).norm(dim=1).clamp(min=1e-12)
        self._moved = self._distance * gradient / lengths[:, None, None]
        self._seen = None
        try:
            yield
        finally:
            self._moved = None
