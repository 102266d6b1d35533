"""A result for a person's eyes: as plain text, and as HTML for notebooks.

Colour is never the only sign: each clause has its + or −, the connective is
underlined. No style sheet and no script, which notebooks strip; colours that
read on a light page and on a dark one.
"""

from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING

from .labels import ClauseLabel, Label

if TYPE_CHECKING:
    from .verdict import Clause, Result

SIGNS: dict[ClauseLabel, str] = {"positive": "+", "neutral": "·", "negative": "−"}

_TINTS: dict[ClauseLabel, str] = {
    "positive": "rgba(26,152,80,.25)",
    "neutral": "rgba(128,128,128,.18)",
    "negative": "rgba(215,48,39,.25)",
}
_BARS: dict[Label, str] = {
    "positive": "#1a9850",
    "neutral": "#888",
    "negative": "#d73027",
    "mixed": "#b8860b",
}


def winner(polarity: float) -> str:
    """Which side wins, in words."""
    if abs(polarity) < 0.1:
        return "neither side wins"
    strength = "clearly" if abs(polarity) > 0.5 else "slightly"
    return f"{'praise' if polarity > 0 else 'blame'} wins {strength}"


def as_text(result: "Result") -> str:
    """`mixed 98%, polarity -0.93 | + 房间很干净， | − [但是]隔音太差了。`"""
    clauses = (SIGNS[c.label] + " " + "".join(_marked(c, "[", "]", str)) for c in result.clauses)
    score = result.scores[result.label]
    head = f"{result.label} {score:.0%}, polarity {result.polarity:+.2f}"
    return " | ".join([head, *clauses])


def as_html(result: "Result") -> str:
    """The label, its scores, which side wins, and the coloured clauses. The text is escaped."""
    scores = " · ".join(f"{name} {score:.0%}" for name, score in result.scores.items())
    return (
        '<div style="max-width:50em;line-height:2.2">'
        f'<div><b style="color:{_BARS[result.label]}">{result.label}</b>'
        f" &nbsp;{winner(result.polarity)} ({result.polarity:+.2f})"
        f' &nbsp;<small style="opacity:.7">{scores}</small></div>'
        f"<div>{''.join(_clauses(result))}</div></div>"
    )


def _clauses(result: "Result") -> Iterator[str]:
    end = 0
    for clause in result.clauses:
        if clause.start > end > 0:
            yield " "  # blanks between clauses belong to none
        end = clause.end
        scores = ", ".join(f"{name} {score:.0%}" for name, score in clause.scores.items())
        title = scores if clause.relation == "none" else f"{clause.relation}; {scores}"
        text = "".join(_marked(clause, '<b style="border-bottom:2px solid">', "</b>", escape))
        yield (
            f'<span title="{title}" style="background:{_TINTS[clause.label]};'
            'border-radius:4px;padding:2px 4px;margin-right:2px">'
            f'<span style="opacity:.7">{SIGNS[clause.label]}</span> {text}</span>'
        )


def _marked(
    clause: "Clause", before: str, behind: str, clean: Callable[[str], str]
) -> Iterator[str]:
    """The clause's text, with its connective between `before` and `behind`."""
    mark = clause.connective
    if mark is None:
        yield clean(clause.text)
        return
    start, end = mark.start - clause.start, mark.end - clause.start
    yield clean(clause.text[:start]) + before
    yield clean(clause.text[start:end]) + behind
    yield clean(clause.text[end:])
