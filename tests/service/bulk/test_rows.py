"""`danshi classify FILE`: every row once, whatever the format and whatever happens."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from models import Classifier, Result, TextError
from service.bulk import command
from service.bulk.command import BulkError
from service.bulk.records import RESULT_COLUMNS
from tests.service.support import command_environment

Run = Callable[..., int]
TEXTS = [
    "房间很干净，但是隔音太差了。",
    "很好",
    '他说"还行"，\n第二行',
    "一般",
    "，，，不错 😀",
    "难吃",
]


@pytest.fixture
def run(classifier: Classifier, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command, up to its exit code, on an engine that needs no time."""

    def run(source: Path, output: Path, **options: Any) -> int:
        given: dict[str, Any] = {
            "column": None, "form": None, "encoding": "utf-8", "resume": False, "force": False,
        }  # fmt: skip
        task = command.plan([str(source)], output, **{**given, **options})
        return task.run(classifier, print)

    return run


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


@pytest.mark.parametrize("output", ["o.csv", "o.tsv", "o.jsonl", "o.parquet"])
@pytest.mark.parametrize("source", ["i.csv", "i.tsv", "i.jsonl", "i.parquet", "i.txt"])
def test_every_row_comes_out_with_its_result(
    run: Run, classifier: Classifier, tmp_path: Path, source: str, output: str
) -> None:
    texts = [text.replace("\n", " ") for text in TEXTS]
    rows = write(tmp_path / source, texts, stars=[5, 4, 3, 2, 1, 0])
    assert run(rows, tmp_path / output) == 0
    done = read(tmp_path / output)
    assert [row["text"] for row in done] == texts
    assert [row["danshi_label"] for row in done] == [classifier.classify(t).label for t in texts]
    if source[2:] == output[2:]:
        assert [int(row["stars"]) for row in done] == [5, 4, 3, 2, 1, 0]


def test_a_table_has_every_field_of_the_result(
    run: Run, classifier: Classifier, tmp_path: Path
) -> None:
    assert run(write(tmp_path / "i.csv", TEXTS), tmp_path / "o.csv") == 0
    for row in read(tmp_path / "o.csv"):
        said = classifier.classify(row["text"]).as_dict()
        assert float(row["danshi_polarity"]) == said["polarity"]
        assert {n: float(row[f"danshi_{n}"]) for n in said["scores"]} == said["scores"]
        assert json.loads(row["danshi_clauses"]) == said["clauses"]
        assert row["danshi_error"] == ""


def test_parquet_columns_keep_their_types(run: Run, tmp_path: Path) -> None:
    import datetime

    days = [datetime.date(2026, 1, day) for day in range(1, 7)]
    rows = write(tmp_path / "i.parquet", TEXTS, day=days, tags=[["a"]] * 6)
    assert run(rows, tmp_path / "o.parquet") == 0
    assert [row["day"] for row in read(tmp_path / "o.parquet")] == days
    assert read(tmp_path / "o.parquet")[0]["tags"] == ["a"]


@pytest.mark.parametrize("name", ["i.csv", "i.jsonl", "i.parquet"])
def test_the_column_can_be_chosen(
    run: Run, classifier: Classifier, tmp_path: Path, name: str
) -> None:
    rows = write(tmp_path / name, ["无关"] * 2, remark=["很好", "难吃"])
    assert run(rows, tmp_path / "o.jsonl", column="remark") == 0
    labels = [row["danshi_label"] for row in read(tmp_path / "o.jsonl")]
    assert labels == [classifier.classify(t).label for t in ("很好", "难吃")]


def test_a_usual_name_is_found_and_an_unusual_one_asked_for(run: Run, tmp_path: Path) -> None:
    (tmp_path / "usual.csv").write_text("编号,评论\n1,很好\n", encoding="utf-8")
    assert run(tmp_path / "usual.csv", tmp_path / "o.csv") == 0
    (tmp_path / "odd.csv").write_text("a,b\n1,很好\n", encoding="utf-8")
    with pytest.raises(BulkError, match=r"--column and one of a, b\.$"):
        run(tmp_path / "odd.csv", tmp_path / "o2.csv")
    with pytest.raises(BulkError, match="has no column c; it has a, b"):
        run(tmp_path / "odd.csv", tmp_path / "o2.csv", column="c")


def test_bad_rows_are_kept_with_their_error(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "i.csv").write_text("id,text\n1,很好\n2\n3,a,b,c\n4,\n5,不好\n", encoding="utf-8")
    assert run(tmp_path / "i.csv", tmp_path / "o.csv") == 1
    done = read(tmp_path / "o.csv")
    assert [row["id"] for row in done] == ["1", "2", "3", "4", "5"]
    assert done[2]["text"] == "a,b,c"
    assert [row["danshi_error"] for row in done] == [
        "", "the row has 1 cells, the header 2", "the row has 4 cells, the header 2",
        "the text is blank", "",
    ]  # fmt: skip
    assert "5 rows" in (told := capsys.readouterr().err)
    assert "3 could not be classified" in told


