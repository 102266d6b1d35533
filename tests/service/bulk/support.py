"""Files for `danshi classify FILE`: written, and read as rows, in each format."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

Run = Callable[..., int]
TEXTS = [
    "房间很干净，但是隔音太差了。",
    "很好",
    '他说"还行"，\n第二行',
    "一般",
    "，，，不错 😀",
    "难吃",
]


def write(path: Path, texts: list[str], **columns: list[Any]) -> Path:
    """A file of the format that its name says."""
    rows = [
        {"text": text, **{name: cells[i] for name, cells in columns.items()}}
        for i, text in enumerate(texts)
    ]
    match path.suffix:
        case ".csv" | ".tsv":
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, delimiter="," if path.suffix == ".csv" else "\t")
                writer.writerow(rows[0])
                writer.writerows(row.values() for row in rows)
        case ".jsonl":
            lines = [json.dumps(row, ensure_ascii=False) for row in rows]
            path.write_text("\n".join(lines), encoding="utf-8")
        case ".parquet":
            parquet.write_table(pa.Table.from_pylist(rows), path)
        case _:
            path.write_text("".join(text.replace("\n", " ") + "\n" for text in texts))
    return path


def read(path: Path, encoding: str = "utf-8-sig") -> list[dict[str, Any]]:
    """The rows of a file; of a JSON Lines row, the result's fields as a table has them."""
    match path.suffix:
        case ".csv" | ".tsv":
            with path.open(encoding=encoding, newline="") as file:
                delimiter = "," if path.suffix == ".csv" else "\t"
                return list(csv.DictReader(file, delimiter=delimiter))
        case ".parquet":
            return list(parquet.read_table(path).to_pylist())
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        said = row.pop("danshi")
        error = said.get("error", {}).get("detail")
        row |= {"danshi_label": said.get("label"), "danshi_error": error}
        rows.append(row)
    return rows


def damaged(path: Path, texts: list[str]) -> Path:
    """A Parquet file, each text a row group, of which the last cannot be read."""
    parquet.write_table(pa.table({"text": texts}), path, row_group_size=1)
    chunk = parquet.read_metadata(path).row_group(len(texts) - 1).column(0)
    with path.open("r+b") as file:
        file.seek(chunk.data_page_offset)
        file.write(b"\xff" * 16)
    return path
