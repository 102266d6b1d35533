"""Pretraining: whole words are masked, and a block never mixes up its words."""

import json

import numpy as np
import pytest

from models.text import normalize
from training.encoders import load_start
from training.pretrain import Masker, blocks, pretrain

TEXTS = ["这家店的牛肉面味道很好，汤也鲜。", "物流太慢了，包装还破了一个角。"] * 12
MASK = 103


def test_blocks_hold_the_texts_one_behind_the_other():
    _, _, start = load_start("released", 32)
    data = blocks(TEXTS, start, 32)
    assert len(data) > 5
    tokens = np.concatenate([data[i]["input_ids"][1:] for i in range(len(data))])
    said = start.tokenizer.decode(tokens.tolist(), skip_special_tokens=True).replace(" ", "")
    assert normalize("".join(TEXTS)).text.startswith(said)


def test_a_word_is_masked_whole_or_not_at_all():
    _, _, start = load_start("released", 32)
    data = blocks(TEXTS, start, 32)
    features = [data[i] for i in range(len(data))]
    batch = Masker(MASK, 21128, seed=3)(features)
    labels = batch["labels"].numpy()
    words = np.stack([f["words"] for f in features])
    assert (labels >= 0).any()
    assert not (labels[words < 0] >= 0).any()
    for word in np.unique(words[words >= 0]):
        assert len(set((labels[words == word] >= 0).tolist())) == 1


@pytest.mark.slow
def test_pretraining_ends_in_a_network_that_a_training_starts_from(tmp_path):
    network = pretrain(TEXTS, "released", tmp_path / "run", length=32, batch_size=4)
    about = json.loads((network / "training.json").read_text(encoding="utf-8"))
    assert about["tokens"] == about["blocks"] * 32
    _, tokenizer, start = load_start(str(network), 64)
    assert start.name == about["encoder"]["name"]
    assert tokenizer.prepare(TEXTS[0]).token_count > 10
