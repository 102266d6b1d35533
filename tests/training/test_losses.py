"""The losses: each row teaches with the labels it has, and only with those."""

import torch

from training.train import clause_loss, document_loss, leaning_loss

ONES = torch.ones(2)


def test_a_certain_and_right_document_costs_nothing():
    logits = torch.tensor([[9.0, 0, 0, 0], [0, 0, 0, 9.0]]) * 3
    target = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 1.0]])
    assert document_loss(logits, target, ONES) < 1e-3


def test_mixed_is_not_punished_where_the_label_allows_it():
    said_mixed = torch.tensor([[0.0, 0, 0, 9.0]])
    weight = torch.ones(1)
    strict = document_loss(said_mixed, torch.tensor([[1.0, 0, 0, 0]]), weight)
    lenient = document_loss(said_mixed, torch.tensor([[1.0, 0, 0, 0.6]]), weight)
    assert strict > 8
    assert lenient < 1


def test_rows_without_a_label_do_not_move_a_head():
    logits = torch.randn(2, 4, requires_grad=True)
    document_loss(logits, torch.zeros(2, 4), ONES).backward()
    assert logits.grad is not None
    assert not logits.grad.any()
    side = torch.randn(2, requires_grad=True)
    leaning_loss(side, torch.full((2,), torch.nan), ONES).backward()
    assert side.grad is not None
    assert not side.grad.any()


def test_a_middling_text_pulls_the_side_to_the_middle():
    half = torch.full((2,), 0.5)
    assert leaning_loss(torch.zeros(2), half, ONES) < leaning_loss(ONES * 3, half, ONES)


def test_ignored_clauses_do_not_count():
    logits = torch.tensor([[[9.0, 0, 0], [0, 9.0, 0]]])
    target = torch.tensor([[0, -100]])
    assert clause_loss(logits, target, torch.tensor([[1.0, 0.0]])) < 1e-2
