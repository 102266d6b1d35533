"""Read labelled texts from files into `Example`s; name every row that cannot be used.

JSONL, CSV, TSV and Parquet files, or a data set of the Hugging Face hub by its
id. Column and label names are mapped by options. A bad row is reported as
file:line with its reason and counted; nothing is dropped in silence.
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.errors import TextError
from models.labels import CLAUSE_LABELS, LABELS, ClauseLabel, Label
from models.text import normalize
from training.errors import TrainingError

_SIDES = {"positive": 1.0, "negative": 0.0, "neutral": 0.5}
_SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Span:
    """An opinion at [start, end), code points of the text."""

    start: int
    end: int
    polarity: ClauseLabel


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled text.

    `leaning` is the share of the favourable side, 0 to 1, or None where unknown;
    `spans` is None where clauses were not annotated at all; `meta` keeps the
    row's other fields.
    """

    text: str
    label: Label | None
    source: str
    leaning: float | None = None
    spans: tuple[Span, ...] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Equal for texts that the model cannot tell apart."""
        return hashlib.sha256(normalize(self.text).text.strip().encode()).hexdigest()[:24]


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
    """Where a file keeps what: names of its columns and of its labels."""

    text: str = "text"
    label: str = "label"
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, label: str, labels: Iterable[str]) -> "Columns":
        """From command line options; `labels` as THEIRS=OURS."""
        mapping = {}
        for pair in labels:
            theirs, equals, ours = pair.rpartition("=")
            if not equals or ours not in LABELS:
                raise TrainingError(
                    f"--label-map wants THEIRS=OURS, not {pair!r}; ours are {', '.join(LABELS)}"
                )
            mapping[theirs] = ours
        return cls(text, label, mapping)


def read_examples(
    where: str, columns: Columns | None = None, *, source: str | None = None
) -> tuple[list[Example], Report]:
    """Read a file, or `hf:ID[:SPLIT]`, without duplicates.

    Raises:
        TrainingError: the file is missing or of an unknown format, lacks a
            column, or holds no usable row.
    """
    columns = columns or Columns()
    report = Report()
    examples: list[Example] = []
    seen: dict[str, str] = {}
    for place, row in _rows(where, columns, report):
        report.read += 1
        try:
            example = _example(row, columns, source or Path(where).name.split(".")[0])
            key = example.key
        except (TextError, ValueError) as error:
            report.reject(place, str(error))
            continue
        except (KeyError, TypeError) as error:
            report.reject(place, f"bad row: {error!r}")
            continue
        if key in seen:
            report.reject(place, f"duplicate: same text as {seen[key]}")
            continue
        seen[key] = place
        examples.append(example)
    report.used = len(examples)
    if not examples:
        raise TrainingError("\n".join((f"{where} holds no usable row", *report.lines())))
    return examples, report


def _rows(where: str, columns: Columns, report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    if where.startswith("hf:"):
        yield from _hub_rows(where, columns)
        return
    path = Path(where)
    if not path.is_file():
        raise TrainingError(f"there is no file {where}")
    match path.suffix.lower():
        case ".jsonl" | ".ndjson":
            yield from _json_rows(path, report)
        case ".csv":
            yield from _table_rows(path, ",", columns, report)
        case ".tsv":
            yield from _table_rows(path, "\t", columns, report)
        case ".parquet":
            yield from _parquet_rows(path, columns)
        case other:
            raise TrainingError(
                f"{where}: {other or 'no suffix'} is not one of .jsonl, .csv, .tsv, .parquet"
            )


def _json_rows(path: Path, report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                report.read += 1
                report.reject(f"{path}:{number}", f"not JSON: {error}")
                continue
            if isinstance(row, dict):
                yield f"{path}:{number}", row
            else:
                report.read += 1
                report.reject(f"{path}:{number}", "not an object")


def _table_rows(
    path: Path, delimiter: str, columns: Columns, report: Report
) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        reader = csv.DictReader(lines, delimiter=delimiter, strict=True)
        _need_columns(path, reader.fieldnames or (), columns)
        try:
            for row in reader:
                place = f"{path}:{reader.line_num}"
                if None in row:
                    report.read += 1
                    report.reject(place, "more fields than the header has")
                    continue
                yield place, row
        except csv.Error as error:
            raise TrainingError(
                f"{path}:{reader.line_num}: {error} (is a quote never closed?)"
            ) from error


def _parquet_rows(path: Path, columns: Columns) -> Iterator[tuple[str, dict[str, Any]]]:
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


def _hub_rows(where: str, columns: Columns) -> Iterator[tuple[str, dict[str, Any]]]:
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
    feature = table.features.get(columns.label)
    for number, row in enumerate(table, 1):
        if isinstance(feature, datasets.ClassLabel) and isinstance(row[columns.label], int):
            row[columns.label] = feature.int2str(row[columns.label])
        yield f"{where}:{number}", row


def _need_columns(where: object, names: Iterable[str], columns: Columns) -> None:
    names = list(names)
    for option, name in (("--text-column", columns.text), ("--label-column", columns.label)):
        if name not in names:
            raise TrainingError(
                f"{where} has no column {name!r}, name it with {option}: "
                f"there are {', '.join(names)}"
            )


def _example(row: Mapping[str, Any], columns: Columns, source: str) -> Example:
    text = row.get(columns.text)
    if not isinstance(text, str):
        raise ValueError(f"no text: {columns.text!r} is {type(text).__name__}")
    label = _label(row.get(columns.label), columns)
    leaning = row.get("leaning")
    if isinstance(leaning, str):
        leaning = _SIDES.get(leaning)
    if leaning is None and label is not None:
        leaning = _SIDES.get(label)
    if leaning is not None and not 0 <= leaning <= 1:
        raise ValueError(f"bad leaning: {leaning!r} is not between 0 and 1")
    spans = row.get("spans")
    if spans == "":  # an empty cell of a table: not annotated
        spans = None
    return Example(
        text=text,
        label=label,
        source=str(row.get("source") or source),
        leaning=leaning,
        spans=None if spans is None else tuple(_span(span, len(text)) for span in spans),
        meta={k: v for k, v in row.items() if k not in (columns.text, columns.label, "spans")},
    )


def _label(value: object, columns: Columns) -> Label | None:
    if value is None or value == "":
        return None
    name = columns.labels.get(str(value), str(value).strip().lower())
    if name not in LABELS:
        raise ValueError(
            f"unknown label: {value!r} is not one of {', '.join(LABELS)}; map it with --label-map"
        )
    return name


def _span(span: Mapping[str, Any], length: int) -> Span:
    start, end, polarity = span["start"], span["end"], span["polarity"]
    if not 0 <= start < end <= length:
        raise ValueError(f"bad span: [{start}, {end}) is outside the text of {length} characters")
    if polarity not in CLAUSE_LABELS:
        raise ValueError(
            f"bad span: polarity {polarity!r} is not one of {', '.join(CLAUSE_LABELS)}"
        )
    return Span(start, end, polarity)


def hold_out(examples: Iterable[Example], share: float) -> tuple[list[Example], list[Example]]:
    """Split by a hash of the text, so that a text is on the same side in every run."""
    train: list[Example] = []
    dev: list[Example] = []
    for example in examples:
        (dev if int(example.key[:8], 16) / 0x1_0000_0000 < share else train).append(example)
    return train, dev


def check_leaks(
    train: list[Example], dev: Iterable[Example], *, drop: bool = False
) -> tuple[list[Example], int]:
    """The training examples that are not in `dev`, and how many were dropped for it.

    Raises:
        TrainingError: a text is in both, and `drop` is not set.
    """
    held = {example.key for example in dev}
    clean = [example for example in train if example.key not in held]
    leaks = len(train) - len(clean)
    if leaks and not drop:
        first = next(example for example in train if example.key in held)
        raise TrainingError(
            f"{leaks:,} texts are in both the training and the dev data, the first is "
            f"{first.text[:60]!r} (source {first.source}); remove them, or use --drop-leaks"
        )
    return clean, leaks
