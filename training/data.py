"""Labelled texts as `Example`s, read from what `rows` finds in files, and held out.

A row that is no example is reported as file:line with its reason and counted;
nothing is dropped in silence.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.errors import TextError
from models.labels import CLAUSE_LABELS, LABELS, ClauseLabel, Label
from models.text import normalize
from training.errors import TrainingError
from training.rows import Columns, Report, read_rows

_SIDES = {"positive": 1.0, "negative": 0.0, "neutral": 0.5}


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
    def teaches(self) -> bool:
        """Whether anything is known of the text's sentiment."""
        return not (self.label is None and self.leaning is None and self.spans is None)

    @property
    def key(self) -> str:
        """Equal for texts that the model cannot tell apart."""
        return hashlib.sha256(normalize(self.text).text.strip().encode()).hexdigest()[:24]


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
    for place, row in read_rows(where, columns, report):
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


def _example(row: Mapping[str, Any], columns: Columns, source: str) -> Example:
    text = row.get(columns.text)
    if not isinstance(text, str):
        raise ValueError(f"no text: {columns.text!r} is {type(text).__name__}")
    label = _label(row.get(columns.label), columns) if columns.label else None
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
