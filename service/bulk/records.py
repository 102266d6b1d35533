"""What bulk files hold: rows as they came, and what is said of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models import Result, TextError

FORMATS = ("csv", "tsv", "jsonl", "parquet", "txt")
_SUFFIXES = {".ndjson": "jsonl", ".pq": "parquet", ".tab": "tsv", **{f".{f}": f for f in FORMATS}}

# The most that a cell may hold: a table is read by csv, which refuses 131,072 unless told.
CELL_CHARACTERS = 2**31 - 1

# Of a table's result columns; a JSON Lines row has one key, named as the prefix.
KEY = "danshi"
RESULT_COLUMNS = tuple(
    f"{KEY}_{name}"
    for name in (
        "label", "polarity", "positive", "neutral", "negative", "mixed", "clauses", "error",
    )
)  # fmt: skip


class BulkError(RuntimeError):
    """The run cannot be done, or not go on; the message tells the user why, in a line."""


def reason(error: Exception) -> str:
    """What went wrong with a file, in a line without its full stop."""
    told = error.strerror if isinstance(error, OSError) else None
    return (told or str(error) or type(error).__name__).splitlines()[0].rstrip(".")


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the input.

    values: the cells, in the order of the source's columns.
    value: the same as JSON Lines hold it, if the source has that form.
    text: the text to classify, or why there is none.
    """

    values: Sequence[Any]
    text: str | TextError
    value: Any = field(default=None)


def format_of(path: Path) -> str:
    """The format that the name of `path` says.

    Raises:
        BulkError: it says none.
    """
    try:
        return _SUFFIXES[path.suffix.lower()]
    except KeyError:
        known = ", ".join(_SUFFIXES)
        raise BulkError(f"{path} does not say its format by its ending ({known}).") from None


def result_cells(result: Result | TextError) -> list[Any]:
    """What is said of a text, in the order of RESULT_COLUMNS."""
    if isinstance(result, TextError):
        return [*[None] * (len(RESULT_COLUMNS) - 1), str(result)]
    said = result.as_dict()
    scores = said["scores"]
    return [
        said["label"],
        said["polarity"],
        scores["positive"],
        scores["neutral"],
        scores["negative"],
        scores["mixed"],
        json.dumps(said["clauses"], ensure_ascii=False, separators=(",", ":")),
        None,
    ]


def result_value(result: Result | TextError) -> dict[str, Any]:
    """What is said of a text, as JSON Lines hold it."""
    if isinstance(result, TextError):
        return {"error": {"detail": str(result)}}
    return result.as_dict()
