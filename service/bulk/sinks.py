"""Writing rows with their results: every row once, whole, and in order.

A file of rows is written as it grows; a row that a crash has torn is cut when the run is
resumed, behind rows of our own only. Parquet is no such file: it is written beside its place
and moved there when it is whole.
"""

import codecs
import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from models import Result, TextError
from service.bulk.records import (
    CELL_CHARACTERS,
    KEY,
    RESULT_COLUMNS,
    BulkError,
    Record,
    result_cells,
    result_value,
)
from service.bulk.rowfile import RowFile, lines_of, not_ours
from service.bulk.sources import Source, TextSource


class Sink:
    """Where the rows go. `kept` rows were there before; `last` identifies the last of them."""

    kept = 0
    last: Any = None

    def identify(self, record: Record) -> Any:
        """`record` as it would be in `last`."""
        raise NotImplementedError

    def write(self, rows: Iterable[tuple[Record, Result | TextError]]) -> None:
        """Add rows.

        Raises:
            BulkError: they cannot be written.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Make the file whole.

        Raises:
            BulkError: that cannot be done.
        """

    def salvage(self) -> bool:
        """After a failure, make a file of the rows that were added before; whether there is one."""
        return True

    def close(self) -> None:
        """Let go of the file, whole or not."""
        raise NotImplementedError


class TableSink(Sink):
    """CSV and TSV: the input's columns, then those of the result."""

    def __init__(self, path: Path, source: Source, delimiter: str, *, resume: bool) -> None:
        """Begin the file, or find its end."""
        self._path = path
        self._places = kept_places(source)
        self._delimiter = delimiter
        self._columns = [*(source.columns[i] for i in self._places), *RESULT_COLUMNS]
        encoding = _output_encoding(source)
        # The mark belongs to the file's begin only.
        self._encoding = encoding.removesuffix("-sig")
        # Written with the first rows.
        self._header = self._encode([self._columns], encoding)
        end = self._find_end(encoding) if resume else 0
        self._file = RowFile(path, end)
        if end:
            self._header = b""

    def _find_end(self, encoding: str) -> int:
        """Count the whole rows; the offset of their end."""
        end = position = 0
        at_end = False

        def lines() -> Iterator[str]:
            nonlocal position, at_end
            for line in lines_of(self._path):
                if line.endswith(b"\n"):
                    position += len(line)
                    yield line.decode(self._encoding if end else encoding, "surrogateescape")
            at_end = True

        csv.field_size_limit(CELL_CHARACTERS)
        try:
            # Strict: the end of the file within quotes is an error, and no row.
            for number, row in enumerate(
                csv.reader(lines(), delimiter=self._delimiter, strict=True)
            ):
                if number == 0 and row != self._columns:
                    raise BulkError(
                        f"{self._path} has other columns than this run, and nothing was changed: "
                        "give another file, or --force to replace this one."
                    )
                if len(row) != len(self._columns):
                    raise not_ours(self._path, number)
                end = position
                self.kept = number
                self.last = row[: len(self._places)] if number else None
        except (csv.Error, UnicodeError):
            if not at_end:
                raise not_ours(self._path, self.kept + 1) from None
        # A header that a crash has torn is begun again with the same bytes.
        if not end and not self._header.startswith(b"".join(lines_of(self._path))):
            raise not_ours(self._path, 1)
        return end

    def identify(self, record: Record) -> list[str]:
        cells = ["" if (v := record.values[i]) is None else str(v) for i in self._places]
        # As they are after a way through the file: some characters do not come back.
        return [
            encode(cell, self._encoding).decode(self._encoding, "surrogateescape") for cell in cells
        ]

    def write(self, rows: Iterable[tuple[Record, Result | TextError]]) -> None:
        cells = (
            [*(record.values[i] for i in self._places), *result_cells(result)]
            for record, result in rows
        )
        self._file.append(self._header + self._encode(cells, self._encoding))
        self._header = b""

    def _encode(self, rows: Iterable[Sequence[Any]], encoding: str) -> bytes:
        encoded = _EncodedRows(encoding)
        csv.writer(encoded, delimiter=self._delimiter).writerows(rows)
        return bytes(encoded)

    def finish(self) -> None:
        self.write([])

    def close(self) -> None:
        self._file.close()


class _EncodedRows:
    """A file, as csv.writer wants one, that holds what is written as bytes."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._rows: list[bytes] = []

    def write(self, row: str) -> None:
        self._rows.append(encode(row, self._encoding))

    def __bytes__(self) -> bytes:
        return b"".join(self._rows)


class JSONLineSink(Sink):
    """JSON Lines: the input's object with the result under one more key."""

    def __init__(self, path: Path, source: Source, *, resume: bool) -> None:
        """Begin the file, or find its end."""
        self._columns = source.columns
        self._file = RowFile(path, self._find_end(path) if resume else 0)

    def _find_end(self, path: Path) -> int:
        """Count the whole rows; the offset of their end."""
        end = 0
        for line in lines_of(path):
            torn = not line.endswith(b"\n")
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                if torn and end:
                    break
                raise not_ours(path, self.kept + 1) from None
            if not _is_row(value):
                raise not_ours(path, self.kept + 1)
            if torn:
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
        self._file.append(
            b"".join(
                _dumps({**self._value(record), KEY: result_value(result)}) + b"\n"
                for record, result in rows
            )
        )

    def finish(self) -> None:
        self.write([])

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


def kept_places(source: Source) -> list[int]:
    """The places of the columns that go on; results of an earlier run are replaced."""
    return [i for i, name in enumerate(source.columns) if name not in RESULT_COLUMNS]


def _output_encoding(source: Source) -> str:
    """That of the input, but UTF-8 instead of one whose line ends are not a byte."""
    if not isinstance(source, TextSource):
        return "utf-8"
    name = codecs.lookup(source.encoding).name
    return "utf-8-sig" if name.startswith(("utf-16", "utf-32")) else name


def _is_row(value: Any) -> bool:
    """Whether a line of JSON is one that JSONLineSink writes."""
    said = value.get(KEY) if isinstance(value, dict) else None
    return isinstance(said, dict) and bool({"label", "error"} & said.keys())


def encode(text: str, encoding: str) -> bytes:
    """`text` in an encoding that may lack some of its characters, which are escaped.

    Bytes that were no characters when they were read are these bytes again.
    """
    try:
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        if len(text) == 1:
            return text.encode(encoding, "backslashreplace")
        return b"".join(encode(character, encoding) for character in text)


def _dumps(value: object) -> bytes:
    try:
        return to_json(value, serialize_unknown=True)
    except ValueError:  # lone surrogates: bytes that were no UTF-8, or escapes that pair with none
        return json.dumps(value, default=str).encode()
