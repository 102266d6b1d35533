"""Harder texts: embeddings moved to where the loss is higher."""

import pytest
import torch
from torch import Tensor, nn

from training.adversary import Adversary

TOKENS = torch.tensor([[1, 2, 3], [4, 5, 0]])


class Reader(nn.Module):
    """As little as has embeddings and a loss for each text."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(6, 4)
        self.weight = nn.Parameter(torch.randn(4))

    def losses(self) -> Tensor:
        """Of each text (B,)."""
        return nn.functional.softplus(self.embedding(TOKENS) @ self.weight).sum(1)


def test_every_text_is_harder_while_it_is_moved():
    reader = Reader()
    adversary = Adversary(reader.embedding, 0.5)
    before = reader.losses()
    before.sum().backward()
    with adversary.attack():
        harder = reader.losses()
    assert (harder > before + 0.01).all()


def test_every_text_is_moved_by_the_distance_however_well_it_is_known():
    reader = Reader()
    adversary = Adversary(reader.embedding, 0.5)
    (reader.losses() * torch.tensor([1.0, 1e-4])).sum().backward()
    with adversary.attack():
        moved = reader.embedding(TOKENS) - reader.embedding.weight[TOKENS]
    assert moved.flatten(1).norm(dim=1).tolist() == pytest.approx([0.5, 0.5], rel=1e-5)


def test_texts_are_as_they_were_when_the_attack_is_over():
    reader = Reader()
    adversary = Adversary(reader.embedding, 0.5)
    before = reader.losses()
    before.sum().backward()
    with pytest.raises(KeyError), adversary.attack():
        raise KeyError
    assert torch.equal(reader.losses(), before)


def test_an_attack_without_a_backward_pass_is_an_error():
    reader = Reader()
    adversary = Adversary(reader.embedding, 0.5)
    reader.losses()
    with pytest.raises(RuntimeError, match="no backward pass"), adversary.attack():
        pass
