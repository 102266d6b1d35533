"""Composed examples: two real one-sided clauses joined, so that every label is known.

A favourable and an unfavourable clause of the same domain make a `mixed` text;
which side wins follows from the construction: the clause behind the turn, the
main clause of a concession. Same-sided pairs teach that a joint alone is no turn, and
a fact beside a one-sided clause that it is no opinion.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from models.connectives import ALL, MAIN_CLAUSE
from models.labels import ClauseLabel, Relation
from training.data import Example, Span

_MAX_CHARACTERS = 24
_NEUTRAL: ClauseLabel = "neutral"
# A clause that holds one of these may hold a turn of its own.
_JOINTS = (*"，。！？；", "但", "却", "不过", "可是", "然而", "虽", "就是")
_ENDING = "，。！？；,.!?; ~～…"
_RELATIONS: dict[str, Relation] = {
    **{entry.word: entry.relation for entry in ALL},
    **dict.fromkeys(MAIN_CLAUSE, "contrast"),
    "还": "addition",
}


@dataclass(frozen=True, slots=True)
class Joint:
    """How two clauses are joined; `wins` names the clause that decides."""

    before: str
    between: str
    wins: Literal["first", "second", "either"]


_TURNS = (
    *(
        Joint("", f"，{word}", "second")
        for word in ("但", "但是", "不过", "可是", "然而", "就是", "只是", "可惜", "但", "不过")
    ),
    *(Joint("", word, "second") for word in ("但是", "不过")),
    Joint("", "。但是", "second"),
    Joint("", "。不过，", "second"),
    Joint("虽然", "，但", "second"),
    Joint("虽然", "，但是", "second"),
    Joint("虽说", "，不过", "second"),
    Joint("尽管", "，还是", "second"),
    Joint("", "，虽然", "first"),
    *(Joint("", between, "either") for between in ("，", "。", " ", "；", "，", "！", "，")),
)
_SAME_SIDED = (
    *(Joint("", between, "either") for between in ("，", "。", " ", "，而且", "，并且", "！")),
    Joint("不但", "，而且", "either"),
    Joint("不仅", "，还", "either"),
)


# Facts stand beside an opinion without a word that joins them.
_BESIDE = tuple(Joint("", between, "either") for between in ("，", "。", "，", " ", "；"))
_FACTS = 0.3  # of the composed examples


def compose(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """`count` composed examples from the one-sided clauses and the facts of `examples`."""
    pool = _pool(examples)
    facts = list(_facts(examples))
    domains = [d for d, sides in pool.items() if all(len(c) >= 20 for c in sides.values())]
    if not domains:
        return []
    rng = random.Random(seed)
    sizes = [min(len(c) for c in pool[d].values()) for d in domains]
    made = []
    for domain in rng.choices(domains, weights=sizes, k=count):
        first: ClauseLabel = rng.choice(("positive", "negative"))
        end = rng.choice(("", "。", "！", "~", "。"))
        if facts and rng.random() < _FACTS:
            parts = [(rng.choice(facts), _NEUTRAL), (rng.choice(pool[domain][first]), first)]
            rng.shuffle(parts)
            texts, labels = zip(*parts, strict=True)
            made.append(_join(texts, labels, rng.choice(_BESIDE), end))
            continue
        turns = rng.random() < 0.75
        other: ClauseLabel = "negative" if first == "positive" else "positive"
        second = other if turns else first
        joint = rng.choice(_TURNS if turns else _SAME_SIDED)
        texts = rng.choice(pool[domain][first]), rng.choice(pool[domain][second])
        made.append(_join(texts, (first, second), joint, end))
    return made


def _pool(examples: Sequence[Example]) -> dict[str, dict[ClauseLabel, list[str]]]:
    """Short one-sided clauses by domain and polarity."""
    pool: dict[str, dict[ClauseLabel, list[str]]] = defaultdict(
        lambda: {"positive": [], "negative": []}
    )
    for example in examples:
        text = example.text.strip(_ENDING)
        if example.label not in ("positive", "negative") or not 4 <= len(text) <= _MAX_CHARACTERS:
            continue
        if any(mark in text for mark in _JOINTS):
            continue
        pool[str(example.meta.get("domain", ""))][example.label].append(text)
    return pool


def _facts(examples: Sequence[Example]) -> Iterator[str]:
    """Clauses of authored sentences that are neutral as a whole.

    A neutral clause beside an opinion may be one only there (老公说坑钱，我却喜欢), and what
    other sets call neutral is middling praise as often as no opinion.
    """
    for example in examples:
        neutral = "phenomenon" in example.meta and example.label == _NEUTRAL
        for span in example.spans or () if neutral else ():
            text = example.text[span.start : span.end].strip(_ENDING)
            fits = 4 <= len(text) <= _MAX_CHARACTERS and not any(mark in text for mark in _JOINTS)
            if span.polarity == _NEUTRAL and fits:
                yield text


def _join(
    texts: tuple[str, str], labels: tuple[ClauseLabel, ClauseLabel], joint: Joint, end: str
) -> Example:
    first, second = texts
    start = len(joint.before)
    text = f"{joint.before}{first}{joint.between}{second}{end}"
    begin = start + len(first) + len(joint.between)
    spans = (
        Span(start, start + len(first), labels[0]),
        Span(begin, begin + len(second), labels[1]),
    )
    sides = {label for label in labels if label != _NEUTRAL}
    side = {"positive": 1.0, "negative": 0.0}
    winner = {"first": labels[0], "second": labels[1], "either": None}[joint.wins]
    if len(sides) == 1:
        (winner,) = sides
    return Example(
        text=text,
        label="mixed" if len(sides) == 2 else winner,
        source="composed",
        leaning=side[winner] if winner else None,
        spans=spans,
        meta={"connectives": _connectives(text, joint, start + len(first))},
    )


def _connectives(text: str, joint: Joint, behind: int) -> list[dict[str, object]]:
    """The words of a joint as the authored sentences mark them."""
    marked: list[dict[str, object]] = []
    for word, begin in ((joint.before, 0), (joint.between.strip(_ENDING), behind)):
        if word:
            start = text.index(word, begin)
            marked.append({"start": start, "end": start + len(word), "relation": _RELATIONS[word]})
    return marked
