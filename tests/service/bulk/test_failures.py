"""What breaks under way, input or output: it is named, and what was done is not lost."""

from pathlib import Path

import pytest

from service.bulk.command import BulkError
from tests.service.bulk.support import TEXTS, Run, damaged, write

UNREADABLE = Path("/proc/self/mem")  # a file that opens, and whose first read is an error


@pytest.mark.skipif(not UNREADABLE.is_file(), reason="needs the files of Linux about a process")
@pytest.mark.parametrize("form", ["csv", "jsonl", "txt"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_an_input_that_cannot_be_read_is_named(
    run: Run, tmp_path: Path, form: str, encoding: str
) -> None:
    with pytest.raises(BulkError, match=r"^Cannot read /proc/self/mem: Input/output error\."):
        run(UNREADABLE, tmp_path / "o.csv", form=form, encoding=encoding)


@pytest.mark.parametrize("name", ["i.csv", "i.jsonl", "i.txt"])
def test_an_input_in_another_encoding_is_named(run: Run, tmp_path: Path, name: str) -> None:
    rows = write(tmp_path / name, TEXTS)
    with pytest.raises(BulkError, match=rf"^Cannot read .*{name}: .*UTF-16"):
        run(rows, tmp_path / "o.jsonl", encoding="utf-16")


@pytest.mark.parametrize("output", ["o.csv", "o.jsonl", "o.parquet"])
def test_a_damaged_row_group_is_an_error_that_names_the_input(
    run: Run, tmp_path: Path, output: str
) -> None:
    with pytest.raises(BulkError, match=r"^Cannot read .*i\.parquet: "):
        run(damaged(tmp_path / "i.parquet", TEXTS), tmp_path / output)
