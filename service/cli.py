"""The command `danshi`. Exit codes: 0 done, 1 failed, 2 wrongly used."""

import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.commands import CommandGroup

# What a command needs is imported when it runs: `danshi --help` loads no model code.
if TYPE_CHECKING:
    from models import Result, TextError
    from service.settings import Settings

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="danshi",
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
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


def _fail(sentence: str, code: int = FAILED) -> None:
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
    """Chinese sentiment with the turn in it."""


def _settings(**given: Any) -> "Settings":
    from service.settings import SettingsError, load_settings

    try:
        return load_settings(**{name: value for name, value in given.items() if value is not None})
    except SettingsError as error:
        _fail(str(error).replace("\n", "\ndanshi: "), WRONG_USE)
        raise


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
    """
    settings = _settings(**given)

    from models import ArtifactError
    from service.server import StartError
    from service.server import serve as run

    try:
        run(settings)
    except (StartError, ArtifactError) as error:
        _fail(str(error))


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
    threads: Annotated[
        str | None, typer.Option(help="Threads of the engine. [DANSHI_THREADS]")
    ] = None,
) -> None:
    """Classify texts, or a file of them, here and without a server.

    A file may have any size: it is read and written row by row. Ctrl-C leaves
    whole rows, and --resume goes on behind them. Exit code 1 tells that a text
    could not be classified; it has its error in its place.
    """
    from service.bulk import command

    settings = _settings(model_dir=model_dir, threads=threads)
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
        raise

    from models import ArtifactError, Classifier

    try:
        classifier = Classifier.load(settings.model_dir, threads=settings.threads)
        show = _print_json if as_json or not sys.stdout.isatty() else _print_readable
        code = task.run(classifier, show)
    except (ArtifactError, command.BulkError) as error:
        _fail(str(error))
        raise
    sys.exit(code)


def _print_json(result: "Result | TextError") -> None:
    if isinstance(result, Exception):
        # In its place, so that line n of the output speaks of line n of the input.
        print(json.dumps({"error": {"detail": str(result)}}), flush=True)
    else:
        print(json.dumps(result.as_dict(), ensure_ascii=False), flush=True)


_STYLES = {"positive": "green", "negative": "red", "mixed": "yellow", "neutral": "dim"}
_SIGNS = {"positive": "+", "negative": "-", "neutral": "·"}


def _print_readable(result: "Result | TextError") -> None:
    if isinstance(result, Exception):
        _print_json(result)
        return

    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    score = result.scores[result.label]
    console.print(
        Text(result.label, f"bold {_STYLES[result.label]}"),
        Text(f"{score:.0%}, polarity {result.polarity:+.2f}"),
    )
    for clause in result.clauses:
        line = Text(f"  {_SIGNS[clause.label]} ", _STYLES[clause.label])
        line.append(clause.text)
        if clause.connective is not None:
            begin = 4 + clause.connective.start - clause.start
            line.stylize("bold underline", begin, begin + len(clause.connective.text))
        if clause.relation != "none":
            line.append(f"  {clause.relation}", "dim")
        console.print(line)
