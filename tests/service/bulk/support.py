"""Files for `danshi classify FILE`: written, and read as rows, in each format."""

import csv
import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    """A Parquet file in groups of 512 rows, of which the last cannot be read."""
    parquet.write_table(pa.table({"text": texts}), path, row_group_size=512)
    metadata = parquet.read_metadata(path)
    chunk = metadata.row_group(metadata.num_row_groups - 1).column(0)
    begin = chunk.dictionary_page_offset or chunk.data_page_offset
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(b"\xff" * chunk.total_compressed_size)
    return path


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Files of this process cannot grow beyond `size` bytes, as if the disk were full."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
