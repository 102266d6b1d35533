"""Writing rows with their results: every row once, whole, and in order.

A file of rows is written as it grows; what a crash tears off its end is cut by
`resume`. Parquet is no such file: it is written beside its place and moved there
when it is whole.
"""

import codecs
import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

from pydantic_core import to_json

from models import Result, TextError
from service.bulk.records import (
    KEY,
    RESULT_COLUMNS,
    BulkError,
    Record,
    result_cells,
    result_value,
)
from service.bulk.sources import Source, TextSource


class Sink:
    """Where the rows go. `kept` rows were there before; `last` identifies the last of them."""

    kept = 0
    last: Any = None

    def identify(self, record: Record) -> Any:
        """`record` as it would be in `last`."""
        raise NotImplementedError

    def write(self, rows: Iterable[tuple[Record, Result | TextError]]) -> None:
        """Add rows."""
        raise NotImplementedError

    def finish(self) -> None:
        """Make the file whole."""

    def close(self) -> None:
        """Let go of the file, whole or not."""
        raise NotImplementedError


class TableSink(Sink):
    """CSV and TSV: the input's columns, then those of the result."""

    def __init__(self, path: Path, source: Source, delimiter: str, *, resume: bool) -> None:
        """Begin the file, or find its end."""
        self._places = kept_places(source)
        self._delimiter = delimiter
        header = [*(source.columns[i] for i in self._places), *RESULT_COLUMNS]
        self._encoding = _output_encoding(source)
        self._file = open_rows(path, resume=resume)
        end = self._find_end(path, header) if resume else 0
        self._file.truncate(end)
        self._file.seek(end)
        encoding = self._encoding if end == 0 else self._encoding.removesuffix("-sig")
        self._characters = TextIOWrapper(self._file, encoding, "surrogateescape", newline="")
        self._rows = csv.writer(self._characters, delimiter=delimiter)
        if end == 0:
            self._rows.writerow(header)

    def _find_end(self, path: Path, header: Sequence[str]) -> int:
        """Count the whole rows; the offset of their end."""
        end = position = 0

        def lines() -> Iterator[str]:
            nonlocal position
            for line in self._file:
                position += len(line)
                if not line.endswith(b"\n"):
                    return
                # The mark belongs to the file's begin only.
                encoding = self._encoding if not end else self._encoding.removesuffix("-sig")
                yield line.decode(encoding, "surrogateescape")

        for number, row in enumerate(csv.reader(lines(), delimiter=self._delimiter)):
            if number == 0 and row != header:
                self._file.close()
                raise BulkError(f"{path} has other columns than this run: it cannot be resumed.")
            if len(row) != len(header):
                break
            end = position
            self.kept = number
            self.last = row[: len(self._places)] if number else None
        return end

    def identify(self, record: Record) -> list[str]:
        return ["" if (v := record.values[i]) is None else str(v) for i in self._places]

    def write(self, rows: Iterable[tuple[Record, Result | TextError]]) -> None:
        self._rows.writerows(
            [*(record.values[i] for i in self._places), *result_cells(result)]
            for record, result in rows
        )
        self._characters.flush()

    def close(self) -> None:
        self._characters.close()


class JSONLineSink(Sink):
    """JSON Lines: the input's object with the result under one more key."""

    def __init__(self, path: Path, source: Source, *, resume: bool) -> None:
        """Begin the file, or find its end."""
        self._columns = source.columns
        self._file = open_rows(path, resume=resume)
        end = self._find_end() if resume else 0
        self._file.truncate(end)
        self._file.seek(end)

    def _find_end(self) -> int:
        end = 0
        for line in self._file:
            try:
                value = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n") or not isinstance(value, dict) or KEY not in value:
                break
            end += len(line)
            self.kept += 1
            self.last = {name: kept for name, kept in value.items() if name != KEY}
        return end

    def identify(self, record: Record) -> dict[str, Any]:
        # As it is after a way through JSON: a date is a string there.
        value = json.loads(_dumps(self._value(record)))
        return {name: kept for name, kept in value.items() if name != KEY}

    def _value(self, record: Record) -> dict[str, Any]:
        if record.value is not None:
            return dict(record.value)
        return dict(zip(self._columns, record.values, strict=True))

    def write(self, rows: Iterable[tuple[Record, Result | TextError]]) -> None:
        self._file.write(
            b"".join(
                _dumps({**self._value(record), KEY: result_value(result)}) + b"\n"
                for record, result in rows
            )
        )
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def open_sink(path: Path, form: str, source: Source, *, resume: bool) -> Sink:
    """The file `path` in format `form`, for the rows of `source`.

    Raises:
        BulkError: it cannot be written, or does not continue the input.
    """
    match form:
        case "csv" | "tsv":
            delimiter = "," if form == "csv" else "\t"
            return TableSink(path, source, delimiter, resume=resume)
        case "jsonl":
            return JSONLineSink(path, source, resume=resume)
        case _:
            from service.bulk.parquet import ParquetSink

            return ParquetSink(path, source, resume=resume)


def open_rows(path: Path, *, resume: bool) -> BinaryIO:
    """The file to append rows to; a new one unless `resume` and it exists."""
    try:
        if resume:
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            return path.open("r+b")
        return path.open("w+b")
    except OSError as error:
        raise BulkError(f"Cannot write {path}: {error.strerror}.") from None


def kept_places(source: Source) -> list[int]:
    """The places of the columns that go on; results of an earlier run are replaced."""
    return [i for i, name in enumerate(source.columns) if name not in RESULT_COLUMNS]


def _output_encoding(source: Source) -> str:
    """That of the input, but UTF-8 instead of one whose line ends are not a byte."""
    if not isinstance(source, TextSource):
        return "utf-8"
    name = codecs.lookup(source.encoding).name
    return "utf-8-sig" if name.startswith(("utf-16", "utf-32")) else name


def _dumps(value: object) -> bytes:
    try:
        return to_json(value, serialize_unknown=True)
    except ValueError:  # lone surrogates: bytes that were no UTF-8, or escapes that pair with none
        return json.dumps(value, default=str).encode()
