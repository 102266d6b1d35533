"""Parquet, in and out. Needs pyarrow, so it is imported where a file is Parquet."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from models import Result, TextError
from service.bulk.records import RESULT_COLUMNS, BulkError, Record, reason, result_cells
from service.bulk.sinks import Sink, kept_places
from service.bulk.sources import Source, choose_column, reading

# A row group: enough to compress, too few to matter for the memory.
_GROUP = 8192
# What pyarrow raises over a damaged file, or over a value that Python has no room for.
_DAMAGES = (OSError, pa.ArrowException, ValueError, OverflowError)


class ParquetSource(Source):
    """Parquet, a group of rows at a time."""

    def __init__(self, path: Path, column: str | None) -> None:
        self._path = path
        with reading(path, _DAMAGES):
            self._file = parquet.ParquetFile(path)
        self.schema = self._file.schema_arrow
        self.columns = self.schema.names
        self.text_column = choose_column(self.columns, column, path)
        self._read = 0

    def __iter__(self) -> Iterator[Record]:
        for value in self._values():
            self._read += 1
            text = value[self.text_column]
            if not isinstance(text, str):
                text = TextError("the cell holds no text")
            yield Record(list(value.values()), text, value)

    def _values(self) -> Iterator[dict[str, Any]]:
        with reading(self._path, _DAMAGES):
            for batch in self._file.iter_batches(batch_size=512):
                yield from batch.to_pylist()

    def close(self) -> None:
        self._file.close()

    @property
    def done(self) -> float | None:
        return self._read / max(int(self._file.metadata.num_rows), 1)


class ParquetSink(Sink):
    """Parquet, in row groups, beside its place until it is whole."""

    def __init__(self, path: Path, source: Source, *, resume: bool) -> None:
        """Begin the file, with what `path` holds if that is to be resumed."""
        self._path = path
        self._partial = path.with_name(path.name + ".partial")
        self._places = kept_places(source)
        self._names = [_readable(source.columns[i]) for i in self._places]
        self._schema = self._make_schema(source)
        self._waiting: list[dict[str, Any]] = []
        self._written = 0
        old = self._open_old() if resume and path.exists() else None
        with self._writing():
            self._writer = parquet.ParquetWriter(self._partial, self._schema)
        try:
            self._copy(old)
        except BaseException:
            self.close()
            raise
        self.kept = self._written

    def _open_old(self) -> parquet.ParquetFile:
        try:
            old = parquet.ParquetFile(self._path)
        except (OSError, pa.ArrowException):
            raise BulkError(f"{self._path} is not a whole Parquet file: begin again.") from None
        if old.schema_arrow.names != self._schema.names:
            raise BulkError(f"{self._path} has other columns than this run: it cannot be resumed.")
        return old

    def _copy(self, old: parquet.ParquetFile | None) -> None:
        with reading(self._path, _DAMAGES):
            for batch in old.iter_batches(_GROUP) if old else ():
                table = pa.Table.from_batches([batch]).cast(self._schema)
                self._add(table)
                rows = table.slice(max(0, batch.num_rows - 1)).to_pylist()
                self.last = [rows[0][name] for name in self._names] if rows else self.last

    def _make_schema(self, source: Source) -> pa.Schema:
        given = source.schema if isinstance(source, ParquetSource) else None
        number, words = pa.float64(), pa.string()
        kinds = [words, *[number] * 5, words, words]
        return pa.schema(
            [
                *(given.field(n) if given is not None else pa.field(n, words) for n in self._names),
                *(pa.field(n, kind) for n, kind in zip(RESULT_COLUMNS, kinds, strict=True)),
            ]
        )

    def identify(self, record: Record) -> list[Any]:
        return [_readable(record.values[i]) for i in self._places]

    def write(self, rows: Iterable[tuple[Record, Result | TextError]]) -> None:
        for record, result in rows:
            cells = [*self.identify(record), *map(_readable, result_cells(result))]
            self._waiting.append(dict(zip(self._schema.names, cells, strict=True)))
        if len(self._waiting) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            with self._writing():
                table = pa.Table.from_pylist(self._waiting, self._schema)
            self._add(table)
            self._waiting = []

    def _add(self, table: pa.Table) -> None:
        with self._writing():
            # A write that fails leaves a file that cannot be ended, and of which nothing can be
            # read. So there must be room for these rows and, as large, the end.
            if shutil.disk_usage(self._partial.parent).free < 2 * table.nbytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._writer.write_table(table)
        self._written += table.num_rows

    def finish(self) -> None:
        self._flush()
        self._seal()

    def _seal(self) -> None:
        with self._writing():
            self._writer.close()
            # After a write that failed, closing is silent and ends no file.
            if parquet.read_metadata(self._partial).num_rows != self._written:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            self._partial.replace(self._path)

    def salvage(self) -> bool:
        with suppress(Exception):  # these rows may be what failed
            self._flush()
        if self._written == self.kept:
            return False
        try:
            self._seal()
        except BulkError:
            return False
        return True

    def close(self) -> None:
        with suppress(OSError):
            self._writer.close()
        self._partial.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            raise BulkError(f"Cannot write {self._path}: {reason(error)}.") from error


def _readable(value: Any) -> Any:
    """Arrow's strings are UTF-8: what is not is replaced there."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
