"""The losses: each row teaches with the labels it has, and only with those."""

import torch

from training.losses import (
    agreement_loss,
    clause_loss,
    document_loss,
    leaning_loss,
    relation_loss,
)

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


def test_a_clause_whose_relation_nobody_marked_teaches_no_relation():
    logits = torch.randn(1, 2, 4, requires_grad=True)
    relation_loss(logits, torch.tensor([[1, -100]])).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0].any()
    assert not logits.grad[0, 1].any()


def test_mixed_agrees_with_clauses_of_both_signs_and_with_no_others():
    praise, blame = [-9.0, 0, 9.0], [9.0, 0, -9.0]
    both, praise_only = torch.tensor([[praise, blame]]), torch.tensor([[praise, praise]])
    mixed, positive = torch.tensor([[0.0, 0, 0, 9.0]]), torch.tensor([[0.0, 0, 9.0, 0]])
    clause_ids = torch.tensor([[-1, 0, 0, 1, 1, -1]])
    weight = torch.ones(1)
    assert agreement_loss(mixed, both, clause_ids, weight) < 0.1
    assert agreement_loss(positive, praise_only, clause_ids, weight) < 0.1
    assert agreement_loss(mixed, praise_only, clause_ids, weight) > 3
    assert agreement_loss(positive, both, clause_ids, weight) > 3


def test_a_clause_that_is_not_there_agrees_with_nothing():
    # The second slot is padding of a longer row: its blame does not count.
    clauses = torch.tensor([[[-9.0, 0, 9.0], [9.0, 0, -9.0]]])
    clause_ids = torch.tensor([[-1, 0, 0, -1]])
    assert (
        agreement_loss(torch.tensor([[0.0, 0, 9.0, 0]]), clauses, clause_ids, torch.ones(1)) < 0.1
    )
