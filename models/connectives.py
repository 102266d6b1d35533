"""The connectives: which word, which relation, and when the same characters mean something else.

A word fires only where jieba sees it as a word of its own (可 in 可口 is not one)
and where none of its other readings fits: 不过 before an amount means "only",
可 before 真 only stresses, 就是 before 说 explains. `CONNECTIVES.md` beside this file
has an example of every reading; the tests hold the rules to it.

Whether a word that fires really turns is for the network to say, see `verdict`.
"""

import re
from dataclasses import dataclass
from enum import Enum

from .labels import Relation


class Place(Enum):
    """Where in a clause the word can mark a relation."""

    HEAD = "only where a clause begins"
    ANYWHERE = "also in the middle of a stretch, which is split before it"
    INSIDE = "an adverb behind its subject; splits only behind a predicate"


@dataclass(frozen=True, slots=True)
class Connective:
    """One word with the reading that makes it a connective.

    `open`: the word alone does not tell whether it turns (没想到 joins 难吃 with 更难吃 as
    well as with 好吃), so in the middle of a stretch it begins a clause only behind a
    predicate or a concession.

    `not_before` and `not_after` match the text that follows and precedes the word
    in its other readings; `at_head` takes the place of `not_before` where the word
    begins a clause: 可 is then almost always a turn.
    """

    word: str
    relation: Relation
    place: Place = Place.ANYWHERE
    open: bool = False
    not_before: re.Pattern[str] | None = None
    not_after: re.Pattern[str] | None = None
    only_before: re.Pattern[str] | None = None
    only_after: re.Pattern[str] | None = None
    at_head: re.Pattern[str] | None = None

    def fits(self, before: str, after: str) -> bool:
        """Whether the word, between `before` and `after`, is this connective."""
        excluded = self.not_before if before or self.at_head is None else self.at_head
        return not (
            (excluded is not None and excluded.match(after))
            or (self.not_after is not None and self.not_after.search(before))
            or (self.only_before is not None and not self.only_before.match(after))
            or (self.only_after is not None and not self.only_after.search(before))
        )


