"""Every reading of a connective: the turn, and the look-alikes that are none.

Each row gives the text, the polarity of its clauses as a model would have them
(+ - 0), and the words that mark a relation, `relation:word`.
"""

import pytest

from models.clauses import split_clauses
from models.labels import ClauseLabel
from models.text import normalize
from models.verdict import resolve_marks

_SIGNS: dict[str, ClauseLabel] = {"+": "positive", "-": "negative", "0": "neutral"}


def marks(text: str, signs: str) -> list[str]:
    normalized = normalize(text)
    spans = split_clauses(normalized.text)
    assert len(spans) == len(signs), [normalized.text[s.start : s.end] for s in spans]
    found = resolve_marks(spans, [_SIGNS[sign] for sign in signs])
    return [f"{m.relation}:{normalized.text[m.start : m.end]}" for m in found if m]


@pytest.mark.parametrize(
    ("text", "signs", "expected"),
    [
        ("这部电影不坏，但也不算特别好。", "+-", ["contrast:但"]),
        ("很好吃但是贵", "+-", ["contrast:但是"]),
        ("屏幕不错，不过要三十块贴膜", "+-", ["contrast:不过"]),
        ("味道好吃不过分量少", "+-", ["contrast:不过"]),
        ("菜好，然而等了两小时", "+-", ["contrast:然而"]),
        ("看着不错，可是没热水", "+-", ["contrast:可是"]),
        ("看着不错，可没热水", "+-", ["contrast:可"]),
        ("外表不起眼，味道却惊艳", "-+", ["contrast:却"]),
        ("挺好的，就是有点贵", "+-", ["contrast:就是"]),
        ("画面精美，只是剧情太老套", "+-", ["contrast:只是"]),
        ("味道不错，可惜凉了", "+-", ["contrast:可惜"]),
        ("看着简陋，没想到这么好用", "-+", ["contrast:没想到"]),
        ("看着高档，谁知道三天就坏", "+-", ["contrast:谁知道"]),
        ("等得心焦，结果味道惊艳", "-+", ["contrast:结果"]),
        ("快递慢，东西倒是不错", "-+", ["contrast:倒是"]),
        ("特意加钱加急，偏偏第四天才到", "0-", ["contrast:偏偏"]),
        ("虽然旧，但是干净", "-+", ["concession:虽然", "contrast:但是"]),
        ("尽管下雨，还是准时送到", "0+", ["concession:尽管", "contrast:还是"]),
        ("味道不错，虽然贵了点", "+-", ["concession:虽然"]),
        ("店虽小，味道正宗", "-+", ["concession:虽"]),
        ("除了贵，没别的毛病", "-+", ["concession:除了"]),
        ("好是好，就是贵", "+-", ["concession:好是好", "contrast:就是"]),
        ("本以为会很好，没想到这么难吃", "0-", ["concession:本以为", "contrast:没想到"]),
        ("不但好吃，而且便宜", "++", ["addition:不但", "addition:而且"]),
        ("這裡很好，但係貴", "+-", ["contrast:但系"]),
    ],
)
def test_a_turn_is_marked_with_its_word(text, signs, expected):
    assert marks(text, signs) == expected


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("但凡有别的选择都不会来", "-"),
        ("但愿下次好点", "-"),
        ("不过几十块，值", "0+"),
        ("走过去不过三公里", "0"),
        ("再好不过了", "+"),
        ("不过如此", "-"),
        ("夏天喝最好不过了", "+"),
        ("比价比不过隔壁店", "-"),
        ("吃得不过瘾", "-"),
        ("所谓独家内训，不过是把免费视频剪一剪", "--"),
        ("可口的菜，可爱的店员", "++"),
        ("可真好吃", "+"),
        ("客服可靠谱了", "+"),
        ("可以再来", "+"),
        ("就是这个味", "+"),
        ("真心推荐，就是好用", "++"),
        ("只是尝了一口", "0"),
        ("麻雀虽小五脏俱全", "+"),
        ("尽管问客服", "+"),
        ("倒水也勤", "+"),
        ("摔倒了没人管", "-"),
        ("菜凉了，没想到汤也馊了", "--"),
        ("很便宜，没想到还送了袜子", "++"),
        ("除了好吃，还便宜", "++"),
        ("检查结果第二天就出来了", "0"),
        ("了却一桩心愿", "+"),
        ("红色还是蓝色好看", "0"),
    ],
)
def test_a_look_alike_is_no_turn(text, signs):
    assert [m for m in marks(text, signs) if not m.startswith("addition")] == []
