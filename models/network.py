"""The network: one encoder, three heads. The only module of `models` that needs torch."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from .labels import CLAUSE_LABELS, LABELS, RELATIONS

_SIDES = torch.tensor([CLAUSE_LABELS.index("positive"), CLAUSE_LABELS.index("negative")])
# Takes a token out of a softmax, and is no infinity in half precision.
_HIDDEN = -1e4


class DanshiConfig(PretrainedConfig):
    """The configuration of the encoder, kept whole, and of the heads.

    adds_mask: whether the encoder adds a mask of four dimensions to the scores of attention.
        Ready made, it saves twenty operations that runtimes work out again for every shape.
    """

    model_type = "danshi"

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        head_dropout: float = 0.1,
        adds_mask: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.encoder = encoder or {"model_type": "bert"}
        self.head_dropout = head_dropout
        self.adds_mask = adds_mask

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
        clause_opens: Tensor,
        clause_slots: Tensor,
    ) -> DanshiOutput:
        """Logits of a padded batch.

        Few operations, as each costs a runtime some 10 µs for every new shape.

        Args:
            input_ids: token ids (B, T).
            attention_mask: 1 for a token, 0 for padding (B, T).
            clause_ids: each token's clause, -1 for special and padding tokens (B, T).
            clause_opens: as clause_ids, but -1 for all but the first token of a clause (B, T).
            clause_slots: 0 … C - 1, (C,).
        """
        bias = attention_bias(attention_mask)
        mask = bias[:, None, None, :] if self.config.adds_mask else attention_mask
        states = self.encoder(input_ids=input_ids, attention_mask=mask).last_hidden_state
        slots = clause_slots.view(1, -1, 1)
        members = (clause_ids.unsqueeze(1) == slots).to(states.dtype)
        count = members.sum(-1, keepdim=True)
        mean = torch.matmul(members, states) / count.clamp(min=1.0)
        opens = (clause_opens.unsqueeze(1) == slots).to(states.dtype)
        clauses, relations = self.read_clauses(mean, torch.matmul(opens, states))
        pooled = self._pool(states, attention_mask, bias)
        text = self.dropout(nn.functional.gelu(self.text_dense(pooled)))
        found = evidence(clauses, count.clamp(max=1.0), slots + 1)
        document, leaning = self.read_text(text, found)
        return DanshiOutput(document, leaning, clauses, relations)

    def read_clauses(self, mean: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Clause logits (B, C, 3) and relation logits (B, C, 4).

        A clause is the mean of its states; its relation also sees its first token,
        where the connective mostly stands.
        """
        hidden = self.dropout(nn.functional.gelu(self.clause_dense(mean)))
        related = torch.cat((mean, first), dim=-1)
        related = self.dropout(nn.functional.gelu(self.relation_dense(related)))
        return self.clause_logits(hidden), self.relation_logits(related)

    def read_text(self, text: Tensor, evidence: Tensor) -> tuple[Tensor, Tensor]:
        """Document logits (B, 4) and leaning (B,): one product for what several layers hold."""
        # Praise and blame both there is what `mixed` means.
        both = evidence[:, :2].prod(-1, keepdim=True)
        parts = self.document_logits, self.document_evidence, self.both_evidence
        document = torch.cat([part.weight for part in parts], dim=1)
        nothing = torch.zeros_like(self.both_evidence.weight[:1])
        leaning = torch.cat((self.leaning_logit.weight, self.leaning_evidence.weight, nothing), 1)
        logits = nn.functional.linear(
            torch.cat((text, evidence, both), dim=-1),
            torch.cat((document, leaning)),
            torch.cat((self.document_logits.bias, self.leaning_logit.bias)),
        )
        return logits[:, :-1], logits[:, -1]

    @staticmethod
    def _pool(states: Tensor, attention_mask: Tensor, bias: Tensor) -> Tensor:
        """First state, mean and maximum over the tokens: (B, 3 × width)."""
        mask = attention_mask.to(states.dtype)
        mean = torch.matmul(mask.unsqueeze(1), states).squeeze(1) / mask.sum(1, keepdim=True)
        highest = (states + bias.unsqueeze(-1)).amax(1)
        return torch.cat((states[:, 0], mean, highest), dim=-1)


def attention_bias(attention_mask: Tensor) -> Tensor:
    """What hides padding when it is added to scores: 0 for a token, else `_HIDDEN` (B, T)."""
    return (1.0 - attention_mask.float()) * _HIDDEN


def evidence(clause_logits: Tensor, present: Tensor, numbers: Tensor) -> Tensor:
    """What the clauses say of the text, (B, 6): strongest, mean and last praise and blame.

    Args:
        clause_logits: (B, C, 3).
        present: 1 where the row has such a clause (B, C, 1).
        numbers: 1 … C, (1, C, 1).
    """
    sides = (clause_logits.softmax(-1) * present).index_select(-1, _SIDES.to(clause_logits.device))
    mean = sides.sum(1) / present.sum(1).clamp(min=1.0)
    counted = present * numbers
    last = (sides * (counted == counted.amax(1, keepdim=True)).to(sides.dtype)).sum(1)
    return torch.cat((sides.amax(1), mean, last), dim=-1)