def _p(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


_NUMBER = r"[0-9零一二两三四五六七八九十百千万几半]"
_AMOUNT = (
    rf"(?!半夜|一次性|一路|一分钱一分|三天两头)(才|就|只|仅|区区)?{_NUMBER}+(多|来|把|、|到|-|\.|{_NUMBER})*"
    r"(块|元|毛|分|角|天|晚|夜|小时|秒|分钟|公里|里|米|斤|两|克|个|位|间|家|张|条|只|件|本|部|次|回|"
    r"集|章|月|年|岁|寸|碗|杯|口|页|站|层|步|顿|刻钟|%|w|k)(多|来)?(?!之?后)[^，。！？；]{0,2}"
    r"(而已|罢了|左右|出头|钱|吧|嘛|啊|呢|的|[，。！？；~]|$)"
)
# Behind 不过 in its other readings: what is part of another word with 过 (过瘾, 过来, 过时) is
# told from what only begins alike (气味, 分辨率, 期待).
_END = r"(?=[，。！？；~了吧的\s]|$)"
_ONLY = (
    rf"如此|尔尔|瘾|气{_END}|分(?![量数是辨店期集体类区享钟配公拣割层身屏离批给好为成明工]|[两三四五几])|"
    rf"[来去]{_END}|得了|时{_END}|期({_END}|就)|敏(?![感捷锐])|曝(?!光)|(就是|才|只是){_NUMBER}|"
    r"是(?!真|有|挺|很|太|比|稍|在|不|没|我|因|值|需|要|得|还)|了?$"
)
CONTRAST: tuple[Connective, ...] = (
    *(
        Connective(word, "contrast")
        for word in ("但是", "然而", "然则", "但却", "可是却", "但系", "只可惜", "but", "however")
    ),
    Connective(
        "但",
        "contrast",
        not_before=_p(
            r"凡|愿(?!意)|求(?!求)|丁|说无妨|见(?![到面不了效过])[^，。！？；]|"
            r"闻(?!起来|[着到久多了])[^，。！？；]"
        ),
        not_after=_p(r"[不非岂]$"),
        at_head=_p(
            r"凡|愿(?!意)|求(?!求)|丁|说无妨|见[^，。！？；]{1,4}不见|闻(?!起来|[着到久多了])"
        ),
    ),
    Connective(
        "可是",
        "contrast",
        not_before=_p(r"老(?![师板闆公婆人妈爸])|出了名|花了|俱全"),
        not_after=_p(r"([我你他她它这那咱们儿]|[看花家买吃用住]的)$"),
        at_head=_p(r"(?!)"),
    ),
    Connective(
        "不过",
        "contrast",
        not_before=_p(rf"{_ONLY}|刚过?{_NUMBER}|([^，。！？；]{{1,2}}了|按)?{_NUMBER}(?!个人)"),
        not_after=_p(
            r"(再|最[^，。！？；的是]{1,3}|要说[^，。！？；]{1,4}|不功|每天|本来|没想到|"
            r"只|才|比|(?<![难好])[抢撑超说看打吃忍受躲赶跑瞒拗拼敌抵熬睡绕逃挤信放])$"
            r"|再[^，。！？；]{1,6}$"
        ),
        at_head=_p(rf"{_ONLY}|{_AMOUNT}"),
    ),
    Connective(
        "只不过", "contrast", not_before=_p(rf"{_NUMBER}|是|换|多|少"), only_after=_p(r"^$")
    ),
    Connective(
        "可",
        "contrast",
        Place.INSIDE,
        not_before=_p(
            r"真|算|把|谓|想|见|以|能|爱|口|靠|行|怜|惜|观|乐|笑|恶|疑|取|人|不是|不敢|不得|不咋|别|得|要|太|"
            r"贵|选|大可小|没少|提前|[^，。！？；]可|[^，。！？；]{1,7}了([，。！？；~]|$)|[^，。！？；]{0,3}(呢|啦)|[^，。！？；]{0,2}$|说的|挑|抱怨|骂|夸|嫌"
        ),
        not_after=_p(r"(没什么|没[处话事]|无[话处]|[有无]什么)$"),
        at_head=_p(
            r"算(?!下来|上|起来|法|账)|谓|想而|见|以(?!前|往)|能|爱|口(?![袋味感碑音罩红径水])|"
            r"靠(?![近窗边墙背枕海路街里后前着])|行(?![李程驶人货业])|怜|惜|观(?![众感影看景赏后])|"
            r"笑(?![完点容声场脸料])|颂|恶(?![心臭评])|疑(?![问似惑])|"
            r"气(?![味氛温压球泡垫场])|恨|悲|喜(?!欢)|叹|怕(?!是)|耻|敬|信(?![号息封用])|"
            r"取(?![消件景票暖餐货车号药出回名])|人(?=儿|[，。！？；~的]|$)|乐(?![趣队器感高园曲])|"
            r"玩性|看性|[^，。！？；]可|男(?![主友的一二生女装款士演])|劲(?![道头大小])|圈|去你|"
            r"不是[，。！？；吗嘛]|不就是|真(?![没打要用不说到正实皮丝机人])"
        ),
    ),
    Connective(
        "而",
        "contrast",
        Place.HEAD,
        open=True,
        not_before=_p(r"且|已|言|是|来|后|立|非|今|又"),
    ),
    *(
        Connective(word, "contrast", open=True)
        for word in (
            "可惜的是",
            "遗憾的是",
            "美中不足",
            "美中不足的是",
            "唯一的缺点",
            "唯一缺点",
            "唯一不足",
            "唯一的不足",
            "唯一不好",
            "唯一的遗憾",
            "唯一遗憾",
            "幸好",
            "幸亏",
            "所幸",
            "幸而",
            "万幸",
            "唯独",
            "问题是",
            "话说回来",
            "话又说回来",
            "缺点是",
            "缺点就是",
            "不足之处",
            "不足的是",
            "唯一的问题",
            "唯一的槽点",
            "唯一美中不足",
            "最遗憾的是",
            "比较可惜的是",
            "有点遗憾的是",
        )
    ),
    *(
        Connective(word, "contrast", open=True)
        for word in (
            "没想到",
            "没成想",
            "没料到",
            "没承想",
            "不承想",
            "不成想",
            "谁承想",
            "谁能想到",
            "点知",
            "想不到",
            "谁知道",
            "谁知",
            "谁想到",
            "谁料",
            "哪知道",
            "哪知",
            "哪想到",
            "不料",
            "岂料",
            "怎料",
            "奈何",
            "怎奈",
            "无奈",
        )
    ),
    *(
        Connective(word, "contrast", Place.INSIDE, open=True)
        for word in ("偏偏", "反倒", "反而", "反倒是")
    ),
    Connective("好在", "contrast", open=True, not_after=_p(r"就$")),
    Connective(
        "可惜",
        "contrast",
        open=True,
        not_before=_p(r"了?([，。！？；~]|$)|也"),
        at_head=_p(r"了[，。！？；~]"),
    ),
    Connective("偏", "contrast", Place.HEAD, open=True, only_before=_p(r"[一那这到又就让不没]")),
    Connective(
        "还好", "contrast", open=True, not_before=_p(r"吧|啦|了|[吃看用喝]|[，。！？；~]|$")
    ),
    Connective(
        "结果",
        "contrast",
        open=True,
        not_after=_p(r"(没有?|没个|[出有]了?|等|检[查验]|搜索|化验|的)$"),
        not_before=_p(r"是好的|出来|显示|正常|怎么?样|如[何下图]|不错"),
    ),
    Connective(
        "只是",
        "contrast",
        open=True,
        not_before=_p(r"为了|想|来|去|个|说说|看看|尝|试|路过|随便|普通|单纯|用来|拿来|因为|这样"),
        not_after=_p(r"[不又也都仅并就]$"),
        at_head=_p(
            r"为了|想(?!不)|[来去][看尝试吃玩拍逛凑体打买拿取]|个(?![头人别子])|说说|看看|尝|"
            r"试(?![衣管驾听])|路过|随便|普通|单纯|用来|拿来|因为|这样"
        ),
    ),
    Connective(
        "就是",
        "contrast",
        open=True,
        not_before=_p(r"(这|那)(个|种|么|样)|说|不一样|不同|要"),
        not_after=_p(
            r"(也|不是[^，。！？；]*|除了[^，。！？；]*|[这那它他她]|一直|本来|其实|根本|简直|不|"
            r"(?<!好[用吃看喝])(?<!不错)(?<!满意)(?<![很挺]好)的|问题|缺点|优点|"
            r"不足|遗憾|说白了|[吃穿看用摸]着|一[^，。！？；])$"
        ),
        at_head=_p(
            r"[这那](么|样|[个种](味|意思|价[^格位]|感觉|道理|样|效果|[，。！？；~]|$))|说(?![明话法得])|不一样|"
            r"不同[凡的，。！？；~]"
        ),
    ),
    Connective(
        "却",
        "contrast",
        Place.INSIDE,
        not_before=_p(r"[^，。！？；]{0,2}(心愿|心事|桩)"),
        not_after=_p(r"[忘冷退推抛丢除]$"),
    ),
    Connective("却是", "contrast", Place.INSIDE),
    Connective("倒是", "contrast", Place.INSIDE, open=True),
    Connective(
        "倒",
        "contrast",
        Place.INSIDE,
        open=True,
        not_before=_p(
            r"[了点满杯热温开冷一两三几遍柠檬]{0,3}[水茶酒]|[车掉出入进置计闭霉了库尽贴扣我你他]|个(?!个)|退(?!了?差)|在(?!线|行|理)|"
            r"胃口|过来|没有?$|[，。！？；~]|$"
        ),
        not_after=_p(r"([摔跌推绊打压卧晕滑吐颠难扑垮]|[往向].)$"),
    ),
)

CONCESSION: tuple[Connective, ...] = (
    *(
        Connective(word, "concession")
        for word in ("虽然", "虽说", "虽然说", "尽管说", "虽则", "诚然", "尽管如此")
    ),
    Connective("话虽如此", "contrast"),
    Connective("别看", "concession", not_before=_p(r"了?([，。！？；]|$)")),
    Connective(
        "尽管",
        "concession",
        not_before=_p(
            r"(?![^。！？；]*(但|可是|不过|还是|却))([问吃喝用拿去来买放提挑试住玩看拍写](?![了过前年的着不惯到完得供示醒]|之前|起来|上去)|说(?!明)|开(?!机|头|业|场)|点(?!心)|放心|开口|吩咐|找|联系|下单)"
        ),
    ),
    Connective(
        "虽",
        "concession",
        Place.INSIDE,
        not_before=_p(r"小五脏|小，五脏|败犹荣|死犹生|好只是近"),
        not_after=_p(r"麻雀$"),
    ),
    Connective("固然", "concession", Place.INSIDE),
    *(Connective(word, "concession") for word in ("即使", "即便", "纵然", "纵使", "纵是", "纵有")),
    Connective(
        "哪怕",
        "concession",
        not_before=_p(r"一[个只次点件条丝句]"),
        at_head=_p(r"(?!)"),
    ),
    Connective("就算", "concession", not_before=_p(r"[了终]|去过|[，。！？；~]|$")),
    *(
        Connective(word, "concession", open=True)
        for word in ("本以为", "原以为", "本来以为", "原本以为", "还以为", "以为", "本想", "原想")
    ),
    Connective("除外", "concession", Place.INSIDE, open=True, only_before=_p(r"[，；]")),
    *(
        Connective(word, "concession", open=True)
        for word in ("除了", "除却", "除去", "除开", "撇开")
    ),
)

ADDITION: tuple[Connective, ...] = (
    *(
        Connective(word, "addition")
        for word in (
            "而且", "并且", "不但", "不仅", "不仅仅", "不光", "不单", "不只", "非但", "况且",
            "何况", "再加上", "外加", "此外", "不仅如此", "除此之外",
        )
    ),
    Connective("另外", "addition", not_before=_p(r"[买付收花加交]")),
    Connective("甚至", "addition", Place.INSIDE),
    Connective("还有", "addition", Place.HEAD, not_before=_p(r"[吗么没几多待点些]|一[点些]")),
    Connective("加上", "addition", Place.HEAD),
)  # fmt: skip

# A turn only behind a concession: 虽然贵，还是值得.
MAIN_CLAUSE = ("还是", "依然", "依旧", "仍然", "仍旧", "照样", "照旧", "仍")

# 好是好，漂亮是漂亮: the first half of a turn.
GRANTING = ("是", "倒", "倒是", "归")
GRANTED = _p(
    rf"([^，。！？；\s]{{1,3}})({'|'.join(GRANTING)})\1(?=了|点|些|但|就是|可(?!以)|不过|只是|只不过|\W|$)"
)

# A predicate ends like this; behind it 却 and 倒 start a clause of their own.
PREDICATE_END = _p(
    r"(不[^，。！？；]{1,2}|没[^，。！？；]{1,3}|[很挺太真超好蛮够特最][^，。！？；]{1,2}|得很|似的|了|过|"
    r"(好[用吃看喝]|不错|满意|[很挺]好)的|可以|还行|喜欢|给力|劲道|精细|及时|便宜|实惠|清楚|爆表|合缝|一般|普通|漂亮|好看|好吃|好用|好喝|干净|方便|舒服|热情|精致|宽敞|齐全|丰富|清晰|流畅|"
    r"利落|享受|考究|大气|精美|细腻|扎实|稳定|新鲜|地道|正宗|卫生|贴心|耐心|专业|安静|温馨|难看|难吃|难用|难闻|糟糕|麻烦|失望|恶心|嘴甜|起眼|简陋|陈旧|偏僻|平平|不错|满意|认真|负责|周到|[好行爽甜鲜嫩脆稳亮准帅齐全松紧累贵差慢快大小多少新旧脏乱吵美棒赞烂坏香难高低强弱冷热咸辣硬软厚薄远近])$"
)

# Words that are said before a pause. Not 还好, which is then an answer: 还好，一般.
PAUSED = (
    "但是", "但系", "但", "不过", "然而", "可是", "只是", "就是", "可惜", "可惜的是", "遗憾的是",
    "美中不足的是", "问题是", "没想到", "谁知", "谁知道", "结果", "幸好", "好在", "所幸", "万幸",
    "话说回来", "虽然", "尽管", "而且", "并且", "另外", "此外", "甚至", "还有", "再加上",
)  # fmt: skip

# jieba's dictionary has these, reviews do not: 但 书是正版, 剧情 倒 把我看哭了, 吃得 倒 好.
NO_WORDS = ("但书", "倒把", "倒好", "却不")

ALL: tuple[Connective, ...] = CONTRAST + CONCESSION + ADDITION
