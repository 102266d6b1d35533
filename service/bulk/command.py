"""What `danshi classify` is asked to do: texts, standard input or a file; printed or to a file."""

import codecs
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models import Classifier, Result, TextError
from models.stream import classify_stream
from service.bulk.records import FORMATS, BulkError, Record, format_of
from service.bulk.run import report, run
from service.bulk.sources import Source, open_source

__all__ = ["BulkError", "Task", "plan"]

DONE, WRONG_TEXTS, INTERRUPTED = 0, 1, 130


@dataclass(frozen=True, slots=True)
class Task:
    """Checked arguments, ready to run."""

    source: Source
    output: Path | None
    output_format: str
    resume: bool

    def run(self, classifier: Classifier, show: Callable[[Result | TextError], None]) -> int:
        """Do it; the exit code.

        Raises:
            BulkError: the input cannot be read on, or the output not be written.
        """
        # As in the server: an engine thread must not wait long for a busy Python one.
        sys.setswitchinterval(0.0005)
        if self.output is None:
            return self._print(classifier, show)
        outcome = run(classifier, self.source, self.output, self.output_format, resume=self.resume)
        report(outcome, self.output)
        if outcome.interrupted:
            return INTERRUPTED
        return WRONG_TEXTS if outcome.wrong else DONE

    def _print(self, classifier: Classifier, show: Callable[[Result | TextError], None]) -> int:
        wrong = 0
        for rows in classify_stream(classifier, ((None, record.text) for record in self.source)):
            for _, result in rows:
                show(result)
                wrong += isinstance(result, TextError)
        if wrong:
            print(f"danshi: {wrong} of the texts could not be classified.", file=sys.stderr)
        return WRONG_TEXTS if wrong else DONE


class _Arguments(Source):
    """The texts of the command line."""

    columns = ("text",)
    text_column = "text"

    def __init__(self, texts: Sequence[str]) -> None:
        self._records = [Record((text,), text, {"text": text}) for text in texts]

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._records)


def plan(
    texts: Sequence[str],
    output: Path | None,
    *,
    column: str | None,
    form: str | None,
    encoding: str,
    resume: bool,
    force: bool,
) -> Task:
    """Check the arguments of the command.

    Raises:
        BulkError: they do not fit together, or name what is not there.
    """
    try:
        encoding = codecs.lookup(encoding).name
    except LookupError:
        raise BulkError(f"--encoding {encoding} is not known; try utf-8 or gb18030.") from None
    if form is not None and form not in FORMATS:
        raise BulkError(f"--format must be one of {', '.join(FORMATS)}, not {form}.")
    if output is None and (resume or force):
        raise BulkError(f"{'--resume' if resume else '--force'} needs --output.")
    path = _input_path(texts)
    output_format = "" if output is None else _check_output(path, output, resume or force)
    if texts and path is None and texts != ["-"]:
        if column is not None or form is not None:
            raise BulkError("--column and --format are for files and standard input.")
        source: Source = _Arguments(texts)
    else:
        if path is None and sys.stdin.isatty():
            raise BulkError("Give texts or a file as arguments, or lines on standard input.")
        form = form or ("txt" if path is None else format_of(path))
        source = open_source(path, form, column=column, encoding=encoding)
    return Task(source, output, output_format, resume)


def _input_path(texts: Sequence[str]) -> Path | None:
    """The file that the only argument names, if it names one."""
    if len(texts) != 1 or texts[0] == "-":
        return None
    try:
        path = Path(texts[0])
        if path.is_file():
            return path
        format_of(path)
    except (OSError, ValueError, BulkError):  # a text, as it may be too long for a name
        return None
    raise BulkError(f"There is no file {path}.")


def _check_output(source: Path | None, output: Path, may_exist: bool) -> str:
    """The format of `output`, which may be written."""
    form = format_of(output)
    if form == "txt":
        raise BulkError(f"Results are tables: write .csv, .tsv, .jsonl or .parquet, not {output}.")
    if not output.parent.is_dir():
        raise BulkError(f"There is no folder {output.parent}.")
    if output.exists():
        if _is_input(output, source):
            raise BulkError(f"{output} is the input: write to another file.")
        if not may_exist:
            raise BulkError(f"{output} exists: --resume continues it, --force replaces it.")
    return form


def _is_input(output: Path, source: Path | None) -> bool:
    """Whether `output` is `source` or, if that is None, what standard input was opened on."""
    if source is not None:
        return output.samefile(source)
    try:
        return os.path.samestat(output.stat(), os.fstat(0))
    except OSError:  # it is closed
        return False
