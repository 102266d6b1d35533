"""`danshi classify` as a process: its arguments, its pipes, its memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.bulk.support import TEXTS, read, write
from tests.service.support import command_environment

# Prints the peak of a command, in KiB. A small process has to ask: on Linux the peak of a process
# begins as that of the one it was started from, and a run of tests may be larger.
PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


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
def test_standard_input_can_be_a_table(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service", "classify", "--format", "csv", "-o", "o.csv"],
        cwd=tmp_path, env=command_environment(), input="text,n\n很好,1\n", text=True,
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "o.csv")[0]["n"] == "1"


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--resume", "--force"])
def test_standard_input_is_not_written_over(tmp_path: Path, option: str) -> None:
    rows = write(tmp_path / "r.jsonl", TEXTS)
    before = rows.read_bytes()
    with rows.open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-m", "service", "classify", "--format", "jsonl", "-o", str(rows),
             option],
            env=command_environment(), stdin=file, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 2
    assert "is the input: write to another file." in done.stderr
    assert rows.read_bytes() == before


@pytest.mark.slow
def test_a_file_piped_in_is_not_emptied_by_resume(tmp_path: Path) -> None:
    rows = write(tmp_path / "r.jsonl", TEXTS)
    done = subprocess.run(
        [sys.executable, "-m", "service", "classify", "--format", "jsonl", "-o", str(rows),
         "--resume"],
        env=command_environment(), input=rows.read_bytes(), capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert b"nothing was changed" in done.stderr
    assert [row["text"] for row in map(json.loads, rows.read_bytes().splitlines())] == TEXTS


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
        done = subprocess.run(
            [sys.executable, "-c", PEAK, sys.executable, "-m", "service", "classify", str(rows),
             "-o", str(tmp_path / "o.csv"), "--force"],
            env=command_environment(), capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        assert done.returncode == 1
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] < peaks[0] + 25, peaks
