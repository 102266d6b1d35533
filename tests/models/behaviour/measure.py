"""Every behaviour of the released model, measured in one batched pass.

In the manner of CheckList (Ribeiro et al. 2020): minimum function on the held-out and unseen
sentences that ship and on plain probes, invariance and direction on probes. The probes are
sentences of their own, in `probes.json`, from no data set.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from opencc import OpenCC

from models import Classifier, Result
from tests.models.behaviour.rates import Rate, fingerprint
from training.config import RECIPES
from training.data import Example, read_examples
from training.evaluate import run_all, turned_falsely, turns_right
from training.metrics import Said, both_signs, clauses_right, side_right

PROBES = Path(__file__).with_name("probes.json")
SEED = RECIPES.parent / "seed"
HELD_OUT = SEED / "heldout.jsonl"
UNSEEN = SEED / "unseen.jsonl"  # nothing was chosen on these

# Where a false turn is the very mistake that the sentences provoke.
WITHOUT_TURNS = ("all", "lookalike", "same_side")

# The probes that are also classified one by one.
ALONE = ("function: plain", "function: praise")

# Less than this is a change of confidence, not of what was understood.
SAME_POLARITY = 0.2
MOVED_POLARITY = 0.1

_HALF_WIDTH = str.maketrans("，。！？；", ",.!?;")

Holds = Callable[[Sequence[Result]], bool]


@dataclass(frozen=True, slots=True)
class Probe:
    """Texts that are compared, and whether the results, in their order, are as they should be."""

    name: str
    texts: tuple[str, ...]
    holds: Holds


def measure(classifier: Classifier) -> dict[str, Rate]:
    """All rates by name."""
    held_out, unseen, found = sentences(HELD_OUT), sentences(UNSEEN), probes()
    extra = dict.fromkeys(text for probe in found for text in probe.texts)
    examples = [*held_out, *unseen, *(Example(text, None, "probe") for text in extra)]
    results = [classifier.finish(*answer) for answer in run_all(classifier, examples, "behaviour")]
    said = (Said(e, r) for e, r in zip(examples, results, strict=True))
    of_held_out, of_unseen = (list(islice(said, len(part))) for part in (held_out, unseen))
    known = {s.example.text: s.result for s in said}
    return (
        sentence_rates("held-out", of_held_out, by_phenomenon=True)
        | sentence_rates("unseen", of_unseen)
        | probe_rates(found, known)
        | company_rates(classifier, known)
    )


def measured_texts() -> str:
    """The fingerprint of all that is measured, and of what is expected of it."""
    rows = [line for f in (HELD_OUT, UNSEEN) for line in f.read_text(encoding="utf-8").splitlines()]
    return fingerprint([*rows, *(f"{p.name} {' '.join(p.texts)}" for p in probes())])


def sentences(part: Path) -> list[Example]:
    examples, report = read_examples(str(part))
    assert not report.problems, report.lines()
    return examples


def sentence_rates(
    part: str, said: Iterable[Said], *, by_phenomenon: bool = False
) -> dict[str, Rate]:
    """Minimum function over all and by phenomenon, and how label and clauses agree."""
    rates: dict[str, Rate] = defaultdict(Rate)
    for s in said:
        text, result = s.example.text, s.result
        side = side_right(s)
        for group in ("all", str(s.example.meta["phenomenon"])) if by_phenomenon else ("all",):
            name = f"{part}, {group}"
            rates[f"{name}: label"].count(text, result.label == s.example.label)
            rates[f"{name}: side"].count(text, *([] if side is None else [side]))
            rates[f"{name}: clauses"].count(text, *clauses_right(s))
            rates[f"{name}: turns"].count(text, turns_right(s))
            if group in WITHOUT_TURNS:
                rates[f"{name}: no false turn"].count(text, not turned_falsely(s))
        mixed, both = result.label == "mixed", both_signs(result)
        if mixed:
            rates[f"{part}, called mixed: shows both signs"].count(text, both)
        if both:
            rates[f"{part}, shows both signs: called mixed"].count(text, mixed)
        if s.example.label in ("positive", "negative"):
            rates[f"{part}, one-sided: not called mixed"].count(text, not mixed)
    # Neutral texts have no side to be asked for.
    return {name: rate for name, rate in sorted(rates.items()) if rate.of}


def probe_rates(found: Iterable[Probe], known: dict[str, Result]) -> dict[str, Rate]:
    rates: dict[str, Rate] = defaultdict(Rate)
    for probe in found:
        holds = probe.holds([known[text] for text in probe.texts])
        rates[probe.name].count(" → ".join(probe.texts), holds)
    return dict(rates)


def company_rates(classifier: Classifier, known: dict[str, Result]) -> dict[str, Rate]:
    """Whether a text gets the same answer alone as in the large batches of the pass above.

    The service batches whatever comes in at the same time.
    """
    rate = Rate()
    for probe in probes():
        if probe.name.startswith(ALONE):
            (text,) = probe.texts
            rate.count(text, _same([known[text], classifier.classify(text)]))
    return {"invariance: alone or among others": rate}


def probes() -> list[Probe]:
    """Every comparison: minimum function, invariance, direction."""
    content = json.loads(PROBES.read_text(encoding="utf-8"))
    praise, blame, pairs = content["praise"], content["blame"], content["pairs"]
    turned = [f"{a}，但是{b}。" for a, b in pairs] + [f"{b}，但是{a}。" for a, b in pairs]
    texts = [*(f"{text}。" for text in (*praise, *blame)), *turned]
    return [
        *_functions(praise, blame, turned),
        *_faults(content["faults"], content["turned_to_a_fault"]),
        *_names(content["named"]),
        *_neutral_clauses(texts, content["neutral"]),
        *_invariances(texts),
        *_directions(praise, blame, pairs),
    ]


def _functions(praise: list[str], blame: list[str], turned: list[str]) -> list[Probe]:
    return [
        *(_labelled("plain praise is positive", f"{text}。", "positive") for text in praise),
        *(_labelled("plain blame is negative", f"{text}。", "negative") for text in blame),
        *(_labelled("praise and blame around 但是 are mixed", text, "mixed") for text in turned),
    ]


def _faults(alone: list[str], behind_a_turn: list[str]) -> list[Probe]:
    """Small faults, as people who give five stars write them too."""
    wins = "function: the fault behind a turn wins"
    return [
        *(_labelled("a small fault alone is negative", text, "negative") for text in alone),
        *(Probe(wins, (text,), lambda results: results[0].polarity < 0) for text in behind_a_turn),
    ]


def _labelled(name: str, text: str, label: str) -> Probe:
    return Probe(f"function: {name}", (text,), lambda results: results[0].label == label)


def _names(named: list[tuple[str, list[str]]]) -> list[Probe]:
    return [
        Probe("invariance: another name", tuple(text.format(name) for name in names), _same)
        for text, names in named
    ]


def _neutral_clauses(texts: list[str], neutral: dict[str, list[str]]) -> list[Probe]:
    """What is added is to be read as neutral, and all the rest as before."""
    function = "function: an added neutral clause is neutral"
    front, behind = (f"invariance: a neutral clause {at}" for at in ("in front", "behind"))
    found: list[Probe] = []
    for text in texts:
        for longer in (f"{more}{text}" for more in neutral["before"]):
            found.append(Probe(front, (text, longer), lambda r: _same([r[0], _without(r[1], 0)])))
            found.append(Probe(function, (longer,), lambda r: r[0].clauses[0].label == "neutral"))
        for longer in (f"{text}{more}" for more in neutral["behind"]):
            found.append(Probe(behind, (text, longer), lambda r: _same([r[0], _without(r[1], -1)])))
            found.append(Probe(function, (longer,), lambda r: r[0].clauses[-1].label == "neutral"))
    return found


def _without(result: Result, clause: int) -> Result:
    clauses = list(result.clauses)
    del clauses[clause]
    return replace(result, clauses=tuple(clauses))


def _invariances(texts: list[str]) -> list[Probe]:
    traditional = OpenCC("s2t")
    changed = [
        *(("half-width punctuation", text, text.translate(_HALF_WIDTH)) for text in texts),
        *(("traditional characters", text, traditional.convert(text)) for text in texts),
        *(("blanks at the end", text, text + end) for text in texts for end in ("   ", "\n")),
        *(
            ("another mark at the end", text, text[:-1] + end)
            for text in texts
            for end in ("！", "！！！", "~", "")
        ),
    ]
    return [Probe(f"invariance: {name}", (text, other), _same) for name, text, other in changed]


def _directions(praise: list[str], blame: list[str], pairs: list[tuple[str, str]]) -> list[Probe]:
    adding: list[tuple[list[str], str, str, Holds]] = [
        (praise, "，但是太贵了", "falls", _falls),
        (praise, "，但是服务太差", "falls", _falls),
        (praise, "，而且很便宜", "does not fall", _does_not_fall),
        (blame, "，但是真的很便宜", "rises", _rises),
        (blame, "，好在很快就退了款", "rises", _rises),
        (blame, "，而且服务也差", "does not rise", _does_not_rise),
    ]
    added = [
        Probe(f"direction: adding {more[1:]} {what}", (f"{text}。", f"{text}{more}。"), holds)
        for texts, more, what, holds in adding
        for text in texts
    ]
    removed = [
        Probe("direction: removing the blame rises", (f"{a}，但是{b}。", f"{a}。"), _rises)
        for a, b in pairs
    ]
    swapped = [
        Probe(
            "direction: swapping the clauses around 但是 moves to the other side",
            (f"{a}，但是{b}。", f"{b}，但是{a}。"),
            lambda results: results[0].polarity < 0 < results[1].polarity,
        )
        for a, b in pairs
    ]
    return [*added, *removed, *swapped]


def _same(results: Sequence[Result]) -> bool:
    """The same label and signs, and no polarity far from the first one's."""
    first, *others = results
    return all(
        other.label == first.label
        and _signs(other) == _signs(first)
        and abs(other.polarity - first.polarity) <= SAME_POLARITY
        for other in others
    )


def _signs(result: Result) -> list[str]:
    return [clause.label for clause in result.clauses if clause.label != "neutral"]


def _falls(results: Sequence[Result]) -> bool:
    return results[1].polarity < results[0].polarity - MOVED_POLARITY


def _rises(results: Sequence[Result]) -> bool:
    return results[1].polarity > results[0].polarity + MOVED_POLARITY


def _does_not_fall(results: Sequence[Result]) -> bool:
    return results[1].polarity >= results[0].polarity - MOVED_POLARITY


def _does_not_rise(results: Sequence[Result]) -> bool:
    return results[1].polarity <= results[0].polarity + MOVED_POLARITY
