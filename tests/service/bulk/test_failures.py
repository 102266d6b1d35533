"""What breaks under way, input or output: it is named, and what was done is not lost."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.engine import RowLogits
from models.tokenizer import Row
from service.bulk.command import BulkError
from tests.service.bulk.support import TEXTS, Run, damaged, files_of_at_most, read, write
from tests.service.support import ObedientEngine

MANY = [f"第{i}次来，很好" for i in range(2000)]

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
def test_what_was_read_before_a_damaged_row_group_is_kept(
    run: Run, tmp_path: Path, output: str
) -> None:
    rows = damaged(tmp_path / "i.parquet", MANY)
    with pytest.raises(
        BulkError, match=r"^Cannot read .*i\.parquet: .*\. What was done before is k"
    ):
        run(rows, tmp_path / output)
    assert [row["text"] for row in read(tmp_path / output)] == MANY[:1536]
    with pytest.raises(BulkError, match=r"^Cannot read .*i\.parquet: [^.]*\.$"):
        run(rows, tmp_path / output, resume=True)
    assert run(write(rows, MANY), tmp_path / output, resume=True) == 0
    assert [row["text"] for row in read(tmp_path / output)] == MANY


@pytest.mark.parametrize("output", ["o.csv", "o.jsonl", "o.parquet"])
def test_what_was_done_before_the_engine_failed_is_kept(
    run: Run,
    tmp_path: Path,
    output: str,
    engine: ObedientEngine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = write(tmp_path / "i.csv", MANY)
    work = engine.run

    def fail_in_time(batch: Sequence[Row]) -> list[RowLogits]:
        # Chunks before the one that fails are done, however many texts the reader had for them.
        if sum(map(len, done)) > 1000:
            raise RuntimeError("no more")
        done.append(batch)
        return work(batch)

    done: list[Sequence[Row]] = []
    monkeypatch.setattr(engine, "run", fail_in_time)
    with pytest.raises(RuntimeError, match="no more"):
        run(rows, tmp_path / output)
    assert "What was done before is kept: --resume goes on from there." in capsys.readouterr().err
    kept = [row["text"] for row in read(tmp_path / output)]
    assert kept
    assert kept == MANY[: len(kept)]
    monkeypatch.undo()
    assert run(rows, tmp_path / output, resume=True) == 0
    assert [row["text"] for row in read(tmp_path / output)] == MANY


@pytest.mark.parametrize("output", ["o.csv", "o.jsonl"])
def test_rows_that_a_full_disk_refuses_leave_whole_ones_before_them(
    run: Run, tmp_path: Path, output: str
) -> None:
    rows = write(tmp_path / "i.csv", MANY)
    assert run(rows, tmp_path / output) == 0
    whole = (tmp_path / output).read_bytes()
    (tmp_path / output).unlink()
    sentence = (
        rf"^Cannot write .*{output}: File too large\. What was done before is kept: --resume "
    )
    with files_of_at_most(len(whole) - 100), pytest.raises(BulkError, match=sentence):
        run(rows, tmp_path / output)
    part = (tmp_path / output).read_bytes()
    assert part.endswith(b"\n")
    assert whole.startswith(part)
    assert run(rows, tmp_path / output, resume=True) == 0
    assert (tmp_path / output).read_bytes() == whole


@pytest.mark.parametrize("output", ["o.csv", "o.jsonl"])
def test_a_disk_full_from_the_first_row_promises_nothing(
    run: Run, tmp_path: Path, output: str
) -> None:
    rows = write(tmp_path / "i.csv", TEXTS)
    with files_of_at_most(50), pytest.raises(BulkError, match=r": File too large\.$"):
        run(rows, tmp_path / output)
    assert run(rows, tmp_path / output, resume=True) == 0


def test_parquet_stops_while_the_disk_has_room_for_its_end(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, output = write(tmp_path / "i.csv", MANY), tmp_path / "o.parquet"

    def shrinking(folder: Path) -> SimpleNamespace:
        return SimpleNamespace(free=10**9 if next(asked) < 2 else 1000)

    asked = count()
    monkeypatch.setattr("service.bulk.parquet._GROUP", 100)
    monkeypatch.setattr("shutil.disk_usage", shrinking)
    sentence = (
        r"^Cannot write .*: No space left on device\. What was done before is kept: --resume "
    )
    with pytest.raises(BulkError, match=sentence):
        run(rows, output)
    kept = [row["text"] for row in read(output)]
    assert 100 <= len(kept) < len(MANY)
    assert kept == MANY[: len(kept)]
    monkeypatch.undo()
    assert run(rows, output, resume=True) == 0
    assert [row["text"] for row in read(output)] == MANY


def test_parquet_that_cannot_be_ended_says_so_and_leaves_what_was_there(
    run: Run, tmp_path: Path
) -> None:
    rows, output = write(tmp_path / "i.csv", MANY), tmp_path / "o.parquet"
    assert run(write(tmp_path / "part.csv", MANY[:4]), output) == 0
    before = output.read_bytes()
    sentence = (
        r"^Cannot write .*o\.parquet: .*File too large\. Nothing that this run did could be kept\.$"
    )
    with files_of_at_most(len(before) + 1000), pytest.raises(BulkError, match=sentence):
        run(rows, output, resume=True)
    assert output.read_bytes() == before
    assert not output.with_name("o.parquet.partial").exists()
    assert run(rows, output, resume=True) == 0
    assert [row["text"] for row in read(output)] == MANY


def test_parquet_without_room_for_the_rows_that_are_there_leaves_them(
    run: Run, tmp_path: Path
) -> None:
    rows, output = write(tmp_path / "i.csv", MANY), tmp_path / "o.parquet"
    assert run(rows, output) == 0
    before = output.read_bytes()
    with (
        files_of_at_most(1000),
        pytest.raises(BulkError, match=r"^Cannot write .*File too large\.$"),
    ):
        run(rows, output, resume=True)
    assert output.read_bytes() == before
    assert not output.with_name("o.parquet.partial").exists()
