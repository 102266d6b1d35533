"""A run that goes on does so with what it was begun with, or says why not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from training.config import Recipe, Source
from training.errors import TrainingError
from training.options import sources_from
from training.plan import Plan, check_unchanged, read_plan
from training.rows import Columns

COLUMNS = Columns("评论", "星", {"5": "positive"}, "gb18030")
MINE = sources_from(["mine.csv"], None, COLUMNS)
BEGUN = Plan(Recipe(MINE, epochs=2.0), seed=7, accumulate=4, precision="fp32", processes=2)


def test_a_plan_is_read_as_it_was_written(tmp_path: Path):
    BEGUN.write(tmp_path / "run")
    assert read_plan(tmp_path / "run") == BEGUN


def test_what_an_earlier_version_did_not_write_down_is_as_it_is_asked(tmp_path: Path):
    BEGUN.write(tmp_path)
    written = json.loads((tmp_path / "run.json").read_text("utf-8"))
    earlier = {name: written[name] for name in ("recipe", "seed")}
    (tmp_path / "run.json").write_text(json.dumps(earlier), encoding="utf-8")
    asked = Plan(Recipe(()), seed=1, accumulate=8, precision="fp32", processes=4)
    assert read_plan(tmp_path, unsaid=asked) == replace(asked, recipe=BEGUN.recipe, seed=7)


def test_what_is_not_given_goes_on_as_it_was():
    asked = Plan(Recipe((Source("seed.jsonl"),)), processes=2)
    check_unchanged(Path("run"), BEGUN, asked, ())


def test_the_same_command_again_goes_on():
    options = {"recipe", "data", "label_map", "encoding", "epochs", "accumulate", "precision"}
    check_unchanged(Path("run"), BEGUN, BEGUN, options)


@pytest.mark.parametrize(
    ("asked", "options", "told"),
    [
        (replace(BEGUN, accumulate=1), {"accumulate"}, "with accumulate 4, not 1"),
        (replace(BEGUN, seed=8), {"seed"}, "with seed 7, not 8"),
        (replace(BEGUN, version="9"), {"model_version"}, "with version None, not 9"),
        (replace(BEGUN, recipe=Recipe(MINE, epochs=3.0)), {"epochs"}, "epochs 2.0, not 3.0"),
        (replace(BEGUN, recipe=Recipe(MINE, epochs=3.0)), {"recipe"}, "epochs 2.0, not 3.0"),
        (replace(BEGUN, recipe=Recipe((), epochs=2.0)), {"data"}, "other data"),
        (replace(BEGUN, recipe=Recipe((), epochs=2.0)), {"label_map"}, "other data"),
    ],
)
def test_an_option_that_says_otherwise_is_named(asked: Plan, options: set[str], told: str):
    with pytest.raises(TrainingError, match=f"run was begun {told}" if "with" in told else told):
        check_unchanged(Path("run"), BEGUN, asked, options)


def test_another_number_of_processes_is_named_unasked():
    with pytest.raises(TrainingError, match="processes 2, not 1"):
        check_unchanged(Path("run"), BEGUN, replace(BEGUN, processes=1), ())


def test_a_folder_that_is_no_run_is_named(tmp_path: Path):
    with pytest.raises(TrainingError, match=r"is not the folder of a run: it has no run\.json"):
        read_plan(tmp_path)
