"""The network as it is served: texts laid end to end in one sequence, see models/packing.py.

The same weights and heads as `DanshiNetwork`, which pads and is what is trained.
"""

import logging

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from models.network import DanshiNetwork, DanshiOutput, attention_bias, evidence

log = logging.getLogger(__name__)

_AGREES = 1e-4
_PROBE_TOKENS = 160


class PackedNetwork(nn.Module):
    """`DanshiNetwork` over one sequence of several texts."""

    def __init__(self, network: DanshiNetwork) -> None:
        super().__init__()
        self.network = network
        self.first_position = first_position(network.encoder)

    @property
    def packs(self) -> bool:
        """Whether the encoder can keep texts apart; if not, a pass must hold one."""
        return self.first_position is not None

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        text_ids: Tensor,
        clause_ids: Tensor,
        clause_opens: Tensor,
        clause_texts: Tensor,
        text_slots: Tensor,
        clause_slots: Tensor,
    ) -> DanshiOutput:
        """Logits: document (S, 4), leaning (S,), clauses (C, 3), relations (C, 4).

        The arguments are those of `models.packing.INPUTS`.
        """
        network = self.network
        states = self._encode(input_ids, position_ids, text_ids)
        members = _belongs(clause_ids, clause_slots)
        count = members.sum(-1, keepdim=True)
        mean = torch.matmul(members, states) / count.clamp(min=1.0)
        opens = torch.matmul(_belongs(clause_opens, clause_slots), states)
        clauses, relations = network.read_clauses(mean, opens)
        texts = _belongs(text_ids, text_slots)
        text = nn.functional.gelu(network.text_dense(_pool(states, texts, position_ids)))
        present = _belongs(clause_texts, text_slots).unsqueeze(-1) * count.clamp(max=1.0)
        found = evidence(clauses, present, clause_slots.view(1, -1, 1) + 1)
        document, leaning = network.read_text(text, found)
        return DanshiOutput(document, leaning, clauses, relations)

    def _encode(self, input_ids: Tensor, position_ids: Tensor, text_ids: Tensor) -> Tensor:
        """The encoder's states (T, width)."""
        encoder, ids = self.network.encoder, input_ids.unsqueeze(0)
        if self.first_position is None:
            mask = (text_ids >= 0).long().unsqueeze(0)
            states: Tensor = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        else:
            positions = (position_ids + self.first_position).unsqueeze(0)
            states = _encode_packed(encoder, ids, positions, text_ids)
        return states.squeeze(0)


def first_position(encoder: PreTrainedModel) -> int | None:
    """The position id of a text's first token, if texts in one sequence can be kept apart.

    Found by trial: BERT counts from 0, RoBERTa behind its padding id; others know no
    positions, or read a mask of pairs otherwise.
    """
    # Long enough to tell an encoder whose tokens see only those near them.
    longest = min(_PROBE_TOKENS, getattr(encoder.config, "max_position_embeddings", 64) - 8)
    lengths = longest, longest // 2
    texts = [torch.arange(length).remainder(5).add(4).unsqueeze(0) for length in lengths]
    places = torch.cat([torch.arange(length) for length in lengths])
    owners = torch.arange(2).repeat_interleave(torch.tensor(lengths))
    was_training = encoder.training
    encoder.eval()
    try:
        with torch.no_grad():
            alone = torch.cat([encoder(input_ids=ids).last_hidden_state for ids in texts], dim=1)
            for first in (0, (encoder.config.pad_token_id or 0) + 1):
                ids, positions = torch.cat(texts, dim=1), (places + first).unsqueeze(0)
                together = _encode_packed(encoder, ids, positions, owners)
                if torch.allclose(alone, together, atol=_AGREES):
                    return first
    except Exception as error:  # each encoder has its own way to refuse
        log.debug("no texts end to end: %s", error)
    finally:
        encoder.train(was_training)
    log.warning("this encoder cannot keep texts apart: it is served one text a pass, and slower")
    return None


def _encode_packed(
    encoder: PreTrainedModel, ids: Tensor, positions: Tensor, text_ids: Tensor
) -> Tensor:
    same = (text_ids.unsqueeze(0) == text_ids.unsqueeze(1)).float()
    mask = attention_bias(same)[None, None]
    states: Tensor = encoder(
        input_ids=ids, position_ids=positions, attention_mask=mask
    ).last_hidden_state
    return states


def _belongs(owners: Tensor, slots: Tensor) -> Tensor:
    """1 where a slot owns a token or clause, else 0: (slots, owners)."""
    return (owners.unsqueeze(0) == slots.unsqueeze(1)).float()


def _pool(states: Tensor, texts: Tensor, position_ids: Tensor) -> Tensor:
    """First state, mean and maximum over the tokens of each text: (S, 3 × width)."""
    first = torch.matmul(texts * (position_ids == 0).float(), states)
    mean = torch.matmul(texts, states) / texts.sum(1, keepdim=True).clamp(min=1.0)
    highest = (states + attention_bias(texts).unsqueeze(-1)).amax(1)
    return torch.cat((first, mean, highest), dim=-1)
