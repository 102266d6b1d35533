"""`danshi classify FILE`: every row once, whatever the format and whatever it holds."""

import json
from pathlib import Path

import pytest

from models import Classifier, Result, TextError
from service.bulk.command import BulkError
from service.bulk.records import RESULT_COLUMNS
from tests.service.bulk.support import TEXTS, Run, read, write


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


@pytest.mark.parametrize("output", ["o.csv", "o.tsv", "o.jsonl", "o.parquet"])
def test_an_escape_that_pairs_with_none_spoils_its_row_only(
    run: Run, tmp_path: Path, output: str
) -> None:
    lines = ['{"text": "很好"}', r'{"text": "好\ud83d"}', '{"text": "难吃"}']
    (tmp_path / "i.jsonl").write_text("\n".join(lines[:2]), encoding="utf-8")
    assert run(tmp_path / "i.jsonl", tmp_path / output) == 1
    # Its row is the last one, by which the rest of the input is told from another file.
    (tmp_path / "i.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert run(tmp_path / "i.jsonl", tmp_path / output, resume=True) == 0
    rows = read(tmp_path / output)
    assert [bool(row["danshi_label"]) for row in rows] == [True, False, True]
    assert "not valid Unicode" in rows[1]["danshi_error"]
    assert rows[1]["text"] in {r"好\ud83d", "好\ud83d", "好?"}


def test_bytes_that_are_no_utf_8_come_out_beside_an_escape_that_pairs_with_none(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "i.jsonl").write_bytes(b'{"text": "\xff\\ud83d\xfe"}')
    assert run(tmp_path / "i.jsonl", tmp_path / "o.csv") == 1
    assert (tmp_path / "o.csv").read_bytes().splitlines()[1].startswith(b"\xff\\ud83d\xfe,")


def test_a_character_that_the_encoding_lacks_is_escaped(run: Run, tmp_path: Path) -> None:
    (tmp_path / "i.jsonl").write_bytes(r'{"text": "好\ud83d\ude00"}'.encode("gbk"))
    assert run(tmp_path / "i.jsonl", tmp_path / "o.csv", encoding="gbk") == 0
    assert read(tmp_path / "o.csv", "gbk")[0]["text"] == r"好\U0001f600"
    assert run(tmp_path / "i.jsonl", tmp_path / "o.csv", encoding="gbk", resume=True) == 0


@pytest.mark.parametrize("output", ["o.csv", "o.jsonl", "o.parquet"])
def test_bytes_that_are_no_utf_8_may_be_in_the_header(
    run: Run, tmp_path: Path, output: str
) -> None:
    (tmp_path / "i.csv").write_bytes(b"text,\xff\n" + "很好,1\n".encode())
    assert run(tmp_path / "i.csv", tmp_path / output) == 0
    assert run(tmp_path / "i.csv", tmp_path / output, resume=True) == 0


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


def test_every_result_column_is_filled_by_a_result_or_an_error(classifier: Classifier) -> None:
    from service.bulk.records import result_cells

    said = classifier.classify("很好")
    assert isinstance(said, Result)
    assert len(result_cells(said)) == len(RESULT_COLUMNS)
    assert len(result_cells(TextError("no"))) == len(RESULT_COLUMNS)
