"""Where a training can start: the released model, a folder of transformers, or a clear no."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    PreTrainedTokenizerFast,
)

from models import Classifier
from models.network import DanshiNetwork
from training.encoders import adds_mask, drop_inside, load_start, with_encoder
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


def test_dropout_is_of_the_hidden_states_and_not_of_attention(folder: Path):
    encoder = BertModel.from_pretrained(folder)
    drop_inside(encoder, 0.3)
    shares = {n: m.p for n, m in encoder.named_modules() if isinstance(m, torch.nn.Dropout)}
    assert {share for name, share in shares.items() if "attention.self" not in name} == {0.3}
    assert {share for name, share in shares.items() if "attention.self" in name} == {0.1}


def test_bert_takes_a_mask_that_is_ready_to_be_added(folder: Path):
    assert adds_mask(BertModel.from_pretrained(folder))


def test_an_encoder_that_reads_such_a_mask_otherwise_gets_ones_and_zeros(tmp_path: Path):
    config = DebertaV2Config(
        vocab_size=50, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    network = with_encoder(DebertaV2Model(config)).eval()
    assert not network.config.adds_mask
    network.save_pretrained(tmp_path)
    assert not DanshiNetwork.from_pretrained(tmp_path).config.adds_mask
    ids = torch.tensor([[1, 2, 3, 0], [1, 2, 3, 4]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    clauses = torch.tensor([[-1, 0, -1, -1], [-1, 0, 0, -1]])
    opens = torch.tensor([[-1, 0, -1, -1], [-1, 0, -1, -1]])
    slots = torch.arange(1)
    padded = network(ids, mask, clauses, opens, slots)
    alone = network(ids[:1, :3], mask[:1, :3], clauses[:1, :3], opens[:1, :3], slots)
    assert torch.allclose(padded.document[:1], alone.document, atol=1e-4)


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
