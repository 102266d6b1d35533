"""Go on with the encoder's pretraining on reviews: whole words are masked and guessed.

Task-adaptive pretraining (Gururangan et al. 2020, arXiv 2004.10964) with whole word
masking (Cui et al. 2019, arXiv 1906.08101); the words are jieba's. Only the masked
positions go through the vocabulary layer, which costs most of a small encoder's time.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jieba
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm
from transformers import Trainer, TrainingArguments, set_seed

from models.network import DanshiNetwork
from models.text import normalize, spell_out_emoji
from training.config import Recipe
from training.data import read_examples
from training.encoders import Start, load_start
from training.errors import TrainingError
from training.mixture import read_mixture
from training.rows import Columns
from training.train import check_folder, has_bf16, use_one_gpu, write_run

log = logging.getLogger(__name__)

_IGNORED = -100
_SHARE = 0.15  # of the words
_KEEP, _RANDOM = 0.1, 0.1  # of the masked ones, as in BERT


class Blocks(Dataset[dict[str, Any]]):
    """Token blocks of one length, and which word each token belongs to."""

    def __init__(self, tokens: NDArray[np.int32], words: NDArray[np.int32]) -> None:
        self._tokens, self._words = tokens, words

    def __len__(self) -> int:
        return len(self._tokens)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self._tokens[index], "words": self._words[index]}


def blocks(texts: Iterable[str], start: Start, length: int) -> Blocks:
    """Tokenise `texts` one behind the other into blocks of `length` tokens."""
    tokenizer = start.tokenizer
    tokenizer.no_truncation()
    opening, closing = (special_id(tokenizer, name) for name in ("[CLS]", "[SEP]"))
    ids: list[int] = []
    words: list[int] = []
    word = 0
    for text in tqdm(texts, desc="tokenise", unit=" texts", mininterval=2):
        for piece in jieba.cut(spell_out_emoji(normalize(text).text), HMM=False):
            encoded = tokenizer.encode(piece, add_special_tokens=False).ids
            ids += encoded
            words += [word] * len(encoded)
            word += 1
        ids.append(closing)
        words.append(-1)
    room = length - 1
    count = len(ids) // room
    tokens = np.full((count, length), opening, np.int32)
    members = np.full((count, length), -1, np.int32)
    tokens[:, 1:] = np.asarray(ids[: count * room], np.int32).reshape(count, room)
    members[:, 1:] = np.asarray(words[: count * room], np.int32).reshape(count, room)
    return Blocks(tokens, members)


def special_id(tokenizer: Tokenizer, name: str) -> int:
    """The id of one of BERT's special tokens. Raises TrainingError if there is none."""
    number = tokenizer.token_to_id(name)
    if number is None:
        raise TrainingError(f"the tokenizer has no {name}: only encoders like BERT can guess words")
    return int(number)


class Masker:
    """Masks whole words of a batch; other words each time a block comes."""

    def __init__(self, mask_id: int, vocabulary: int, seed: int) -> None:
        self._mask_id, self._vocabulary = mask_id, vocabulary
        self._rng = np.random.default_rng(seed)

    def __call__(self, features: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        ids = np.stack([f["input_ids"] for f in features]).astype(np.int64)
        words = np.stack([f["words"] for f in features])
        known, place = np.unique(words, return_inverse=True)
        chance = self._rng.random(len(known))
        chance[known < 0] = 1.0
        drawn = chance[place.reshape(words.shape)] < _SHARE
        labels = np.where(drawn, ids, _IGNORED)
        how = self._rng.random(ids.shape)
        ids = np.where(drawn & (how >= _KEEP + _RANDOM), self._mask_id, ids)
        random = self._rng.integers(0, self._vocabulary, ids.shape)
        ids = np.where(drawn & (how < _RANDOM), random, ids)
        return {"input_ids": torch.from_numpy(ids), "labels": torch.from_numpy(labels)}


class MaskedWords(nn.Module):
    """The encoder of a network with BERT's head for masked words; embeddings are tied."""

    def __init__(self, network: DanshiNetwork) -> None:
        super().__init__()
        self.network = network
        width: int = network.encoder.config.hidden_size
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(network.encoder.config.vocab_size))

    def forward(self, input_ids: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The loss over the masked positions; both (B, T)."""
        states = self.network.encoder(input_ids=input_ids).last_hidden_state
        masked = labels != _IGNORED
        hidden = self.norm(nn.functional.gelu(self.dense(states[masked])))
        table = self.network.encoder.get_input_embeddings().weight
        logits = nn.functional.linear(hidden, table, self.bias)
        return {"loss": nn.functional.cross_entropy(logits.float(), labels[masked])}


def pretraining_texts(
    recipe: Recipe, unlabelled: Iterable[str], *, encoding: str = "utf-8"
) -> list[str]:
    """The recipe's training texts and those of `unlabelled` files; none that is held out."""
    mixture = read_mixture(recipe)
    examples = [example for _, part in mixture.train for example in part]
    for file in unlabelled:
        examples += read_examples(file, Columns(label=None, encoding=encoding))[0]
    held = {example.key for dev in mixture.dev.values() for example in dev}
    return list(dict.fromkeys(e.text for e in examples if e.key not in held))


def pretrain(
    texts: Sequence[str],
    encoder: str,
    folder: Path,
    *,
    length: int = 128,
    batch_size: int = 64,
    learning_rate: float = 2e-4,
    epochs: float = 1.0,
    seed: int = 1,
    resume: bool = False,
) -> Path:
    """Pretrain on `texts` and leave the network, its heads untouched, in `folder`/network.

    Raises:
        TrainingError: `folder` holds another run, or there is nothing to resume.
    """
    checkpoint = check_folder(folder, resume)
    set_seed(seed)
    network, _, start = load_start(encoder, length)
    data = blocks(texts, start, length)
    log.info("%s texts, %s blocks of %d tokens", f"{len(texts):,}", f"{len(data):,}", length)
    arguments = TrainingArguments(
        output_dir=str(folder),
        seed=seed,
        num_train_epochs=epochs,
        per_device_train_batch_size=batch_size,
        learning_rate=learning_rate,
        warmup_steps=0.06,
        weight_decay=0.01,
        lr_scheduler_type="linear",
        optim="adamw_torch_fused",
        bf16=has_bf16(),
        use_cpu=not torch.cuda.is_available(),
        logging_steps=25,
        save_steps=300,
        save_total_limit=1,
        report_to=["tensorboard"],
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    use_one_gpu(arguments)
    mask_id = special_id(start.tokenizer, "[MASK]")
    trainer = Trainer(
        model=MaskedWords(network),
        args=arguments,
        train_dataset=data,
        data_collator=Masker(mask_id, start.tokenizer.get_vocab_size(), seed),
    )
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=checkpoint)
    return write_run(
        trainer.accelerator.unwrap_model(trainer.model).network,
        start,
        folder,
        {"blocks": len(data), "tokens": len(data) * length, "seed": seed},
        time.monotonic() - began,
    )
