"""Nothing is overwritten unasked, and what has stopped goes on with `--resume`."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.bulk.command import BulkError
from tests.service.bulk.support import TEXTS, Run, read, write
from tests.service.support import command_environment


def test_results_of_an_earlier_run_are_replaced(run: Run, tmp_path: Path) -> None:
    assert run(write(tmp_path / "i.csv", TEXTS), tmp_path / "one.csv") == 0
    assert run(tmp_path / "one.csv", tmp_path / "two.csv") == 0
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_nothing_is_overwritten_unasked(run: Run, tmp_path: Path) -> None:
    rows = write(tmp_path / "i.csv", TEXTS)
    with pytest.raises(BulkError, match="is the input"):
        run(rows, rows, force=True)
    assert run(rows, tmp_path / "o.csv") == 0
    with pytest.raises(BulkError, match="--resume continues it, --force replaces it"):
        run(rows, tmp_path / "o.csv")
    assert run(rows, tmp_path / "o.csv", force=True) == 0


@pytest.mark.parametrize("output", ["o.csv", "o.jsonl"])
@pytest.mark.parametrize("torn", [1, 2, 30, 500])
def test_a_torn_file_is_resumed_to_what_it_would_have_been(
    run: Run, tmp_path: Path, output: str, torn: int
) -> None:
    rows = write(tmp_path / "i.csv", TEXTS)
    assert run(rows, tmp_path / output) == 0
    whole = (tmp_path / output).read_bytes()
    (tmp_path / output).write_bytes(whole[:-torn])
    assert run(rows, tmp_path / output, resume=True) == 0
    assert (tmp_path / output).read_bytes() == whole


@pytest.mark.parametrize("output", ["o.csv", "o.jsonl", "o.parquet"])
def test_a_run_on_a_longer_input_resumes_behind_the_rows_that_are_there(
    run: Run, tmp_path: Path, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    part, whole = write(tmp_path / "part.csv", TEXTS[:4]), write(tmp_path / "whole.csv", TEXTS)
    assert run(part, tmp_path / output) == 0
    assert run(whole, tmp_path / output, resume=True) == 0
    assert "2 rows" in (told := capsys.readouterr().err)
    assert "behind 4 that were there" in told
    assert [row["text"] for row in read(tmp_path / output)] == TEXTS
    assert run(whole, tmp_path / output, resume=True) == 0


@pytest.mark.parametrize("output", ["o.csv", "o.jsonl", "o.parquet"])
def test_the_output_of_another_input_is_not_resumed(run: Run, tmp_path: Path, output: str) -> None:
    assert run(write(tmp_path / "a.csv", TEXTS[:3]), tmp_path / output) == 0
    if not output.endswith("parquet"):
        with (tmp_path / output).open("ab") as file:
            file.write(b'"torn')
    before = (tmp_path / output).read_bytes()
    with pytest.raises(BulkError, match="Row 3 of the output is not row 3 of the input"):
        run(write(tmp_path / "b.csv", TEXTS[::-1]), tmp_path / output, resume=True)
    with pytest.raises(BulkError, match="The output has 3 rows, the input 2"):
        run(write(tmp_path / "c.csv", TEXTS[:2]), tmp_path / output, resume=True)
    assert (tmp_path / output).read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("o.jsonl", '{"text": "很好", "label": "positive"}\n{"text": "难吃"}\n'),
        ("o.jsonl", '{"text": "很好"}'),
        ("o.jsonl", '{"text": "很好", "danshi": "positive"}\n'),
        ("o.jsonl", '{"text": "很好", "danshi"'),
        ("o.jsonl", "很好\n"),
        ("o.jsonl", "[" * 100_000),
        ("o.csv", "text,stars\n很好,5\n"),
        ("o.csv", "很好"),
        ("o.csv", '"text,danshi_label\n'),
        ("o.csv", '"text" and more\n'),
        ("o.csv", "text\rdanshi_label\n"),
    ],
)
def test_a_file_that_the_command_did_not_write_is_not_resumed_and_stays_as_it_is(
    run: Run, tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_bytes(content.encode())
    with pytest.raises(BulkError, match=rf"{name} .*nothing was changed.*--force"):
        run(write(tmp_path / "i.csv", TEXTS), tmp_path / name, resume=True)
    assert (tmp_path / name).read_bytes() == content.encode()


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("o.jsonl", '{"text": "很好"}\n'),
        ("o.jsonl", '{"text": "很好"}'),
        ("o.jsonl", "很好\n"),
        ("o.csv", "很好\n"),
        ("o.csv", '"很"好\n'),
    ],
)
def test_a_strange_row_behind_whole_ones_is_not_cut(
    run: Run, tmp_path: Path, name: str, row: str
) -> None:
    assert run(write(tmp_path / "part.csv", TEXTS[:4]), tmp_path / name) == 0
    with (tmp_path / name).open("ab") as file:
        file.write(row.encode())
    before = (tmp_path / name).read_bytes()
    with pytest.raises(BulkError, match=rf"^Row 5 of .*{name} .*nothing was changed"):
        run(write(tmp_path / "i.csv", TEXTS), tmp_path / name, resume=True)
    assert (tmp_path / name).read_bytes() == before


def test_a_table_with_a_long_text_is_resumed(run: Run, tmp_path: Path) -> None:
    rows = write(tmp_path / "i.jsonl", ["很好" * 100_000, "难吃"])
    assert run(rows, tmp_path / "o.csv") == 0
    csv.field_size_limit(131_072)  # as in a new process
    assert run(rows, tmp_path / "o.csv", resume=True) == 0


@pytest.mark.parametrize("length", [0, 1, 3, 4, 20, -2, -1])
def test_a_header_that_a_crash_has_torn_is_begun_again(
    run: Run, tmp_path: Path, length: int
) -> None:
    (tmp_path / "i.csv").write_text("text\n很好\n", encoding="utf-8-sig")
    assert run(tmp_path / "i.csv", tmp_path / "o.csv") == 0
    whole = (tmp_path / "o.csv").read_bytes()
    header = whole.splitlines(keepends=True)[0]
    (tmp_path / "o.csv").write_bytes(header[:length])
    assert run(tmp_path / "i.csv", tmp_path / "o.csv", resume=True) == 0
    assert (tmp_path / "o.csv").read_bytes() == whole


def test_a_first_line_that_lacks_its_end_only_is_written_again(run: Run, tmp_path: Path) -> None:
    rows = write(tmp_path / "i.csv", TEXTS)
    assert run(rows, tmp_path / "o.jsonl") == 0
    whole = (tmp_path / "o.jsonl").read_bytes()
    (tmp_path / "o.jsonl").write_bytes(whole.splitlines()[0])
    assert run(rows, tmp_path / "o.jsonl", resume=True) == 0
    assert (tmp_path / "o.jsonl").read_bytes() == whole


def test_a_parquet_file_that_is_not_whole_is_not_resumed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "o.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(BulkError, match="not a whole Parquet file"):
        run(write(tmp_path / "i.csv", TEXTS), tmp_path / "o.parquet", resume=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["o.csv", "o.jsonl", "o.parquet"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_whole_rows_and_resume_goes_on(
    tmp_path: Path, name: str, number: signal.Signals
) -> None:
    texts = [f"第{i}次来，菜很好吃，但是服务员太冷淡了。" for i in range(6000)]
    rows, output = write(tmp_path / "i.jsonl", texts), tmp_path / name
    watched = output.with_name(name + ".partial") if name.endswith("parquet") else output
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "classify", str(rows), "-o", str(output)],
        env=command_environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    # Its first rows are out, or, as Parquet gathers them, have had time to be.
    while not (watched.exists() and (name.endswith("parquet") or watched.stat().st_size > 1000)):
        time.sleep(0.05)
        assert process.poll() is None
    time.sleep(0.5)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in told
    done = [row["text"] for row in read(output)]
    assert done == texts[: len(done)]
    assert len(done) < len(texts)
    (tmp_path / "i.jsonl").write_text(
        "\n".join((tmp_path / "i.jsonl").read_text().splitlines()[: len(done) + 20])
    )
    again = subprocess.run(
        [sys.executable, "-m", "service", "classify", str(rows), "-o", str(output), "--resume"],
        env=command_environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert [row["text"] for row in read(output)] == texts[: len(done) + 20]
