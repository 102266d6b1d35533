"""The command `danshi`. Exit codes: 0 done, 1 failed, 2 wrongly used."""

import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from service.commands import CommandGroup

# What a command needs is imported when it runs: `danshi --help` loads no model code.
if TYPE_CHECKING:
    from models import Result, TextError
    from service.settings import Settings

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130
_OTHER_MODEL = "Name a sound model with --model-dir, or leave that out for the one that ships."

app = typer.Typer(
    name="danshi",
    cls=CommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line; what goes wrong becomes one sentence and an exit code."""
    try:
        app(prog_name="danshi")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in {"service", "models", "training", ""}:
            raise  # ours: a broken installation deserves its traceback
        extra = "parquet" if missing == "pyarrow" else "train"
        _fail(f"This command needs {missing}, which is not here: pip install 'danshi[{extra}]'")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _fail(sentence: str, code: int = FAILED) -> NoReturn:
    print(f"danshi: {sentence}", file=sys.stderr)
    sys.exit(code)


def _print_version(wanted: bool) -> None:
    if wanted:
        from service.app import distribution_version

        print(f"danshi {distribution_version()}")
        raise typer.Exit


@app.callback()
def danshi(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Chinese sentiment with the turn in it.

    Examples:

      danshi classify "房间很干净，但是隔音太差了。"

      danshi classify reviews.csv -o labelled.csv

      danshi serve --port 9000

      danshi train --data reviews.csv

      danshi --install-completion

    Exit codes: 0 done, 1 failed, 2 wrongly used, 130 interrupted.
    """


def _settings(**given: Any) -> "Settings":
    from service.settings import SettingsError, load_settings

    try:
        return load_settings(**{name: value for name, value in given.items() if value is not None})
    except SettingsError as error:
        _fail(str(error).replace("\n", "\ndanshi: "), WRONG_USE)


def _mirror_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` an option for each setting. The settings check the values."""
    from service.settings import PREFIX, Settings

    parameters = []
    for name, field in Settings.model_fields.items():
        option = typer.Option(
            "--" + name.replace("_", "-"),
            help=f"{field.description} [{PREFIX}{name.upper()}]",
            metavar=name.rpartition("_")[2].upper(),
            show_default=str(field.default),
        )
        parameters.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[str | None, option],
            )
        )
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


@app.command()
@_mirror_settings
def serve(**given: Any) -> None:
    """Serve the model over REST.

    Each option can also be set in the environment, by the name in brackets.

    Examples:

      danshi serve

      danshi serve --host 0.0.0.0 --port 9000 --threads 2

      DANSHI_LOG_FORMAT=json danshi serve
    """
    settings = _settings(**given)

    from models import ArtifactError
    from service.server import StartError
    from service.server import serve as run

    try:
        run(settings)
    except ArtifactError as error:
        _fail(f"{error}. {_OTHER_MODEL}")
    except StartError as error:
        _fail(str(error))


@app.command()
def models(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, as when the output is no terminal.")
    ] = False,
    model_dir: Annotated[
        str | None, typer.Option(help="Folder of the released model. [DANSHI_MODEL_DIR]")
    ] = None,
) -> None:
    """Say which models are here: the released one, what it replaced, the last candidate.

    With their scores by held-out set, their encoder and their licence.

    Examples:

      danshi models

      danshi models --json | jq '.[0].scores.sets'
    """
    from models import ArtifactError
    from service import catalogue

    settings = _settings(model_dir=model_dir)
    piped = as_json or not sys.stdout.isatty()
    try:
        entries = catalogue.find_models(settings.model_dir)
        (catalogue.print_json if piped else catalogue.print_tables)(entries)
    except ArtifactError as error:
        _fail(f"{error}. {_OTHER_MODEL}")


@app.command()
def classify(
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            help="Texts, or one file (.csv, .tsv, .jsonl, .parquet, .txt); "
            "without any, each line of standard input is a text."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write the rows with their results to this .csv, .tsv, .jsonl or .parquet.",
        ),
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="Column, or JSON key, that holds the text.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Format of the input, where its name does not say it: "
            "csv, tsv, jsonl, parquet or txt.",
        ),
    ] = None,
    encoding: Annotated[str, typer.Option(help="Encoding of the input, as gb18030.")] = "utf-8",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an earlier run stopped.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the output if it exists.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON Lines, as when the output is no terminal.")
    ] = False,
    model_dir: Annotated[
        str | None, typer.Option(help="Folder of the model. [DANSHI_MODEL_DIR]")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="Runtime and precision. [DANSHI_ENGINE]")
    ] = None,
    threads: Annotated[
        str | None, typer.Option(help="Threads of the engine. [DANSHI_THREADS]")
    ] = None,
) -> None:
    """Classify texts, or a file of them, here and without a server.

    A file may have any size: it is read and written row by row. Ctrl-C leaves
    whole rows, and --resume goes on behind them. Exit code 1 tells that a text
    could not be classified; it has its error in its place.

    Examples:

      danshi classify "房间很干净，但是隔音太差了。"

      danshi classify "好是好，就是贵" | jq .polarity

      cat lines.txt | danshi classify > labelled.jsonl

      danshi classify reviews.csv --column comment -o labelled.csv
    """
    from service.bulk import command

    settings = _settings(model_dir=model_dir, engine=engine, threads=threads)
    try:
        task = command.plan(
            texts or [],
            output,
            column=column,
            form=form,
            encoding=encoding,
            resume=resume,
            force=force,
        )
    except command.BulkError as error:
        _fail(str(error), WRONG_USE)

    from models import ArtifactError, Classifier

    try:
        classifier = Classifier.load(
            settings.model_dir, engine=settings.engine, threads=settings.threads
        )
        show = _print_json if as_json or not sys.stdout.isatty() else _print_readable
        code = task.run(classifier, show)
    except ArtifactError as error:
        _fail(f"{error}. {_OTHER_MODEL}")
    except command.BulkError as error:
        _fail(str(error))
    sys.exit(code)


def _print_json(result: "Result | TextError") -> None:
    if isinstance(result, Exception):
        # In its place, so that line n of the output speaks of line n of the input.
        print(json.dumps({"error": {"detail": str(result)}}), flush=True)
    else:
        print(json.dumps(result.as_dict(), ensure_ascii=False), flush=True)


def _print_readable(result: "Result | TextError") -> None:
    from service.terminal import print_error, print_result

    if isinstance(result, Exception):
        print_error(result)
    else:
        print_result(result)
