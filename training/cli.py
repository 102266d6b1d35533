"""The commands of `danshi` that train: thin, each hands over to its stage."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from training.config import Precision, load_recipe
from training.options import (
    RUNS,
    Data,
    DataFolder,
    Dev,
    Encoding,
    LabelColumn,
    LabelMap,
    RecipeFile,
    Released,
    TextColumn,
    given_options,
    in_sentences,
    log,
    new_run_folder,
    processes,
    recipe_from,
    recipe_to_measure,
)
from training.rows import Columns


@in_sentences()
def train(
    context: typer.Context,
    data: Data = None,
    dev: Dev = None,
    recipe: RecipeFile = None,
    data_folder: DataFolder = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run; by default runs/ and the time."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Where to start: 'released', 'm3e-small', 'e5-small', a folder, or a hub id."
        ),
    ] = None,
    epochs: Annotated[float | None, typer.Option(min=0.01, help="Passes over the data.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0.0)] = None,
    batch_size: Annotated[int | None, typer.Option(min=1)] = None,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches a step.")] = 1,
    seed: int = 1,
    resume: Annotated[
        bool,
        typer.Option(help="Go on from the last checkpoint of a run, with what it was begun with."),
    ] = False,
    bf16: Annotated[
        bool | None, typer.Option(help="Half precision; by default where the hardware has it.")
    ] = None,
    precision: Annotated[Precision, typer.Option(help="Served precision.")] = "int8",
    model_version: Annotated[
        str | None, typer.Option(help="Version of the candidate; by default the time.")
    ] = None,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    label_map: LabelMap = None,
    encoding: Encoding = "utf-8",
    drop_leaks: Annotated[
        bool, typer.Option(help="Drop training texts that are also held out, not stop.")
    ] = False,
) -> None:
    """Train a model and leave a candidate that `danshi promote` can take.

    Without options it trains on the sentences that ship with Danshi, starting
    from the released model, in a few minutes on a laptop.

    Examples:

      danshi train

      danshi train --data reviews.csv --label-map 1=positive --label-map 0=negative

      danshi train --encoder hfl/rbt3 --recipe mine.toml

      torchrun --nproc-per-node 2 -m service train --data reviews.jsonl -o runs/two
    """
    from training.plan import Plan, check_unchanged, read_plan
    from training.run import run

    log()
    folder = new_run_folder(output, resume)
    columns = Columns.parse(text_column, label_column, label_map or (), encoding)
    chosen = recipe_from(recipe, data_folder, data, dev, columns)
    options: dict[str, Any] = {
        "encoder": encoder,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "drop_leaks": drop_leaks or None,
    }
    chosen = replace(chosen, **{k: v for k, v in options.items() if v is not None})
    plan = Plan(chosen, seed, accumulate, bf16, precision, model_version, processes())
    if resume:
        begun = read_plan(folder, unsaid=plan)
        check_unchanged(folder, begun, plan, given_options(context))
        plan = begun
    candidate = run(plan, folder, resume=resume)
    if candidate:
        typer.echo(f"candidate: {candidate}\nreport: {folder / 'report' / 'report.md'}")
        typer.echo(f"next: danshi promote {candidate}")


@in_sentences()
def pretrain(
    recipe: Annotated[Path, typer.Option(help="A TOML recipe: its training texts are read.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")],
    data_folder: DataFolder = None,
    unlabelled: Annotated[
        list[str] | None, typer.Option(help="A file of texts without labels; repeatable.")
    ] = None,
    encoding: Encoding = "utf-8",
    encoder: Annotated[str, typer.Option(help="Where to start.")] = "m3e-small",
    epochs: Annotated[float, typer.Option(min=0.01, help="Passes over the texts.")] = 1.0,
    learning_rate: Annotated[float, typer.Option(min=0.0)] = 2e-4,
    batch_size: Annotated[int, typer.Option(min=1)] = 64,
    seed: int = 1,
    resume: Annotated[bool, typer.Option(help="Go on from the run's last checkpoint.")] = False,
) -> None:
    """Let an encoder guess masked words of reviews, before it learns labels.

    Then: danshi train --encoder OUTPUT/network --recipe ...
    """
    from training import pretrain as stage

    log()
    texts = stage.pretraining_texts(
        load_recipe(recipe, data_folder), unlabelled or (), encoding=encoding
    )
    network = stage.pretrain(
        texts,
        encoder,
        output,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        seed=seed,
        resume=resume,
    )
    typer.echo(f"network: {network}")


@in_sentences()
def average(
    networks: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=SHARE...",
            help="Folders of runs or models, 'released', 'm3e-small' or 'e5-small', with shares.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the average.")],
) -> None:
    """Average the weights of trainings that began with the same ones: often better than each.

    Recipe and n-grams are those of the first that has them.

    Example:

      danshi average released=0.5 runs/new=0.5 -o runs/both

    Then: danshi export OUTPUT, or danshi train --encoder OUTPUT/network
    """
    from training.average import average as stage
    from training.average import parse_shares

    log()
    typer.echo(f"network: {stage(parse_shares(networks), output)}")


@in_sentences()
def evaluate(
    model: Annotated[Path | None, typer.Argument(help="Model folder; the released one.")] = None,
    data: Data = None,
    recipe: RecipeFile = None,
    data_folder: DataFolder = None,
    report: Annotated[Path, typer.Option(help="Folder for the report.")] = RUNS / "report",
    engine: Annotated[
        Literal["auto", "onnxruntime-int8", "onnxruntime-fp32", "openvino-bf16", "openvino-fp32"],
        typer.Option(help="Runtime and precision to measure; auto is what serves here."),
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    label_map: LabelMap = None,
    encoding: Encoding = "utf-8",
) -> None:
    """Measure a model on held-out texts and write a report with plots.

    Without --data it takes the held-out sentences that ship with Danshi; with
    --recipe the held-out part of every source.
    """
    from models import Classifier
    from training.evaluate import evaluate as measure
    from training.mixture import read_dev
    from training.report import tables, write_report

    log(quiet=as_json)
    columns = Columns.parse(text_column, label_column, label_map or (), encoding)
    chosen = recipe_to_measure(recipe, data_folder, data, columns)
    classifier = Classifier.load(model or released_folder(), engine=engine)
    scores, said = measure(classifier, read_dev(chosen))
    measured = replace(classifier.manifest, measured_with=classifier.engine_name)
    written = write_report(report, measured, scores, said)
    typer.echo(json.dumps(scores, ensure_ascii=False, indent=1) if as_json else tables(scores))
    if not as_json:
        typer.echo(f"report: {written}")


@in_sentences()
def export(
    run_folder: Annotated[Path, typer.Argument(help="Folder of a training run.")] = RUNS / "latest",
    precision: Annotated[
        Precision | None, typer.Option(help="Served precision; by default the run's.")
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Version of the model; by default the time.")
    ] = None,
) -> None:
    """Make the candidate of a finished run again: export, gates, calibration, report."""
    from training.run import make_again

    log()
    candidate = make_again(run_folder, precision=precision, version=version)
    typer.echo(f"candidate: {candidate}")


@in_sentences()
def calibrate(
    model: Annotated[Path, typer.Argument(help="Candidate folder.")] = RUNS
    / "latest"
    / "candidate",
    data: Data = None,
    recipe: RecipeFile = None,
    data_folder: DataFolder = None,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    label_map: LabelMap = None,
    encoding: Encoding = "utf-8",
) -> None:
    """Fit a candidate's temperatures, and what its n-grams count, again on held-out data.

    Without --data and --recipe on those of the run that the candidate is of.
    """
    from models.artifact import load_manifest
    from training.candidate import calibrate_again
    from training.mixture import read_dev
    from training.plan import RUN
    from training.run import held_out_of

    log()
    model = model.resolve()  # `.` has a parent, too
    if not data and recipe is None and (model.parent / RUN).is_file():
        dev = held_out_of(model.parent)
    else:
        columns = Columns.parse(text_column, label_column, label_map or (), encoding)
        dev = read_dev(recipe_to_measure(recipe, data_folder, data, columns))
    scores = calibrate_again(model, dev)
    manifest = load_manifest(model)
    typer.echo(
        f"temperatures: {manifest.temperatures}; n-grams: {manifest.ngrams or 'none'}; "
        f"mean {scores['mean']:.4f}"
    )


@in_sentences()
def promote(
    candidate: Annotated[Path, typer.Argument(help="Candidate folder.")] = RUNS
    / "latest"
    / "candidate",
    released: Released = None,
    force: Annotated[bool, typer.Option(help="Promote even if it is worse.")] = False,
) -> None:
    """Make a candidate the released model, if it is not worse on the held-out data.

    Both models are measured on the held-out part of the run's own data. The old
    model is kept: `danshi rollback` brings it back.
    """
    from training.promote import promote as replace_released
    from training.run import held_out_of

    log()
    target = released or released_folder()
    table = replace_released(candidate, target, held_out_of(candidate.parent), force=force)
    typer.echo(table)
    typer.echo(f"{target} is now the candidate; restart the service to serve it")


@in_sentences()
def rollback(released: Released = None) -> None:
    """Bring back the model that the last promotion replaced."""
    from training.promote import rollback as bring_back

    target = released or released_folder()
    manifest = bring_back(target)
    typer.echo(f"{target} is {manifest['name']} {manifest['version']} again")


def released_folder() -> Path:
    """The released model of this installation."""
    from training.encoders import RELEASED

    return RELEASED
