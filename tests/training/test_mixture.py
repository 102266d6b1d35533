"""What the sources of a recipe come to."""

import json
from pathlib import Path

import pytest

from training.config import Recipe, Source
from training.errors import TrainingError
from training.mixture import read_mixture
from training.options import sources_from
from training.pretrain import pretraining_texts
from training.rows import Columns


def write(file: Path, *rows: dict[str, object]) -> str:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def reviews(*labels: str | None) -> list[dict[str, object]]:
    return [{"text": f"第{i}次来", "label": label} for i, label in enumerate(labels)]


def allowance(tmp_path: Path, *labels: str) -> float | None:
    file = write(tmp_path / "mine.jsonl", *reviews(*labels * 20))
    ((source, _),) = read_mixture(Recipe(sources_from([file], None, Columns()))).train
    return source.mixed_allowance


def test_a_users_file_without_mixed_may_hide_it(tmp_path: Path):
    assert allowance(tmp_path, "positive", "negative", "neutral") == 0.5


def test_a_users_file_with_mixed_knows_it(tmp_path: Path):
    assert allowance(tmp_path, "positive", "negative", "mixed") == 0.0


def test_a_file_whose_labels_are_not_found_is_refused(tmp_path: Path):
    rows: list[dict[str, object]] = [{"text": f"{i}", "mood": "good"} for i in range(40)]
    file = write(tmp_path / "mine.jsonl", *rows)
    with pytest.raises(TrainingError, match=r"no row with a label in 'label'.*there are mood"):
        read_mixture(Recipe((Source(file, name="mine"),)))


def test_rows_without_a_label_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = write(tmp_path / "mine.jsonl", *reviews(*["positive"] * 38, None, None))
    read_mixture(Recipe((Source(file, name="mine", hold_out=0.2),)))
    assert "mine.jsonl: 2 rows have no label and teach nothing" in caplog.text


def test_texts_to_guess_words_in_need_no_label(tmp_path: Path):
    (tmp_path / "plain.csv").write_text("text\n随便写写\n", encoding="gb18030")
    labelled = write(tmp_path / "mine.jsonl", *reviews(*["positive"] * 40))
    recipe = Recipe((Source(labelled, name="mine", hold_out=0.2),))
    plain = [str(tmp_path / "plain.csv")]
    assert "随便写写" in pretraining_texts(recipe, plain, encoding="gb18030")
