"""Reading data: every format, names mapped, and every row that cannot be used is named."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from training.data import Example, check_leaks, hold_out, read_examples
from training.errors import TrainingError
from training.rows import Columns


def write(file: Path, *lines: str) -> str:
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


def labels(examples: list[Example]) -> list[str | None]:
    return [example.label for example in examples]


def test_jsonl_csv_tsv_and_parquet_read_the_same(tmp_path: Path):
    rows = [("很好，喜欢", "positive"), ("太差", "negative")]
    files = [
        write(tmp_path / "a.jsonl", *(json.dumps({"text": t, "label": y}) for t, y in rows)),
        write(tmp_path / "a.csv", "text,label", *(f'"{t}",{y}' for t, y in rows)),
        write(tmp_path / "a.tsv", "text\tlabel", *(f"{t}\t{y}" for t, y in rows)),
        str(tmp_path / "a.parquet"),
    ]
    columns = {"text": [t for t, _ in rows], "label": [y for _, y in rows]}
    parquet.write_table(pa.table(columns), files[-1])
    for file in files:
        examples, report = read_examples(file)
        assert [(e.text, e.label) for e in examples] == rows
        assert (report.read, report.used) == (2, 2)


def test_columns_and_labels_are_mapped_by_name(tmp_path: Path):
    file = write(tmp_path / "shop.csv", "review,stars", "很好,5", "一般,3", "差,1")
    columns = Columns.parse("review", "stars", ["5=positive", "3=neutral", "1=negative"])
    examples, _ = read_examples(file, columns)
    assert labels(examples) == ["positive", "neutral", "negative"]
    assert [e.leaning for e in examples] == [1.0, 0.5, 0.0]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path):
    (tmp_path / "excel.csv").write_bytes("\ufefftext,label\n很好,positive\n".encode())
    assert labels(read_examples(str(tmp_path / "excel.csv"))[0]) == ["positive"]


def test_bad_rows_are_reported_as_file_line_and_reason_and_counted(tmp_path: Path):
    good = '{"text": "很好", "label": "positive"}'
    file = write(
        tmp_path / "a.jsonl",
        good,
        "{broken",
        "[1]",
        '{"text": 5, "label": "positive"}',
        '{"text": "  ", "label": "positive"}',
        '{"text": "好", "label": "great"}',
        '{"text": "很好！", "spans": [{"start": 0, "end": 9, "polarity": "negative"}]}',
        good,
    )
    examples, report = read_examples(file)
    assert len(examples) == 1
    assert (report.read, report.used) == (8, 1)
    reasons = {int(p.split(":")[1]): p for p in report.problems}
    assert set(reasons) == {2, 3, 4, 5, 6, 7, 8}
    assert "not JSON" in reasons[2]
    assert "not an object" in reasons[3]
    assert "no text" in reasons[4]
    assert "blank" in reasons[5]
    assert "unknown label: 'great'" in reasons[6]
    assert "[0, 9) is outside the text of 3" in reasons[7]
    assert "same text as" in reasons[8]
    assert "8 rows read, 1 used" in report.lines()[-1]


def test_texts_that_differ_only_in_spelling_are_duplicates(tmp_path: Path):
    rows = [{"text": t, "label": "positive"} for t in ("這個好,", "这个好，", " 这个好，")]
    file = write(tmp_path / "a.jsonl", *(json.dumps(row) for row in rows))
    assert read_examples(file)[1].used == 1


def test_invalid_utf8_is_a_bad_row_not_a_crash(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes("text,label\n好,positive\n".encode() + b"\xff\xfe,positive\n")
    _, report = read_examples(str(tmp_path / "a.csv"))
    assert report.problems == [f"{tmp_path / 'a.csv'}:3: not utf-8"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_a_file_of_another_encoding_is_read_when_it_is_named(tmp_path: Path, name: str):
    lines = {
        "a.csv": "评论,标签\n很好,好评\n差,差评\n",
        "a.tsv": "评论\t标签\n很好\t好评\n差\t差评\n",
        "a.jsonl": '{"评论": "很好", "标签": "好评"}\n{"评论": "差", "标签": "差评"}\n',
    }
    (tmp_path / name).write_bytes(lines[name].encode("gb18030"))
    given = ("评论", "标签", ["好评=positive", "差评=negative"])
    examples, _ = read_examples(str(tmp_path / name), Columns.parse(*given, "gb18030"))
    assert [(e.text, e.label) for e in examples] == [("很好", "positive"), ("差", "negative")]
    with pytest.raises(TrainingError, match=r"is not utf-8: name its encoding, as --encoding gb"):
        read_examples(str(tmp_path / name), Columns.parse(*given))


def test_a_few_rows_that_are_ascii_do_not_stand_for_a_file_of_another_encoding(tmp_path: Path):
    rows = "text,label\n" + "很好吃,positive\n" * 8 + "ok,positive\n"
    (tmp_path / "a.csv").write_bytes(rows.encode("gb18030"))
    with pytest.raises(TrainingError, match="is not utf-8"):
        read_examples(str(tmp_path / "a.csv"))


def test_a_text_with_half_an_emoji_is_a_bad_row_of_any_encoding(tmp_path: Path):
    file = write(
        tmp_path / "a.jsonl", '{"text": "好\\ud83d"}', '{"text": "好", "label": "positive"}'
    )
    _, report = read_examples(file)
    assert "not valid Unicode" in report.problems[0]


@pytest.mark.parametrize("name", ["gbx", "base64"])
def test_an_unknown_encoding_is_named(tmp_path: Path, name: str):
    file = write(tmp_path / "a.csv", "text,label", "好,positive")
    with pytest.raises(TrainingError, match=f"--encoding {name} is not known; try utf-8 or gb"):
        read_examples(file, Columns(encoding=name))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_file_that_is_utf8_is_not_taken_for_another_encoding(tmp_path: Path, name: str):
    text = {
        "a.csv": "text,label\n很好,positive\n",
        "a.jsonl": '{"text": "很好", "label": "mixed"}\n',
    }
    (tmp_path / name).write_text(text[name], encoding="utf-8")
    with pytest.raises(TrainingError, match=r"is UTF-8, not gb18030"):
        read_examples(str(tmp_path / name), Columns(encoding="gb18030"))


def test_utf16_is_read_when_it_is_named(tmp_path: Path):
    text = '{"text": "很好", "label": "positive"}\n{"text": "差", "label": "negative"}\n'
    (tmp_path / "a.jsonl").write_text(text, encoding="utf-16")
    examples, _ = read_examples(str(tmp_path / "a.jsonl"), Columns(encoding="utf-16"))
    assert labels(examples) == ["positive", "negative"]
    with pytest.raises(TrainingError, match="is not utf-8: name its encoding"):
        read_examples(str(tmp_path / "a.jsonl"))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", "review,label\n好,positive\n", "no column 'text', name it with --text-column"),
        ("a.xlsx", "x", ".xlsx is not one of"),
        ("a.jsonl", "{bad\n", "holds no usable row"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, name, content, sentence):
    with pytest.raises(TrainingError, match=sentence):
        read_examples(write(tmp_path / name, content))


def test_a_missing_file_is_named():
    with pytest.raises(TrainingError, match="there is no file"):
        read_examples("nowhere.csv")


def test_a_wrong_label_map_is_explained():
    with pytest.raises(TrainingError, match="THEIRS=OURS"):
        Columns.parse("text", "label", ["5=great"])


def test_a_data_set_of_the_datasets_library_is_read_by_its_id(tmp_path: Path):
    write(tmp_path / "shop" / "train.csv", "text,label", "很好,positive", "差,negative")
    examples, _ = read_examples(f"hf:{tmp_path / 'shop'}:train")
    assert labels(examples) == ["positive", "negative"]


def test_a_hub_data_set_that_cannot_be_fetched_is_named(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(TrainingError, match="cannot load danshi/nothing from the hub"):
        read_examples("hf:danshi/nothing:train")


def test_a_text_in_both_train_and_dev_is_an_error_that_names_it():
    train = [Example("房间很好", "positive", "a"), Example("差", "negative", "a")]
    dev = [Example("房間很好", "positive", "b")]
    with pytest.raises(TrainingError, match="'房间很好'"):
        check_leaks(train, dev)
    clean, leaks = check_leaks(train, dev, drop=True)
    assert ([e.text for e in clean], leaks) == (["差"], 1)


def test_the_same_texts_are_held_out_in_every_run():
    examples = [Example(f"第{i}条评论不错", "positive", "a") for i in range(400)]
    train, dev = hold_out(examples, 0.1)
    assert len(train) + len(dev) == 400
    assert 20 <= len(dev) <= 60
    assert hold_out(list(reversed(examples)), 0.1)[1] == list(reversed(dev))
