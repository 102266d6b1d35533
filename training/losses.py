"""The losses of the three heads, each over the rows that know its target."""

import torch
from torch import Tensor
from torch.nn import functional as F

from models.labels import CLAUSE_LABELS, LABELS
from training.targets import IGNORED

_MIXED = LABELS.index("mixed")
_SIDES = [CLAUSE_LABELS.index("positive"), CLAUSE_LABELS.index("negative")]


def document_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """-log Σ target·p over rows whose target is known; logits and target (B, 4)."""
    known = target.sum(-1) > 0
    if not known.any():
        return logits.sum() * 0.0
    allowed = logits[known].log_softmax(-1) + target[known].clamp(min=1e-9).log()
    loss = -allowed.logsumexp(-1)
    return _mean(loss, weight[known])


def leaning_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Binary cross entropy over rows with a side; logits and target (B,)."""
    known = ~target.isnan()
    if not known.any():
        return logits.sum() * 0.0
    loss = F.binary_cross_entropy_with_logits(logits[known], target[known], reduction="none")
    return _mean(loss, weight[known])


def clause_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross entropy over the clauses with a label; logits (B, C, 3), target (B, C)."""
    if not weight.any():
        return logits.sum() * 0.0
    loss = F.cross_entropy(
        logits.flatten(0, 1), target.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return _mean(loss, weight.flatten())


def relation_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy over the clauses whose relation is known; logits (B, C, 4), target (B, C)."""
    return clause_loss(logits, target, (target != IGNORED).to(logits.dtype))


def agreement_loss(document: Tensor, clauses: Tensor, clause_ids: Tensor, weight: Tensor) -> Tensor:
    """How far the label and the clauses tell different stories; no target is needed.

    With p the probability of `mixed`, and q that some clause is favourable and some
    unfavourable (the strongest of each): -log(p q + (1 - p)(1 - q)).

    Args:
        document: logits (B, 4).
        clauses: logits (B, C, 3).
        clause_ids: each token's clause, -1 for none (B, T).
        weight: how much each row counts (B,).
    """
    slots = torch.arange(clauses.shape[1], device=clauses.device)
    present = (clause_ids.unsqueeze(1) == slots.view(1, -1, 1)).any(-1, keepdim=True)
    strongest = (clauses.softmax(-1)[..., _SIDES] * present).amax(1)
    both = strongest.prod(-1)
    mixed = document.softmax(-1)[:, _MIXED]
    agree = mixed * both + (1 - mixed) * (1 - both)
    return _mean(-agree.clamp(min=1e-6).log(), weight)


def _mean(loss: Tensor, weight: Tensor) -> Tensor:
    return (loss * weight).sum() / weight.sum().clamp(min=1e-6)
