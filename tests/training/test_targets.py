"""What an example teaches: only what its source knows."""

import math

import pytest

from models import Classifier
from models.labels import CLAUSE_LABELS, LABELS
from training.augment import compose
from training.config import Recipe, Source
from training.data import Example, Span
from training.mixture import Mixture, training_rows
from training.targets import IGNORED, TrainingRow, clause_targets, training_row

FOUR_WAY = Source(train="zhang")
BINARY = Source(train="shop", mixed_allowance=0.6)


@pytest.fixture
def row(released: Classifier):
    def make(example: Example, source: Source = FOUR_WAY) -> TrainingRow:
        return training_row(example, source, released.tokenizer)

    return make


def named(row: TrainingRow) -> list[str | None]:
    return [None if c == IGNORED else CLAUSE_LABELS[c] for c in row.clauses]


def test_a_four_way_label_is_one_label(row):
    target = row(Example("菜好，但是贵", "mixed", "z")).document
    assert target[LABELS.index("mixed")] == 1
    assert target.sum() == 1


def test_a_binary_label_allows_that_the_text_may_be_mixed(row):
    target = row(Example("菜好，但是贵", "negative", "s"), BINARY).document
    assert target[LABELS.index("negative")] == 1
    assert target[LABELS.index("mixed")] == pytest.approx(0.6)
    assert target[LABELS.index("positive")] == 0


def test_opinion_spans_become_clause_labels(row):
    text = "这里的菜好，但是价钱贵，我们三点到的"
    spans = (Span(3, 5, "positive"), Span(8, 11, "negative"))
    made = row(Example(text, "mixed", "z", spans=spans))
    assert named(made) == ["positive", "negative", "neutral"]
    assert made.clause_weights == [1.0, 1.0, 0.0]


def test_a_clause_with_opinions_of_both_signs_teaches_nothing(row):
    spans = (Span(0, 2, "positive"), Span(2, 4, "negative"))
    assert named(row(Example("菜好价贵", "mixed", "z", spans=spans))) == [None]


def test_the_label_of_a_one_clause_text_is_its_clauses_label(row):
    assert named(row(Example("味道很好", "positive", "s"), BINARY)) == ["positive"]
    assert named(row(Example("味道很好，量足", "positive", "s"), BINARY)) == [None, None]


@pytest.mark.parametrize(
    ("text", "spans", "side"),
    [
        ("菜好，但是贵", (Span(0, 2, "positive"), Span(5, 6, "negative")), 0.0),
        ("价贵，但是好", (Span(0, 2, "negative"), Span(5, 6, "positive")), 1.0),
    ],
)
def test_behind_a_turn_the_later_clause_wins(row, text, spans, side):
    made = row(Example(text, "mixed", "z", spans=spans))
    assert made.leaning == side
    assert made.leaning_weight == 0.5


def test_without_a_turn_nobody_says_which_side_wins(row):
    spans = (Span(0, 2, "positive"), Span(3, 5, "negative"))
    assert math.isnan(row(Example("菜好，价贵", "mixed", "z", spans=spans)).leaning)


def test_a_mixed_text_is_as_sure_of_its_side_as_the_recipe_says(released: Classifier):
    mixed = Example("菜好，但是贵", "mixed", "z", leaning=0.0)
    praised = Example("菜好", "positive", "z", leaning=1.0)
    recipe = Recipe(sources=(FOUR_WAY,), mixed_leaning=0.8)
    mixture = Mixture(train=[(FOUR_WAY, [mixed, praised])])
    rows = training_rows(mixture, recipe, released.tokenizer, seed=1)
    assert [row.leaning for row in rows] == [pytest.approx(0.2), 1.0]


@pytest.mark.parametrize(
    ("text", "sided"),
    [
        ("好吃，就是送得慢", False),
        ("好吃，送得也快", True),
        ("不但好吃，而且便宜", True),
        ("好吃，就是送得慢" + "，盒子里有两双筷子" * 5, True),
    ],
)
def test_stars_do_not_say_which_side_wins_in_a_short_text_with_a_turn(row, text: str, sided: bool):
    stars = Source(train="shop", sided_turns=False)
    example = Example(text, "positive", "s", leaning=1.0)
    made = row(example, stars)
    assert math.isnan(made.leaning) != sided
    assert row(example, BINARY).leaning == 1.0
    assert made.document[LABELS.index("positive")] == 1


def test_a_long_text_keeps_its_beginning_and_its_end(row, released: Classifier):
    text = "开头很好，" + "中间无关紧要，" * 200 + "结尾很差"
    made = row(Example(text, "mixed", "z"))
    assert made.length == released.manifest.max_length
    assert made.row.clauses[0] == 0
    assert made.row.clauses[-1] == 201
    inside = made.row.clause_ids[1:-1]
    assert set(inside) == set(range(len(made.row.clauses)))


def test_composed_examples_have_labels_that_follow_from_their_making(released: Classifier):
    praise = [f"第{i}间房相当舒适" for i in range(30)]
    blame = [f"第{i}道菜简直难吃" for i in range(30)]
    pool = [Example(t, "positive", "a", meta={"domain": "x"}) for t in praise]
    pool += [Example(t, "negative", "a", meta={"domain": "x"}) for t in blame]
    made = compose(pool, 200, seed=1)
    assert len(made) == 200
    assert compose(pool, 200, seed=1) == made
    for example in made:
        assert example.spans is not None
        first, second = example.spans
        mixed = first.polarity != second.polarity
        assert (example.label == "mixed") == mixed
        if "但" in example.text:
            assert example.leaning == (1.0 if second.polarity == "positive" else 0.0)
        prepared = released.prepare(example.text)
        targets, _ = clause_targets(example, FOUR_WAY, prepared)
        names = {CLAUSE_LABELS[t] for t in targets if t != IGNORED}
        assert {first.polarity, second.polarity} <= names


def test_a_composed_fact_leaves_the_label_and_the_side_to_the_opinion_beside_it() -> None:
    pool = []
    for i in range(30):
        pool.append(Example(f"第{i}间房相当舒适", "positive", "a", meta={"domain": "x"}))
        pool.append(Example(f"第{i}道菜简直难吃", "negative", "a", meta={"domain": "x"}))
    fact = "周三到的货"
    pool.append(
        Example(fact, "neutral", "seed", spans=(Span(0, 5, "neutral"),), meta={"phenomenon": "n"})
    )
    beside = [e for e in compose(pool, 200, seed=1) if fact in e.text]
    assert len(beside) > 30
    for example in beside:
        (opinion,) = {span.polarity for span in example.spans or ()} - {"neutral"}
        assert (example.label, example.leaning) == (opinion, float(opinion == "positive"))
