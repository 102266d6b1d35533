"""Rows of files, as they are: JSONL, CSV, TSV, Parquet, or a data set of the Hugging Face hub.

A row comes with its place, file:line; one that cannot be read is named in the report.
Which columns hold the text and the label, and what the labels are called, is said by options.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from models.labels import LABELS
from training.decoding import is_decoded, open_text, wrong_encoding
from training.errors import TrainingError

_SHOWN_PROBLEMS = 20

_Rows = Iterator[tuple[str, dict[str, Any]]]


@dataclass(slots=True)
class Report:
    """What became of the rows of one reading."""

    read: int = 0
    used: int = 0
    problems: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    def reject(self, where: str, reason: str) -> None:
        self.problems.append(f"{where}: {reason}")
        self.dropped[reason.split(":")[0]] += 1

    def lines(self) -> list[str]:
        """The report as lines for a person."""
        shown = self.problems[:_SHOWN_PROBLEMS]
        if hidden := len(self.problems) - len(shown):
            shown.append(f"… and {hidden:,} more")
        counts = ", ".join(f"{count:,} × {reason}" for reason, count in self.dropped.most_common())
        return [
            *shown,
            f"{self.read:,} rows read, {self.used:,} used"
            + (f"; left out: {counts}" if counts else ""),
        ]


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a file keeps what, names of its columns and of its labels; and its encoding.

    label: None if the file is read for its texts alone.
    """

    text: str = "text"
    label: str | None = "label"
    labels: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"

    @property
    def not_decoded(self) -> str:
        """Why a row of another encoding is no row."""
        return f"not {self.encoding}"

    @classmethod
    def parse(
        cls, text: str, label: str, labels: Iterable[str], encoding: str = "utf-8"
    ) -> "Columns":
        """From command line options; `labels` as THEIRS=OURS."""
        mapping = {}
        for pair in labels:
            theirs, equals, ours = pair.rpartition("=")
            if not equals or ours not in LABELS:
                raise TrainingError(
                    f"--label-map wants THEIRS=OURS, not {pair!r}; ours are {', '.join(LABELS)}"
                )
            mapping[theirs] = ours
        return cls(text, label, mapping, encoding)


_Reader = Callable[[Path, TextIO, Columns, Report], _Rows]


def read_rows(where: str, columns: Columns, report: Report) -> _Rows:
    """The place and the cells of each row of a file, or of `hf:ID[:SPLIT]`.

    Raises:
        TrainingError: the file is missing, of an unknown format or in another encoding, or lacks
            a column.
    """
    if where.startswith("hf:"):
        yield from _hub_rows(where, columns)
        return
    path = Path(where)
    if not path.is_file():
        raise TrainingError(f"there is no file {where}")
    match path.suffix.lower():
        case ".jsonl" | ".ndjson":
            yield from _text_rows(path, columns, report, _json_rows)
        case ".csv":
            yield from _text_rows(path, columns, report, partial(_table_rows, ","))
        case ".tsv":
            yield from _text_rows(path, columns, report, partial(_table_rows, "\t"))
        case ".parquet":
            yield from _parquet_rows(path, columns)
        case other:
            raise TrainingError(
                f"{where}: {other or 'no suffix'} is not one of .jsonl, .csv, .tsv, .parquet"
            )


def _text_rows(path: Path, columns: Columns, report: Report, read: _Reader) -> _Rows:
    """The rows of a text file; where most are not in its encoding, it is in another."""
    try:
        with open_text(path, columns.encoding) as lines:
            yield from read(path, lines, columns, report)
    except UnicodeError as error:
        raise wrong_encoding(path, columns.encoding) from error
    if 2 * report.dropped[columns.not_decoded] > report.read:
        raise wrong_encoding(path, columns.encoding)


def _json_rows(path: Path, lines: TextIO, columns: Columns, report: Report) -> _Rows:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        if not is_decoded(line):
            report.read += 1
            report.reject(place, columns.not_decoded)
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            report.read += 1
            report.reject(place, f"not JSON: {error}")
            continue
        if isinstance(row, dict):
            yield place, row
        else:
            report.read += 1
            report.reject(place, "not an object")


def _table_rows(
    delimiter: str, path: Path, lines: TextIO, columns: Columns, report: Report
) -> _Rows:
    reader = csv.DictReader(lines, delimiter=delimiter, strict=True)
    names = reader.fieldnames or ()
    if not all(map(is_decoded, names)):
        raise wrong_encoding(path, columns.encoding)
    _need_columns(path, names, columns)
    try:
        for row in reader:
            place = f"{path}:{reader.line_num}"
            if None in row:
                report.read += 1
                report.reject(place, "more fields than the header has")
                continue
            if not all(is_decoded(cell) for cell in row.values() if cell):
                report.read += 1
                report.reject(place, columns.not_decoded)
                continue
            yield place, row
    except csv.Error as error:
        raise TrainingError(
            f"{path}:{reader.line_num}: {error} (is a quote never closed?)"
        ) from error


def _parquet_rows(path: Path, columns: Columns) -> _Rows:
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(path)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} is not a Parquet file: {error}") from error
    _need_columns(path, table.schema_arrow.names, columns)
    number = 0
    for batch in table.iter_batches():
        for row in batch.to_pylist():
            number += 1
            yield f"{path}:{number}", row


def _hub_rows(where: str, columns: Columns) -> _Rows:
    """`hf:ID` or `hf:ID:SPLIT`, fetched by the `datasets` library."""
    try:
        import datasets
    except ImportError:
        raise TrainingError(
            "hub data sets need the datasets library: pip install datasets"
        ) from None
    _, name, *split = where.split(":")
    try:
        table = datasets.load_dataset(name, split=split[0] if split else "train")
    except Exception as error:  # the library raises many kinds; each means "not loaded"
        raise TrainingError(f"cannot load {name} from the hub: {error}") from error
    _need_columns(name, table.column_names, columns)
    label = columns.label
    feature = table.features.get(label)
    for number, row in enumerate(table, 1):
        if isinstance(feature, datasets.ClassLabel) and isinstance(row[label], int):
            row[label] = feature.int2str(row[label])
        yield f"{where}:{number}", row


def _need_columns(where: object, names: Iterable[str], columns: Columns) -> None:
    names = list(names)
    for option, name in (("--text-column", columns.text), ("--label-column", columns.label)):
        if name is not None and name not in names:
            raise TrainingError(
                f"{where} has no column {name!r}, name it with {option}: "
                f"there are {', '.join(names)}"
            )
