"""What `danshi evaluate` tells, from results worked out by hand."""

import json
from pathlib import Path

import pytest

from models import Clause, Result
from models.artifact import load_manifest
from models.verdict import Connective
from tests.conftest import RELEASED
from training.data import Example
from training.evaluate import by_phenomenon, turned_falsely, turns_right
from training.metrics import Said, consistency, scores
from training.report import tables, write_report

TEXT = "不过几十块，但是好用"
TURN = {"start": 6, "end": 8, "relation": "contrast"}


def said(label: str, polarity: float, *turns: tuple[int, int], phenomenon: str = "lookalike"):
    """`TEXT`, labelled positive with one turn, 但是; with the turns that were found."""
    clauses = tuple(
        Clause(TEXT, 0, 10, "positive", {}, "contrast", Connective(TEXT[a:b], a, b))
        for a, b in turns
    )
    sure = {"positive": 0.0, "neutral": 0.0, "negative": 0.0, "mixed": 0.0, label: 1.0}
    meta = {"phenomenon": phenomenon, "connectives": [TURN]}
    return Said(
        Example(TEXT, "positive", "s", leaning=1.0, meta=meta),
        Result(label, sure, polarity, clauses, 1),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("turns", "right", "falsely"),
    [
        ([(6, 8)], True, False),
        ([(6, 7)], True, False),
        ([], False, False),
        ([(0, 2)], False, True),
        ([(0, 2), (6, 8)], False, True),
    ],
)
def test_a_missed_turn_is_wrong_and_a_false_one_is_false(turns, right, falsely):
    one = said("positive", 0.9, *turns)
    assert (turns_right(one), turned_falsely(one)) == (right, falsely)


def test_phenomena_come_from_the_weakest_in_aligned_columns():
    part = [
        said("positive", 0.9, (6, 8), phenomenon="easy"),
        said("mixed", -0.1, (0, 2), phenomenon="hard"),
    ]
    found = {
        "sets": {"seed": scores(part)},
        "consistency": consistency(part),
        "phenomena": by_phenomenon(part),
    }
    table = tables(found).split("\n\n")[-2].splitlines()
    assert [line.split()[1] for line in (table[0], *table[2:])] == ["phenomenon", "hard", "easy"]
    assert len({len(line) for line in table}) == 1
    assert table[2].split(" | ")[-1].strip(" |") == "1.000"


def test_every_text_with_a_wrong_label_or_side_is_written_down(tmp_path: Path):
    parts = {
        "binary": [said("mixed", 0.4), said("positive", -0.4)],
        "four-way": [
            Said(Example("好坏", "mixed", "s"), said("mixed", 0.1).result),
            said("mixed", 0.4),
            said("positive", 0.9),
        ],
    }
    found = {
        "sets": {name: scores(part) for name, part in parts.items()},
        "consistency": consistency([s for part in parts.values() for s in part]),
    }
    write_report(tmp_path, load_manifest(RELEASED), found, parts)
    lines = (tmp_path / "mistakes.jsonl").read_text(encoding="utf-8").splitlines()
    told = [json.loads(line) for line in lines]
    assert [(row["set"], row["said"]["label"], row["said"]["polarity"]) for row in told] == [
        ("binary", "positive", -0.4),
        ("four-way", "mixed", 0.4),
    ]
    assert told[0]["text"] == TEXT
    assert told[0]["phenomenon"] == "lookalike"