def test_lines_that_are_no_json_are_kept_with_their_error(run: Run, tmp_path: Path) -> None:
    lines = ['{"text": "很好", "n": 1e400}', "{torn", '{"other": 1}', '{"text": 5}', '"难吃"']
    (tmp_path / "i.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert run(tmp_path / "i.jsonl", tmp_path / "o.jsonl") == 1
    done = read(tmp_path / "o.jsonl")
    assert [row["danshi_error"] for row in done] == [
        None, "the line is not JSON", "the line has no key text", "the text is not a string", None,
    ]  # fmt: skip
    assert done[1]["line"] == "{torn"
    assert done[2]["other"] == 1
    assert done[4]["text"] == "难吃"


@pytest.mark.parametrize("output", ["o.csv", "o.jsonl", "o.parquet"])
def test_bytes_that_are_no_utf_8_spoil_their_row_only(
    run: Run, tmp_path: Path, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "i.csv").write_bytes(b"text\n\xff\xfe\n" + "很好\n".encode())
    assert run(tmp_path / "i.csv", tmp_path / output) == 1
    if output == "o.csv":
        assert (tmp_path / output).read_bytes().splitlines()[1].startswith(b"\xff\xfe,")
        return
    rows = read(tmp_path / output)
    assert "not valid Unicode" in rows[0]["danshi_error"]
    assert rows[1]["danshi_label"]
    assert "--encoding" in capsys.readouterr().err


def test_gb18030_comes_out_as_it_came_in(run: Run, tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_bytes("text\n很好\n𠮷野家难吃\n".encode("gb18030"))
    assert run(tmp_path / "i.csv", tmp_path / "o.csv", encoding="gb18030") == 0
    assert [r["text"] for r in read(tmp_path / "o.csv", "gb18030")] == ["很好", "𠮷野家难吃"]


def test_the_mark_of_excels_utf_8_is_kept_and_no_part_of_the_header(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "i.csv").write_text("text\n很好\n", encoding="utf-8-sig")
    assert run(tmp_path / "i.csv", tmp_path / "o.csv") == 0
    assert (tmp_path / "o.csv").read_bytes().startswith(b"\xef\xbb\xbftext,danshi_label")
    (tmp_path / "i.csv").write_text("text\n很好\n难吃\n", encoding="utf-8-sig")
    assert run(tmp_path / "i.csv", tmp_path / "o.csv", resume=True) == 0
    assert (tmp_path / "o.csv").read_bytes().count(b"\xef\xbb\xbf") == 1
    assert len(read(tmp_path / "o.csv")) == 2


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
    before = (tmp_path / output).read_bytes()
    with pytest.raises(BulkError, match="Row 3 of the output is not row 3 of the input"):
        run(write(tmp_path / "b.csv", TEXTS[::-1]), tmp_path / output, resume=True)
    with pytest.raises(BulkError, match="The output has 3 rows, the input 2"):
        run(write(tmp_path / "c.csv", TEXTS[:2]), tmp_path / output, resume=True)
    assert (tmp_path / output).read_bytes() == before


def test_a_parquet_file_that_is_not_whole_is_not_resumed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "o.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(BulkError, match="not a whole Parquet file"):
        run(write(tmp_path / "i.csv", TEXTS), tmp_path / "o.parquet", resume=True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.csv"], "There is no file nowhere.csv."),
        (["很好", "--column", "a"], "--column and --format are for files"),
        (["很好", "--resume"], "--resume needs --output."),
        (["i.csv", "-o", "o.docx"], "does not say its format"),
        (["i.csv", "-o", "o.txt"], "Results are tables"),
        (["i.csv", "-o", "no/where.csv"], "There is no folder no."),
        (["i.csv", "--encoding", "klingon"], "--encoding klingon is not known"),
        (["i.csv", "--format", "docx"], "--format must be one of csv, tsv, jsonl"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.slow
def test_wrong_arguments_are_one_sentence(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    write(tmp_path / "i.csv", TEXTS)
    done = subprocess.run(
        [sys.executable, "-m", "service", "classify", *arguments],
        cwd=tmp_path, env=command_environment(), capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


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


@pytest.mark.slow
def test_standard_input_can_be_a_table(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service", "classify", "--format", "csv", "-o", "o.csv"],
        cwd=tmp_path, env=command_environment(), input="text,n\n很好,1\n", text=True,
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "o.csv")[0]["n"] == "1"


@pytest.mark.slow
def test_a_pipe_gets_each_answer_before_the_next_line(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "classify"],
        env=command_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(3):
        process.stdin.write("很好\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["windows"] == 1
    process.stdin.close()
    assert process.stdout.read() == ""
    process.stdout.close()
    assert process.wait(30) == 0


@pytest.mark.slow
def test_the_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Peak memory on twenty times the rows: the same but for noise."""
    peaks = []
    for copies in (20_000, 400_000):
        # Blank cells are rows like others, and cost the engine no time.
        rows = write(tmp_path / "i.csv", ["很好", *["\u3000" * 50] * copies])
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "classify", str(rows), "-o", str(tmp_path / "o.csv"),
             "--force"],
            env=command_environment(), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 1
        peaks.append(usage.ru_maxrss / 1024)
    assert peaks[1] < peaks[0] + 25, peaks


def test_every_result_column_is_filled_by_a_result_or_an_error(classifier: Classifier) -> None:
    from service.bulk.records import result_cells

    said = classifier.classify("很好")
    assert isinstance(said, Result)
    assert len(result_cells(said)) == len(RESULT_COLUMNS)
    assert len(result_cells(TextError("no"))) == len(RESULT_COLUMNS)
