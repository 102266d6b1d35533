"""The network: one encoder, three heads. The only module of `models` that needs torch."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from .labels import CLAUSE_LABELS, LABELS, RELATIONS

_POSITIVE = CLAUSE_LABELS.index("positive")
_NEGATIVE = CLAUSE_LABELS.index("negative")
# Takes a token out of a softmax, and is no infinity in half precision.
_HIDDEN = -1e4


class DanshiConfig(PretrainedConfig):
    """The configuration of the encoder, kept whole, and of the heads."""

    model_type = "danshi"

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        head_dropout: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.encoder = encoder or {"model_type": "bert"}
        self.head_dropout = head_dropout

    def encoder_config(self) -> PretrainedConfig:
        settings = dict(self.encoder)
        return AutoConfig.for_model(settings.pop("model_type"), **settings)


class DanshiOutput(NamedTuple):
    """Logits of a batch: document (B, 4), leaning (B,), clauses (B, C, 3), relations (B, C, 4)."""

    document: Tensor
    leaning: Tensor
    clauses: Tensor
    relations: Tensor


class DanshiNetwork(PreTrainedModel):
    """Encoder with a document, a leaning, a clause and a relation head over the same states.

    The relation head tells a turn from its look-alikes (不过 in 不过三天 and in 不过贵).
    The document and leaning heads also see what the clause head found: the
    strongest praise, the strongest blame and the last clause. So `mixed` is
    learnt from its parts, and a label of the text teaches its clauses.
    """

    config_class = DanshiConfig
    base_model_prefix = "encoder"

    def __init__(self, config: DanshiConfig) -> None:
        super().__init__(config)
        encoder_config = config.encoder_config()
        # Plain attention is exported as the pattern that runtimes fuse, and on
        # a CPU trains faster than the fused kernel of torch.
        self.encoder = AutoModel.from_config(encoder_config, attn_implementation="eager")
        width: int = encoder_config.hidden_size
        self.dropout = nn.Dropout(config.head_dropout)
        self.clause_dense = nn.Linear(width, width)
        self.clause_logits = nn.Linear(width, len(CLAUSE_LABELS))
        self.relation_dense = nn.Linear(2 * width, width)
        self.relation_logits = nn.Linear(width, len(RELATIONS))
        self.text_dense = nn.Linear(3 * width, width)
        self.document_logits = nn.Linear(width, len(LABELS))
        self.leaning_logit = nn.Linear(width, 1)
        self.document_evidence = nn.Linear(6, len(LABELS), bias=False)
        self.both_evidence = nn.Linear(1, len(LABELS), bias=False)
        self.leaning_evidence = nn.Linear(6, 1, bias=False)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        clause_ids: Tensor,
        clause_slots: Tensor,
    ) -> DanshiOutput:
        """Logits of a padded batch.

        Args:
            input_ids: token ids (B, T).
            attention_mask: 1 for a token, 0 for padding (B, T).
            clause_ids: each token's clause, -1 for special and padding tokens (B, T).
            clause_slots: 0 … C - 1, (C,).
        """
        # What is added to the scores of attention, ready made: transformers would build it from
        # twenty operations, which runtimes work out again for every shape.
        hidden_keys = (1.0 - attention_mask[:, None, None, :].float()) * _HIDDEN
        states = self.encoder(input_ids=input_ids, attention_mask=hidden_keys).last_hidden_state
        clause_logits, relation_logits, present = self._clauses(states, clause_ids, clause_slots)
        pooled = self._pool(states, attention_mask)
        hidden = self.dropout(nn.functional.gelu(self.text_dense(pooled)))
        evidence = _evidence(clause_logits, present)
        # Praise and blame both there is what `mixed` means.
        both = evidence[:, :2].prod(-1, keepdim=True)
        document = self.document_logits(hidden) + self.document_evidence(evidence)
        document = document + self.both_evidence(both)
        leaning = self.leaning_logit(hidden) + self.leaning_evidence(evidence)
        return DanshiOutput(document, leaning.squeeze(-1), clause_logits, relation_logits)

    def _clauses(
        self, states: Tensor, clause_ids: Tensor, slots: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Clause logits (B, C, 3), relation logits (B, C, 4), and which clauses are present.

        A clause is the mean of its states; its relation also sees its first token,
        where the connective mostly stands.
        """
        member = (clause_ids.unsqueeze(1) == slots.view(1, -1, 1)).to(states.dtype)
        count = member.sum(-1, keepdim=True)
        mean = torch.matmul(member, states) / count.clamp(min=1.0)
        hidden = self.dropout(nn.functional.gelu(self.clause_dense(mean)))
        # Clauses follow one another: a token opens one where its predecessor is in another.
        opens = (clause_ids[:, 1:] != clause_ids[:, :-1]).to(states.dtype).unsqueeze(1)
        first = torch.matmul(member[:, :, 1:] * opens, states[:, 1:])
        related = torch.cat((mean, first), dim=-1)
        related = self.dropout(nn.functional.gelu(self.relation_dense(related)))
        return (
            self.clause_logits(hidden),
            self.relation_logits(related),
            (count > 0).to(states.dtype),
        )

    @staticmethod
    def _pool(states: Tensor, attention_mask: Tensor) -> Tensor:
        """First state, mean and maximum over the tokens: (B, 3 × width)."""
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1)
        highest = (states + (mask - 1.0) * 1e4).amax(1)
        return torch.cat((states[:, 0], mean, highest), dim=-1)


def _evidence(clause_logits: Tensor, present: Tensor) -> Tensor:
    """What the clauses say of the text, (B, 6): strongest, mean and last praise and blame."""
    probability = clause_logits.softmax(-1) * present
    sides = torch.stack((probability[..., _POSITIVE], probability[..., _NEGATIVE]), dim=-1)
    strongest = sides.amax(1)
    mean = sides.sum(1) / present.sum(1).clamp(min=1.0)
    # The last clause of each row: present, and the next slot is not.
    following = torch.cat((present[:, 1:], torch.zeros_like(present[:, :1])), dim=1)
    last = (sides * present * (1.0 - following)).sum(1)
    return torch.cat((strongest, mean, last), dim=-1)
