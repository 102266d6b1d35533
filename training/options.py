"""What the commands of `cli` share: their options, and what those come to."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from models.errors import ArtifactError
from training.config import RECIPES, Recipe, Source, load_recipe
from training.errors import TrainingError
from training.rows import Columns

RUNS = Path("runs")
PASSES_OVER_NEW = 3.0

Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        help="Your data: .jsonl, .csv, .tsv, .parquet or hf:ID[:SPLIT]; may be repeated.",
    ),
]
Dev = Annotated[
    list[str] | None,
    typer.Option("--dev", help="Held-out data; without it a part of --data is held out."),
]
RecipeFile = Annotated[
    Path | None, typer.Option("--recipe", help="A TOML recipe of sources and settings.")
]
DataFolder = Annotated[
    Path | None, typer.Option("--data-folder", help="Where the files of the recipe lie.")
]
TextColumn = Annotated[str, typer.Option(help="Column that holds the text.")]
LabelColumn = Annotated[str, typer.Option(help="Column that holds the label.")]
Encoding = Annotated[
    str, typer.Option(help="Encoding of your .csv, .tsv and .jsonl files, as gb18030.")
]
LabelMap = Annotated[
    list[str] | None,
    typer.Option(help="One of your labels as one of ours: --label-map 1=positive; repeatable."),
]
Released = Annotated[
    Path | None, typer.Option(help="The released model's folder, if not the installed one.")
]


@contextmanager
def in_sentences() -> Iterator[None]:
    """What stops a stage is told in a sentence, with exit code 1."""
    try:
        yield
    except (TrainingError, ArtifactError, OSError) as error:
        typer.echo(f"danshi: {error}", err=True)
        raise typer.Exit(1) from error


def given_options(context: typer.Context) -> set[str]:
    """Names of the options that were given on the command line, not those of the run's folder."""
    given = {
        name
        for name in context.params
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    }
    return given - {"resume", "output"}


def processes() -> int:
    """How many processes train together, as torchrun tells each of them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def new_run_folder(output: Path | None, resume: bool) -> Path:
    """The folder of this run; `runs/latest` points to the last one that was not named."""
    latest = RUNS / "latest"
    if output or resume:
        return output or latest
    if processes() > 1:
        raise TrainingError("name the run with --output: its processes must agree on the folder")
    folder = RUNS / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True)
    latest.unlink(missing_ok=True)
    latest.symlink_to(folder.name)
    return folder


def recipe_from(
    file: Path | None,
    folder: Path | None,
    data: list[str] | None = None,
    dev: list[str] | None = None,
    columns: Columns | None = None,
) -> Recipe:
    """The named recipe, or the one for the shipped sentences; with the user's data added."""
    recipe = load_recipe(file or RECIPES / "seed.toml", folder)
    # The shipped sentences are many and the released model knows them; the user's are new to it.
    share = 1.0 if file else PASSES_OVER_NEW
    added = sources_from(data or [], dev, columns or Columns(), share)
    return replace(recipe, sources=(*recipe.sources, *added))


def recipe_to_measure(
    file: Path | None, folder: Path | None, data: list[str] | None, columns: Columns
) -> Recipe:
    """What holds out all of the user's data, or else `recipe_from`."""
    if data:
        return Recipe(sources=sources_from(data, data, columns))
    return recipe_from(file, folder)


def sources_from(
    data: list[str], dev: list[str] | None, columns: Columns, share: float = 1.0
) -> tuple[Source, ...]:
    """The user's files as sources; `dev` is as long as `data`, or parts are held out."""
    if dev and len(dev) != len(data):
        raise TrainingError("give --dev once for each --data, or not at all")
    return tuple(
        Source(
            train=file,
            dev=dev[i] if dev else None,
            name=Path(file).name.split(".")[0],
            share=share,
            hold_out=0.1,
            mixed_allowance=None,
            text_column=columns.text,
            label_column=columns.label or "",
            label_map=columns.labels,
            encoding=columns.encoding,
        )
        for i, file in enumerate(data)
    )


def log(*, quiet: bool = False) -> None:
    """Show what the stages tell on the screen; `quiet` leaves only warnings."""
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, format="%(message)s", force=True
    )
    for chatty in ("httpx", "onnx_model", "fusion_base", "onnx_model_bert", "onnxscript", "torch"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
