"""A whole run: read, train, export, calibrate, evaluate; and its folder on disk.

RUN/run.json      what it was begun with: recipe, seed and the rest of its `Plan`
RUN/checkpoint-N  to resume from
RUN/network       the trained network, and the n-grams beside it
RUN/candidate     the model folder that `promote` takes
RUN/report        Markdown, JSON and plots
"""

import json
import os
from pathlib import Path

from models.artifact import TOKENIZER
from models.ngrams import NGRAMS
from models.tokenizer import TextTokenizer
from training.candidate import make_candidate
from training.config import Precision, Recipe
from training.data import Example
from training.encoders import ngrams_of
from training.errors import TrainingError
from training.mixture import Mixture, read_dev, read_mixture, training_rows
from training.ngrams import fit_ngrams
from training.plan import Plan, read_plan
from training.train import check_folder, train


def run(plan: Plan, folder: Path, *, resume: bool = False) -> Path | None:
    """Train by `plan` and make a candidate; returns its folder, None on other ranks.

    Raises:
        TrainingError: as the stages do.
    """
    check_folder(folder, resume)
    recipe, seed = plan.recipe, plan.seed
    mixture = read_mixture(recipe)
    first = int(os.environ.get("RANK", "0")) == 0
    if first and not resume:
        plan.write(folder)
    network = train(
        recipe,
        mixture,
        folder,
        seed=seed,
        resume=resume,
        bf16=plan.bf16,
        accumulate=plan.accumulate,
    )
    if not first:
        return None
    write_ngrams(recipe, mixture, network, seed)
    candidate = folder / "candidate"
    make_candidate(
        network,
        mixture.dev,
        candidate,
        recipe=recipe,
        precision=plan.precision,
        version=plan.version,
    )
    return candidate


def write_ngrams(recipe: Recipe, mixture: Mixture, network: Path, seed: int) -> None:
    """The n-grams of the rows that the network in `network` was trained on, beside it."""
    ngrams = ngrams_of(recipe.encoder)
    if recipe.ngrams == "fit":
        tokenizer = TextTokenizer.load(network / TOKENIZER, recipe.max_length)
        ngrams = fit_ngrams(training_rows(mixture, recipe, tokenizer, seed), ngrams)
    if ngrams is not None and recipe.ngrams != "none":
        ngrams.save(network / NGRAMS)


def make_again(
    folder: Path, *, precision: Precision | None = None, version: str | None = None
) -> Path:
    """The candidate of a run made again from its network, as precise as the run says.

    Raises:
        TrainingError: the run was cut off before its network and its n-grams were there, or as
            the stages do.
    """
    plan = read_plan(folder)
    recipe, network = plan.recipe, folder / "network"
    candidate = folder / "candidate"
    if not _is_trained(network) or not (candidate.exists() or _has_its_ngrams(network, recipe)):
        raise TrainingError(f"{folder} holds no finished training; finish it with --resume")
    make_candidate(
        network,
        read_dev(recipe),
        candidate,
        recipe=recipe,
        precision=precision or plan.precision,
        version=version,
    )
    return candidate


def _is_trained(network: Path) -> bool:
    return (network / "training.json").is_file()


def _has_its_ngrams(network: Path, recipe: Recipe) -> bool:
    """Whether the run got so far; an average has what its networks had."""
    about = json.loads((network / "training.json").read_text(encoding="utf-8"))
    return recipe.ngrams == "none" or (network / NGRAMS).is_file() or "averaged" in about


def held_out_of(folder: Path) -> dict[str, list[Example]]:
    """The held-out examples of a run. Raises TrainingError if `folder` is no run."""
    return read_dev(read_plan(folder).recipe)
