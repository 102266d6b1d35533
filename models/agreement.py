"""The clauses of a text that is called mixed: one favourable and one unfavourable at least.

That is what `mixed` says of a text, so its clauses are read as the most probable ones
that show it. Nearly always they do without help: the document head sees what the clause
head found, and both are trained to agree.
"""

import math
from collections.abc import Iterable, Sequence

from .labels import CLAUSE_LABELS

_POSITIVE = CLAUSE_LABELS.index("positive")
_NEGATIVE = CLAUSE_LABELS.index("negative")
# No clause is certain.
_LEAST = 1e-6

Scores = list[float]


def shows_both(clauses: Sequence[Scores]) -> bool:
    """Whether a favourable label leads in some clause, and an unfavourable one in another."""
    return {_POSITIVE, _NEGATIVE} <= {_first(scores) for scores in clauses}


def show_both(clauses: Sequence[Scores]) -> list[Scores]:
    """Probabilities of the labels of a mixed text's clauses, (clauses, 3), with both signs ahead.

    Where one sign leads in no clause, the clause that needs the least for it takes it.
    Its scores become max-marginals: with each of its labels, how probable the best
    reading of all the clauses is, among the readings that have both signs. The other
    clauses, and a text of one clause, stay as they are.
    """
    if len(clauses) < 2 or shows_both(clauses):
        return list(clauses)
    costs = [_costs(scores) for scores in clauses]
    _, *pair = _cheapest_pair(costs, range(len(clauses)))
    read = list(clauses)
    for place, label in zip(pair, (_POSITIVE, _NEGATIVE), strict=True):
        if _first(clauses[place]) != label:
            read[place] = _max_marginals(costs, place)
    return read


def _max_marginals(costs: Sequence[Scores], place: int) -> list[float]:
    """Probabilities of the labels of the clause at `place`, the others as best they can be."""
    others = [i for i in range(len(costs)) if i != place]
    by_positive, by_negative = (
        costs[_cheapest(costs, sign, others)[0]][sign] for sign in (_POSITIVE, _NEGATIVE)
    )
    both, *_ = _cheapest_pair(costs, others)
    still = {_POSITIVE: by_negative, _NEGATIVE: by_positive}
    shares = [math.exp(-cost - still.get(label, both)) for label, cost in enumerate(costs[place])]
    total = sum(shares)
    return [share / total for share in shares]


def _cheapest_pair(costs: Sequence[Scores], places: Sequence[int]) -> tuple[float, int, int]:
    """What both signs cost among `places`, and who takes the favourable and the other one."""
    return min(
        (
            (costs[i][_POSITIVE] + costs[j][_NEGATIVE], i, j)
            for i in _cheapest(costs, _POSITIVE, places)
            for j in _cheapest(costs, _NEGATIVE, places)
            if i != j
        ),
        default=(math.inf, -1, -1),
    )


def _cheapest(costs: Sequence[Scores], label: int, places: Iterable[int]) -> list[int]:
    """The two of `places` that come nearest to `label`: one may be needed for the other sign."""
    return sorted(places, key=lambda i: costs[i][label])[:2]


def _costs(scores: Scores) -> list[float]:
    """How much less probable, as a logarithm, than the clause's own label each label is."""
    highest = max(scores)
    return [math.log(highest / max(score, _LEAST)) for score in scores]


def _first(scores: Scores) -> int:
    return max(range(len(scores)), key=scores.__getitem__)
