"""What is served says of texts laid end to end what is trained says of each alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from models.engine import FLOAT_NETWORK, OUTPUTS
from models.engine_onnxruntime import OnnxEngine
from models.engine_openvino import OpenVinoEngine
from models.tokenizer import TextTokenizer
from tests.conftest import RELEASED
from training.candidate import write_weights
from training.encoders import with_encoder
from training.export import PARITY_TOLERANCE, export_network, torch_logits
from training.packed import first_position

SIZES: dict[str, Any] = {
    "vocab_size": 21128, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 80, "initializer_range": 0.3,
}  # fmt: skip
TEXTS = (
    "屏幕清晰，音质也好，就是电池太不耐用了。",
    "还行。",
    "虽然偏了点，但是服务没话说！" * 4,
    "好",
)


def bert() -> PreTrainedModel:
    return BertModel(BertConfig(**SIZES))


def roberta() -> PreTrainedModel:
    return XLMRobertaModel(XLMRobertaConfig(**SIZES, pad_token_id=0))


def nearsighted() -> PreTrainedModel:
    """Its tokens see only those near them, unless a mask of pairs is given."""
    sizes = {name: size for name, size in SIZES.items() if name != "max_position_embeddings"}
    config = ModernBertConfig(
        **sizes, local_attention=16, max_position_embeddings=200, pad_token_id=0, cls_token_id=1,
        sep_token_id=2, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return ModernBertModel(config)


def deberta() -> PreTrainedModel:
    return DebertaV2Model(DebertaV2Config(**SIZES, relative_attention=True, pos_att_type=["p2c"]))


def test_the_place_of_a_texts_first_token_is_found() -> None:
    assert first_position(bert()) == 0
    assert first_position(roberta()) == 1


def test_an_encoder_that_cannot_keep_texts_apart_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert first_position(deberta()) is None
    assert first_position(nearsighted()) is None
    assert caplog.text.count("served one text a pass") == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", [bert, roberta, deberta])
def test_every_encoder_serves_what_it_was_trained_to(
    kind: Callable[[], PreTrainedModel], tmp_path: Path
) -> None:
    torch.manual_seed(3)
    network = with_encoder(kind()).half().float().eval()
    tokenizer = TextTokenizer.load(RELEASED / "tokenizer.json", 64)
    write_weights(network, tmp_path)
    export_network(network, tokenizer, TEXTS, tmp_path, quantise=False)
    rows = [row for text in TEXTS for row in tokenizer.prepare(text).rows]
    expected = torch_logits(network, rows, tokenizer.pad_id)
    file = tmp_path / FLOAT_NETWORK
    for engine in (
        OnnxEngine(file, precision="fp32", pad_id=tokenizer.pad_id),
        OpenVinoEngine(file, precision="fp32", pad_id=tokenizer.pad_id),
    ):
        for ours, theirs in zip(engine.run(rows), expected, strict=True):
            for name in OUTPUTS:
                assert np.allclose(
                    getattr(ours, name), getattr(theirs, name), atol=PARITY_TOLERANCE
                ), name
