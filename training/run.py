"""A whole run: read, train, export, calibrate, evaluate; and its folder on disk.

RUN/run.json      the recipe and the seed
RUN/checkpoint-N  to resume from
RUN/network       the trained network, and the n-grams beside it
RUN/candidate     the model folder that `promote` takes
RUN/report        Markdown, JSON and plots
"""

import json
import os
from dataclasses import asdict
from pathlib import Path

from models.artifact import TOKENIZER
from models.ngrams import NGRAMS
from models.tokenizer import TextTokenizer
from training.candidate import make_candidate
from training.config import Precision, Recipe, Source
from training.data import Example
from training.encoders import ngrams_of
from training.errors import TrainingError
from training.mixture import Mixture, read_dev, read_mixture, training_rows
from training.ngrams import fit_ngrams
from training.train import check_folder, train

RUN = "run.json"


def run(
    recipe: Recipe,
    folder: Path,
    *,
    seed: int = 1,
    resume: bool = False,
    bf16: bool | None = None,
    accumulate: int = 1,
    precision: Precision = "int8",
    version: str | None = None,
) -> Path | None:
    """Train by `recipe` and make a candidate; returns its folder, None on other ranks.

    A resumed run goes on by the recipe and the seed that it began with.

    Raises:
        TrainingError: as the stages do.
    """
    check_folder(folder, resume)
    if resume:
        recipe, seed = _read(folder)
    mixture = read_mixture(recipe)
    first = int(os.environ.get("RANK", "0")) == 0
    if first and not resume:
        folder.mkdir(parents=True, exist_ok=True)
        content = {"recipe": asdict(recipe), "seed": seed}
        (folder / RUN).write_text(json.dumps(content, ensure_ascii=False, indent=1))
    network = train(
        recipe, mixture, folder, seed=seed, resume=resume, bf16=bf16, accumulate=accumulate
    )
    if not first:
        return None
    write_ngrams(recipe, mixture, network, seed)
    candidate = folder / "candidate"
    make_candidate(
        network, mixture.dev, candidate, recipe=recipe, precision=precision, version=version
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


def make_again(folder: Path, *, precision: Precision = "int8", version: str | None = None) -> Path:
    """The candidate of a finished run, made again from its network."""
    recipe = recipe_of(folder)
    if not (folder / "network" / "training.json").is_file():
        raise TrainingError(f"{folder} holds no finished training; finish it with --resume")
    candidate = folder / "candidate"
    make_candidate(
        folder / "network",
        read_dev(recipe),
        candidate,
        recipe=recipe,
        precision=precision,
        version=version,
    )
    return candidate


def held_out_of(folder: Path) -> dict[str, list[Example]]:
    """The held-out examples of a run."""
    return read_dev(recipe_of(folder))


def recipe_of(folder: Path) -> Recipe:
    """The recipe that a run was made by. Raises TrainingError if `folder` is no run."""
    return _read(folder)[0]


def _read(folder: Path) -> tuple[Recipe, int]:
    try:
        content = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"{folder} is not the folder of a run: it has no {RUN}") from error
    recipe = content["recipe"]
    sources = recipe.pop("sources")
    try:
        recipe = Recipe(
            sources=tuple(Source(**{**s, "labels": tuple(s["labels"])}) for s in sources), **recipe
        )
    except TypeError as error:
        raise TrainingError(f"{folder} was begun by another version of this: {error}") from error
    return recipe, content["seed"]
