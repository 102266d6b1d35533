"""Reading the rows of a file, or of standard input, one after the other."""

import codecs
import csv
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader, FileIO, TextIOWrapper
from pathlib import Path
from typing import Any, TypeVar

from models import TextError
from service.bulk.records import CELL_CHARACTERS, BulkError, Record, reason

# Where the text is, if the user does not say: the first of these that is a column.
_USUAL_COLUMNS = (
    "text", "review", "content", "comment", "sentence", "body",
    "评论", "评论内容", "评价", "评价内容", "内容", "文本", "正文", "原文",
)  # fmt: skip

T = TypeVar("T")


class Source:
    """Rows of one input. `done` is the share of the file that was read, if that is known."""

    columns: Sequence[str]
    text_column: str

    def __iter__(self) -> Iterator[Record]:
        """The rows.

        Raises:
            BulkError: the input cannot be read on.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the file."""

    @property
    def done(self) -> float | None:
        """From 0 to 1; None where the end is not known, as of a pipe."""
        return None


class TextSource(Source):
    """What all sources share that read characters."""

    def __init__(self, path: Path | None, encoding: str) -> None:
        """Open `path`; None is standard input."""
        self._name = path or "standard input"
        # A file's own mark wins over what was expected.
        if encoding in {"utf-8", "utf-8-sig"} and path is not None:
            with reading(path), path.open("rb") as file:
                encoding = "utf-8-sig" if file.read(3) == codecs.BOM_UTF8 else "utf-8"
        elif encoding == "utf-8":
            encoding = "utf-8-sig"  # a pipe must not be waited for; the mark is dropped if it comes
        self.encoding = encoding
        with reading(self._name):
            # Unbuffered at the bottom: at exit, a thread may still wait in a read.
            self._raw = FileIO(0, closefd=False) if path is None else FileIO(path)
        self._size = os.fstat(self._raw.fileno()).st_size if path is not None else 0
        # A byte that is no character spoils its row, which keeps it, and not the run.
        self._characters = TextIOWrapper(
            BufferedReader(self._raw), encoding, "surrogateescape", newline=""
        )

    def close(self) -> None:
        # Not standard input: a thread may wait in a read, and a close would wait for it.
        if self._raw.closefd:
            self._characters.close()

    def _read(self, rows: Iterator[T]) -> Iterator[T]:
        with reading(self._name):
            yield from rows

    @property
    def done(self) -> float | None:
        return min(self._raw.tell() / self._size, 1.0) if self._size else None


class LineSource(TextSource):
    """Plain text: a line is a text."""

    columns = ("text",)
    text_column = "text"

    def __iter__(self) -> Iterator[Record]:
        for line in self._read(_lines(self._characters)):
            yield Record((line,), line, {"text": line})


class TableSource(TextSource):
    """CSV and TSV: the first row names the columns."""

    def __init__(self, path: Path | None, encoding: str, delimiter: str, column: str | None):
        super().__init__(path, encoding)
        self._delimiter = delimiter
        csv.field_size_limit(CELL_CHARACTERS)
        self._rows = self._read(csv.reader(self._characters, delimiter=delimiter))
        try:
            self.columns = next(self._rows, [])
            if not self.columns:
                raise BulkError(f"{path or 'The input'} is empty: no row names columns.")
            self.text_column = choose_column(self.columns, column, path)
        except BulkError:
            self.close()
            raise

    def __iter__(self) -> Iterator[Record]:
        width = len(self.columns)
        place = self.columns.index(self.text_column)
        for row in self._rows:
            if len(row) == width:
                yield Record(row, row[place])
            elif row:  # an empty line is no row
                wrong = TextError(f"the row has {len(row)} cells, the header {width}")
                # All that it holds is kept, in as many cells as the header has.
                kept = [*row[: width - 1], self._delimiter.join(row[width - 1 :])]
                yield Record([*kept, *[""] * (width - len(kept))], wrong)


class JSONLineSource(TextSource):
    """JSON Lines: a line is an object with the text under a key, or a string."""

    columns = ("text", "json")

    def __init__(self, path: Path | None, encoding: str, column: str | None) -> None:
        super().__init__(path, encoding)
        self._column = column
        self.text_column = column or "text"

    def __iter__(self) -> Iterator[Record]:
        for line in self._read(_lines(self._characters)):
            if line.strip():
                yield self._record(line)

    def _record(self, line: str) -> Record:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return Record(("", line), TextError("the line is not JSON"), {"line": line})
        text: Any = value
        if isinstance(value, dict):
            if self._column is None:
                self._column = self.text_column = choose_column([*value], None, None)
            if self._column not in value:
                wrong = TextError(f"the line has no key {self._column}")
                return Record(("", line), wrong, value)
            text = value[self._column]
        else:
            value = {"text": value}
        if not isinstance(text, str):
            return Record(("", line), TextError("the text is not a string"), value)
        return Record((text, line), text, value)


def open_source(path: Path | None, form: str, *, column: str | None, encoding: str) -> Source:
    """The rows of `path`, or of standard input, in format `form`.

    Raises:
        BulkError: it cannot be read, or which column holds the text is not known.
    """
    match form:
        case "csv" | "tsv":
            return TableSource(path, encoding, "," if form == "csv" else "\t", column)
        case "jsonl":
            return JSONLineSource(path, encoding, column)
        case "parquet":
            if path is None:
                raise BulkError("Parquet is read from its end: give a file, not standard input.")
            from service.bulk.parquet import ParquetSource

            return ParquetSource(path, column)
        case _:
            if column is not None:
                raise BulkError("Plain text has no columns: leave --column out.")
            return LineSource(path, encoding)


def choose_column(columns: Sequence[str], wanted: str | None, path: Path | None) -> str:
    """The column that holds the text: the one wanted, the only one, or one with a usual name.

    Raises:
        BulkError: there is none, or it cannot be told.
    """
    shown = ", ".join(columns)
    if wanted is not None:
        if wanted not in columns:
            raise BulkError(f"{path or 'The input'} has no column {wanted}; it has {shown}.")
        return wanted
    if len(columns) == 1:
        return columns[0]
    for name in _USUAL_COLUMNS:
        for column in columns:
            if column.strip().lower() == name:
                return column
    raise BulkError(f"Which column holds the text? Give --column and one of {shown}.")


@contextmanager
def reading(
    name: Path | str, kinds: tuple[type[Exception], ...] = (OSError, UnicodeError, csv.Error)
) -> Iterator[None]:
    """What fails within, by an error of `kinds`, is a BulkError that names the input."""
    try:
        yield
    except kinds as error:
        raise BulkError(f"Cannot read {name}: {reason(error)}.") from error


def _lines(characters: TextIOWrapper) -> Iterator[str]:
    """Lines without their ends."""
    for line in characters:
        yield line.rstrip("\r\n")
