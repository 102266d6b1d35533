"""Average the weights of networks into one that errs less than each of them.

Of trainings that began with the same weights (Wortsman et al. 2022, arXiv 2203.05482). The encoder
that they began with may be among them: it takes back some of what was learnt by heart (Wortsman et
al. 2022, arXiv 2109.01903).
"""

import json
import math
import shutil
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor
from transformers.utils import SAFE_WEIGHTS_NAME

from models.artifact import WEIGHTS
from models.network import DanshiNetwork
from models.ngrams import NGRAMS
from training.config import Recipe
from training.encoders import Start, is_model, is_run, load_start, model_folder, ngrams_of
from training.errors import TrainingError
from training.plan import RUN
from training.train import write_run

_SHORTEST = 8  # no window is read here


def parse_shares(values: list[str]) -> dict[str, float]:
    """NAME=SHARE of each network. Raises TrainingError: no such pair, or a share not above 0."""
    shares: dict[str, float] = {}
    for value in values:
        name, _, share = value.rpartition("=")
        try:
            number = float(share)
        except ValueError:
            number = math.nan
        if not name or not 0 < number < math.inf:
            raise TrainingError(f"{value!r} must be NAME=SHARE, with a share above 0")
        if name in shares:
            raise TrainingError(f"{name} is named twice")
        shares[name] = number
    return shares


def average(shares: Mapping[str, float], folder: Path) -> Path:
    """Write the average as a run, in `folder`; returns its network, to train on or to export.

    Args:
        shares: how much each network counts: folders of runs and of models, `released`, and
            encoders as they come, which have no heads: these come from the others. Of the first
            run is the recipe, and of the first that has any are the n-grams.

    Raises:
        TrainingError: a network cannot be loaded or is of another kind than the first, or the
            folder is taken.
    """
    if (folder / "network").exists():
        raise TrainingError(f"{folder} holds a network already; name another folder")
    began = time.monotonic()
    loaded = {name: load_start(_network(name), _SHORTEST) for name in shares}
    network, _, first = next(iter(loaded.values()))
    for name, (_, _, start) in loaded.items():
        if start.tokenizer.get_vocab() != first.tokenizer.get_vocab():
            raise TrainingError(f"{name} has another vocabulary than {first.name}")
    averaged: dict[str, float] = defaultdict(float)
    for name, (_, _, start) in loaded.items():
        averaged[_title(name, start)] += shares[name]
    network.load_state_dict(_mean({name: other for name, (other, _, _) in loaded.items()}, shares))
    about = {**_about(shares), "averaged": averaged}
    target = write_run(network, first, folder, about, time.monotonic() - began)
    _copy(shares, folder)
    return target


def _mean(networks: Mapping[str, DanshiNetwork], shares: Mapping[str, float]) -> dict[str, Tensor]:
    """Each weight's mean over the networks that have learnt it.

    A model from before there was a relation head, say, has no part in that head.
    """
    sums: dict[str, Tensor] = {}
    counted: dict[str, float] = defaultdict(float)
    for name, network in networks.items():
        learnt = _learnt(name, network)
        for part, weights in network.state_dict().items():
            if part not in learnt:
                continue
            if part in sums and sums[part].shape != weights.shape:
                raise TrainingError(f"{name} has {part} of another shape: {tuple(weights.shape)}")
            sums[part] = sums.get(part, 0) + shares[name] * weights
            counted[part] += shares[name]
    if fresh := next(iter(networks.values())).state_dict().keys() - sums.keys():
        raise TrainingError(
            f"an average needs heads, and none of {', '.join(networks)} has learnt {min(fresh)}: "
            "name a run as well, or 'released'"
        )
    return {part: total / counted[part] for part, total in sums.items()}


def _learnt(name: str, network: DanshiNetwork) -> set[str]:
    """The weights that it was saved with; heads over an encoder as it comes are at random."""
    if is_model(name):
        file = model_folder(name) / WEIGHTS
    elif is_run(folder := _network(name)):
        file = Path(folder) / SAFE_WEIGHTS_NAME
    else:
        return {part for part in network.state_dict() if part.startswith("encoder.")}
    with safe_open(file, "pt") as stored:
        return set(stored.keys())


def _network(name: str) -> str:
    """The network of a run lies in its folder."""
    inside = Path(name) / "network"
    return str(inside) if inside.is_dir() else name


def _title(name: str, start: Start) -> str:
    return start.source if is_model(name) else Path(name).name


def _about(shares: Mapping[str, float]) -> dict[str, Any]:
    """What is known of the training of the first run, or of nothing but the window's length."""
    for name in shares:
        if is_run(network := _network(name)):
            about = json.loads((Path(network) / "training.json").read_text(encoding="utf-8"))
            return {k: v for k, v in about.items() if k not in ("encoder", "seconds")}
    return {"max_length": Recipe(()).serving_max_length}


def _copy(shares: Mapping[str, float], folder: Path) -> None:
    """The recipe of the first run, to export by, and n-grams."""
    if run := next((name for name in shares if (Path(name) / RUN).is_file()), None):
        shutil.copyfile(Path(run) / RUN, folder / RUN)
    if ngrams := next(filter(None, map(ngrams_of, map(_network, shares))), None):
        ngrams.save(folder / "network" / NGRAMS)
