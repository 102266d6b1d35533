"""Every reading of a connective: the turn, and the look-alikes that are none.

`models/CONNECTIVES.md` is the list of readings; each of its rows is a test of the rules.
The other sentences here give the words that mark a relation, `relation:word`, as the
rules propose them and as the released model keeps them. What that model gets wrong is
listed: a sentence that a better one gets right fails until it leaves the list.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from models import Classifier
from models.clauses import Mark, split_clauses
from models.connectives import ALL, MAIN_CLAUSE
from models.text import normalize

_TABLE = Path(__file__).parents[2] / "models" / "CONNECTIVES.md"
_X_IS_X = "X是X"  # 好是好: the word is whatever is granted


class Reading(NamedTuple):
    """One row of the table, with the word's place in its example."""

    word: str
    text: str
    start: int
    end: int
    relation: str
    told_by: str


def _readings() -> list[Reading]:
    rows = re.findall(
        r"^\| (\S+) \| (.*)\*\*(.+)\*\*(.*) \| (\w+) \| .+ \| (rules|network) \|$",
        _TABLE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    return [
        Reading(word, before + bold + after, len(before), len(before + bold), relation, told_by)
        for word, before, bold, after, relation, told_by in rows
    ]


READINGS = _readings()
TURNS = [reading for reading in READINGS if reading.relation != "none"]
LOOK_ALIKES = [reading for reading in READINGS if reading.relation == "none"]


def proposed(reading: Reading) -> Mark | None:
    """The mark that the rules propose for the word in bold."""
    normalized = normalize(reading.text)
    assert normalized.text == reading.text  # else the offsets would not be the table's
    marks = (clause.mark for clause in split_clauses(normalized.text))
    place = (reading.start, reading.end)
    return next((mark for mark in marks if mark and (mark.start, mark.end) == place), None)


def _name(reading: Reading) -> str:
    return f"{reading.word} in {reading.text}"


@pytest.mark.parametrize("reading", TURNS, ids=_name)
def test_the_rules_propose_the_relation_of_the_table(reading):
    mark = proposed(reading)
    assert mark is not None
    assert mark.relation == reading.relation


@pytest.mark.parametrize(
    "reading", [row for row in LOOK_ALIKES if row.told_by == "rules"], ids=_name
)
def test_the_rules_leave_the_look_alike_alone(reading):
    assert proposed(reading) is None


@pytest.mark.parametrize(
    "reading", [row for row in LOOK_ALIKES if row.told_by == "network"], ids=_name
)
def test_the_rules_leave_the_look_alike_to_the_network(reading):
    assert proposed(reading) is not None


def test_the_table_has_every_connective_and_no_other():
    words = {*(entry.word for entry in ALL), *MAIN_CLAUSE, _X_IS_X}
    assert {reading.word for reading in TURNS} == words


def test_every_row_of_the_table_is_read():
    lines = _TABLE.read_text(encoding="utf-8").splitlines()
    assert len(READINGS) == sum(line.startswith("| ") and "**" in line for line in lines)


def test_the_example_in_bold_is_the_word():
    bold = {(row.word, row.text[row.start : row.end]) for row in READINGS if row.word != _X_IS_X}
    assert {(word, shown) for word, shown in bold if word != shown} == set()


def test_a_word_with_a_rule_for_its_look_alikes_shows_one():
    ruled = {e.word for e in ALL if e.not_before or e.not_after or e.only_before or e.only_after}
    assert ruled - {row.word for row in LOOK_ALIKES} == set()


def test_the_table_says_network_where_the_rules_propose_more_than_one_reading():
    shared = {entry.word for entry in ALL if entry.open} | {
        row.word for row in LOOK_ALIKES if row.told_by == "network"
    }
    wrong = [
        row
        for row in TURNS
        if row.word != _X_IS_X and (row.told_by == "network") != (row.word in shared)
    ]
    assert wrong == []


MARKED = {
    "这部电影不坏，但也不算特别好。": ["contrast:但"],
    "颜色好看，但闻起来有股怪味": ["contrast:但"],
    "价格贵，但见效快": ["contrast:但"],
    "外观不错，可是老是卡顿": ["contrast:可是"],
    "环境不错，可口味一般": ["contrast:可"],
    "风景不错，可人太多了": ["contrast:可"],
    "酒店设施比较旧了。不过去机场很方便": ["contrast:不过"],
    "好用，不过气味很大": ["contrast:不过"],
    "屏幕大，不过分辨率低": ["contrast:不过"],
    "酒店好，不过半夜很吵": ["contrast:不过"],
    "都好，就是这个屏幕太暗": ["contrast:就是"],
    "不错，就是要排队": ["contrast:就是"],
    "都挺好，就是说明书是英文的": ["contrast:就是"],
    "好吃，只是个头有点小": ["contrast:只是"],
    "衣服好看，只是试衣间太小": ["contrast:只是"],
    "尽管用了三年，还是很流畅": ["concession:尽管", "contrast:还是"],
    "期待很高，结果很失望": ["contrast:结果"],
    "味道不错，但是，价格太贵": ["contrast:但是"],
    "虽然，价格贵了点，但是，味道好": ["concession:虽然", "contrast:但是"],
    "味道不错，但……贵": ["contrast:但"],
    "好吃，不过就是有点贵": ["contrast:不过"],
    "菜贵，不过好在好吃": ["contrast:不过"],
    "好吃不过气氛一般": ["contrast:不过"],
    "皮酥肉嫩，唯一的缺点是葱粗": ["contrast:唯一的缺点"],
    "房间宽敞明亮，美中不足的是早餐品种太少": ["contrast:美中不足的是"],
    "各方面都很好，缺点就是没有停车位": ["contrast:缺点就是"],
    "便宜是便宜，不耐用": ["concession:便宜是便宜"],
    "暖是暖，可是掉毛": ["concession:暖是暖", "contrast:可是"],
    "很好吃但是贵": ["contrast:但是"],
    "屏幕不错，不过要三十块贴膜": ["contrast:不过"],
    "味道好吃不过分量少": ["contrast:不过"],
    "菜好，然而等了两小时": ["contrast:然而"],
    "看着不错，可是没热水": ["contrast:可是"],
    "看着不错，可没热水": ["contrast:可"],
    "外表不起眼，味道却惊艳": ["contrast:却"],
    "挺好的，就是有点贵": ["contrast:就是"],
    "画面精美，只是剧情太老套": ["contrast:只是"],
    "味道不错，可惜凉了": ["contrast:可惜"],
    "看着简陋，没想到这么好用": ["contrast:没想到"],
    "看着高档，谁知道三天就坏": ["contrast:谁知道"],
    "等得心焦，结果味道惊艳": ["contrast:结果"],
    "快递慢，东西倒是不错": ["contrast:倒是"],
    "特意加钱加急，偏偏第四天才到": ["contrast:偏偏"],
    "虽然旧，但是干净": ["concession:虽然", "contrast:但是"],
    "尽管下雨，还是准时送到": ["concession:尽管", "contrast:还是"],
    "味道不错，虽然贵了点": ["concession:虽然"],
    "店虽小，味道正宗": ["concession:虽"],
    "除了贵，没别的毛病": ["concession:除了"],
    "好是好，就是贵": ["concession:好是好", "contrast:就是"],
    "本以为会很好，没想到这么难吃": ["concession:本以为", "contrast:没想到"],
    "不但好吃，而且便宜": ["addition:不但", "addition:而且"],
    "這裡很好，但係貴": ["contrast:但係"],
}
UNMARKED = [
    "但凡有别的选择都不会来",
    "但愿下次好点",
    "不过几十块，值",
    "走过去不过三公里",
    "再好不过了",
    "这家店真是真不错",
    "不是太咸，就是太淡",
    "也不是不可以",
    "不过如此",
    "款式经典，不过时",
    "敏感肌用了，不过敏",
    "简单大气，不过时 冷暖效果很好",
    "夏天喝最好不过了",
    "比价比不过隔壁店",
    "吃得不过瘾",
    "所谓独家内训，不过是把免费视频剪一剪",
    "可口的菜，可爱的店员",
    "可真好吃",
    "踢皮球踢了一周，可气的是还要自费",
    "客服可靠谱了",
    "可以再来",
    "就是这个味",
    "只是尝了一口",
    "麻雀虽小五脏俱全",
    "尽管问客服",
    "倒水也勤",
    "摔倒了没人管",
    "检查结果第二天就出来了",
    "了却一桩心愿",
    "红色还是蓝色好看",
]
# The rules propose the word, and only the network can tell that it is no turn.
LEFT_TO_THE_NETWORK = [
    "真心推荐，就是好用",
    "就是要这个味",
    "就是要大口吃肉才爽",
    "做完手术，结果很满意",
    "菜凉了，没想到汤也馊了",
    "很便宜，没想到还送了袜子",
    "除了好吃，还便宜",
]
# What the released model gets wrong of them.
MISREAD = {
    "真心推荐，就是好用",
    "除了好吃，还便宜",
}


def proposed_words(text: str) -> list[str]:
    normalized = normalize(text)
    found = (clause.mark for clause in split_clauses(normalized.text))
    # As it was sent: 但係 and not 但系.
    return [f"{m.relation}:{normalized.original[m.start : m.end]}" for m in found if m]


def kept_words(classifier: Classifier, text: str) -> list[str]:
    clauses = classifier.classify(text).clauses
    return [f"{c.relation}:{c.connective.text}" for c in clauses if c.connective]


def known_misreadings(texts: Iterable[str]) -> list[Any]:
    wrong = pytest.mark.xfail(reason="the released model misreads it")
    return [pytest.param(text, marks=wrong if text in MISREAD else ()) for text in texts]


@pytest.mark.parametrize("text", MARKED)
def test_the_rules_propose_the_words_of_a_turn(text):
    assert proposed_words(text) == MARKED[text]


@pytest.mark.parametrize("text", known_misreadings(MARKED))
def test_the_released_model_marks_a_turn_with_its_words(released, text):
    assert kept_words(released, text) == MARKED[text]


@pytest.mark.parametrize("text", UNMARKED)
def test_the_rules_propose_nothing_for_a_look_alike(text):
    assert proposed_words(text) == []


@pytest.mark.parametrize("text", LEFT_TO_THE_NETWORK)
def test_the_rules_leave_a_sentence_without_a_turn_to_the_network(text):
    assert proposed_words(text) != []


@pytest.mark.parametrize("text", known_misreadings(LEFT_TO_THE_NETWORK))
def test_the_released_model_marks_nothing_where_nothing_turns(released, text):
    assert kept_words(released, text) == []


def test_the_misreadings_are_of_sentences_that_are_read():
    assert {*MARKED, *LEFT_TO_THE_NETWORK} >= MISREAD


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("走过去不过三公里", 1),
        ("伤口不过一粒米长，半个月就好", 2),
        ("美中不足就是有点重", 1),
        ("内容看着倒挺软和", 1),
        ("虽说进度还是偏赶，但学到了", 2),
        ("尽管下雨，骑手还是准时", 2),
        ("快倒是快，可惜箱子破了", 2),
        ("我这儿可是零下九度", 1),
        ("打了三次电话没有结果", 1),
        ("我要的就是这个", 1),
        ("味道还好", 1),
        ("不要另外买票", 1),
    ],
)
def test_a_look_alike_does_not_cut_a_clause_in_two(text, clauses):
    assert len(split_clauses(normalize(text).text)) == clauses


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("味道好吃不过分量少", "不过分量少"),
        ("闷得慌可是老师真有两把刷子", "可是老师真有两把刷子"),
        ("好看得很就是腰那儿勒", "就是腰那儿勒"),
        ("相机清楚可打电话听不见", "可打电话听不见"),
        ("虽然有点贵还是会再来", "还是会再来"),
        ("做工精细就是偏小", "就是偏小"),
        ("手机挺好用的就是没耳机", "就是没耳机"),
        ("期待很高结果很失望", "结果很失望"),
        ("包装破了还好东西没坏", "还好东西没坏"),
    ],
)
def test_a_turn_without_a_comma_begins_a_clause(text, second):
    spans = split_clauses(normalize(text).text)
    assert [text[span.start : span.end] for span in spans[1:]] == [second]
