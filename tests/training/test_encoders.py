"""Where a training can start: the released model, a folder of transformers, or a clear no."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from models import Classifier
from training.encoders import load_start
from training.errors import TrainingError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny encoder in the layout that `from_pretrained` reads."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"好差很不但是，。"]
    tokenizer = Tokenizer(WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]",
        cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip
    fast.save_pretrained(tmp_path)
    config = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(tmp_path)
    return tmp_path


def test_any_folder_of_transformers_is_an_encoder(folder: Path):
    network, tokenizer, start = load_start(str(folder), 32)
    assert network.encoder.config.hidden_size == 32
    assert start.name == str(folder)
    assert tokenizer.prepare("很好，但是差").rows[0].length == 8


def test_dropout_inside_the_encoder_is_what_the_recipe_says(folder: Path):
    network, tokenizer, _ = load_start(str(folder), 32)
    row = tokenizer.prepare("很好，但是差").rows[0]
    ids = torch.from_numpy(row.token_ids).long()[None]

    def states() -> torch.Tensor:
        return network.encoder.train()(input_ids=ids).last_hidden_state

    assert torch.equal(states(), states())
    network.drop_inside_encoder(0.5)
    assert not torch.equal(states(), states())


def test_windows_longer_than_the_encoders_positions_are_refused(folder: Path):
    with pytest.raises(TrainingError, match="has 64 positions, max_length is 128"):
        load_start(str(folder), 128)


def test_a_name_that_is_nothing_says_what_there_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(TrainingError, match=r"no preset \(m3e-small, e5-small\), no folder"):
        load_start("nobody/nothing", 32)


def test_the_released_weights_are_the_default_start(released: Classifier):
    network, tokenizer, start = load_start("released", released.manifest.max_length)
    assert start.name == released.manifest.encoder["name"]
    assert start.licence == released.manifest.encoder["licence"]
    assert tokenizer.prepare("很好").rows[0].length == 4
    assert network.encoder.config.num_hidden_layers == 4
