"""The sentences that ship keep the rules of their README."""

import json
import re
from collections.abc import Iterable
from itertools import combinations
from typing import Any

import pytest

from tests.models.behaviour.measure import PROBES, probes
from training.config import RECIPES

SEED = RECIPES.parent / "seed"
MEASURED = ("heldout", "unseen")
PARTS = ("train", *MEASURED)
RUN = 7
CLAUSE = 5

Row = dict[str, Any]


def read(part: str) -> list[Row]:
    lines = (SEED / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module", params=PARTS)
def rows(request: pytest.FixtureRequest) -> list[Row]:
    return read(request.param)


def letters(text: str) -> str:
    return re.sub(r"\W", "", text)


def runs(text: str) -> set[str]:
    text = letters(text)
    return {text[i : i + RUN] for i in range(len(text) - RUN + 1)}


def clauses(row: Row) -> set[str]:
    found = {letters(row["text"][span["start"] : span["end"]]) for span in row["spans"]}
    return {clause for clause in found if len(clause) >= CLAUSE}


def all_of(sets: Iterable[set[str]]) -> set[str]:
    return set().union(*sets)


def explained_under(heading: str) -> list[str]:
    """The names in the first column of the table under a heading of the README."""
    readme = (SEED / "README.md").read_text(encoding="utf-8")
    section = readme.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_no_sentence_stands_twice():
    texts = [letters(row["text"]) for part in PARTS for row in read(part)]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize(("part", "other"), [*combinations(PARTS, 2)])
def test_no_run_of_seven_characters_is_in_two_parts(part: str, other: str):
    assert all_of(runs(r["text"]) for r in read(part)).isdisjoint(
        all_of(runs(r["text"]) for r in read(other))
    )


@pytest.mark.parametrize("part", MEASURED)
def test_no_measured_clause_of_five_characters_or_more_stands_in_a_training_sentence(part: str):
    training = "\n".join(letters(row["text"]) for row in read("train"))
    measured = all_of(map(clauses, read(part)))
    assert {clause for clause in measured if clause in training} == set()


@pytest.mark.parametrize(("part", "other"), [*combinations(PARTS, 2)])
def test_variants_of_a_sentence_are_in_one_part(part: str, other: str):
    one, two = ({row["group"] for row in read(name)} for name in (part, other))
    assert one.isdisjoint(two)


def test_no_probe_of_the_behaviour_tests_is_in_the_training_part():
    known = all_of(runs(row["text"]) for row in read("train"))
    content = json.loads(PROBES.read_text(encoding="utf-8"))
    assert len(content["praise"]) + len(content["blame"]) >= 30
    for probe in probes():
        assert known.isdisjoint(all_of(map(runs, probe.texts))), probe.texts


def test_every_row_has_the_fields_that_the_readme_names(rows: list[Row]):
    fields = explained_under("Format")
    assert len(fields) == len(set(fields))
    for row in rows:
        assert set(row) == set(fields)


def test_phenomena_are_those_that_the_readme_explains():
    explained = explained_under("Phenomena")
    assert len(explained) == len(set(explained))
    for part in PARTS:
        shown = {row["phenomenon"] for row in read(part)}
        assert shown <= set(explained)
        assert part == "unseen" or shown == set(explained)


def test_spans_tile_the_text(rows: list[Row]):
    for row in rows:
        text, spans = row["text"], row["spans"]
        edges = [0, *(edge for span in spans for edge in (span["start"], span["end"])), len(text)]
        assert edges == sorted(edges), text
        assert all(span["start"] < span["end"] for span in spans), text
        outside = "".join(text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))
        assert not outside.strip(), text


def test_a_connective_is_a_word_inside_one_clause(rows: list[Row]):
    for row in rows:
        for word in row["connectives"]:
            assert word["relation"] in ("contrast", "concession", "addition")
            assert any(
                span["start"] <= word["start"] < word["end"] <= span["end"] for span in row["spans"]
            ), row["text"]


def test_the_label_follows_from_the_clauses(rows: list[Row]):
    for row in rows:
        signs = {span["polarity"] for span in row["spans"]} - {"neutral"}
        expected = "mixed" if len(signs) == 2 else signs.pop() if signs else "neutral"
        assert row["label"] == expected, row["text"]


def test_the_leaning_is_the_label_unless_both_sides_are_there(rows: list[Row]):
    for row in rows:
        if row["label"] == "mixed":
            assert row["leaning"] in ("positive", "negative"), row["text"]
        else:
            assert row["leaning"] == row["label"], row["text"]
