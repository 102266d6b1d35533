"""How often the model does what it should, as rates with names, and their recorded minima.

A rate is measured on a limited number of texts, so another model, as good, would come out
a little lower or higher by luck. A minimum leaves room for that and no more: it is the lower
end of the Wilson interval of the measured rate (Wilson 1927; recommended for small numbers by
Brown, Cai and DasGupta 2001), two standard deviations below. Of 0.9 that takes two points with
1,000 texts, eight with 100 and thirty-one with 10. Clauses of one text are right or wrong
together, so the number that counts is the number of texts.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

MINIMA = Path(__file__).with_name("minimum_rates.json")
DEVIATIONS = 2.0


@dataclass(slots=True)
class Rate:
    """What came out right, of how much, on how many texts; and the texts that did not."""

    right: int = 0
    of: int = 0
    texts: int = 0
    misses: list[str] = field(default_factory=list)

    def count(self, text: str, *right: bool) -> None:
        """Count what was asked of one text; nothing, if it was asked nothing."""
        if not right:
            return
        self.texts += 1
        self.of += len(right)
        self.right += sum(right)
        if not all(right):
            self.misses.append(text)

    @property
    def share(self) -> float:
        return self.right / self.of

    @property
    def minimum(self) -> float:
        """The lower end of the Wilson interval, rounded down to three digits."""
        n, p, z = self.texts, self.share, DEVIATIONS
        middle = p + z * z / (2 * n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return math.floor(1000 * (middle - half) / (1 + z * z / n)) / 1000


@dataclass(frozen=True, slots=True)
class Recorded:
    """A rate as it was recorded: of how many texts, what was measured, what must be reached."""

    texts: int
    measured: float
    minimum: float


def fingerprint(texts: Iterable[str]) -> str:
    """Changes with any text that is measured."""
    return sha256("\n".join(texts).encode()).hexdigest()[:16]


def load(file: Path = MINIMA) -> tuple[str, dict[str, Recorded]]:
    """The fingerprint of the texts that were measured, and the recorded rates by name."""
    content = json.loads(file.read_text(encoding="utf-8"))
    return content["texts"], {name: Recorded(**rate) for name, rate in content["rates"].items()}


def save(file: Path, model: str, texts: str, rates: Mapping[str, Recorded]) -> None:
    """One rate a line, so that a change of one is a change of one line."""
    lines = ",\n".join(
        f'  {json.dumps(name)}: {{"texts": {r.texts}, "measured": {r.measured}, '
        f'"minimum": {r.minimum}}}'
        for name, r in rates.items()
    )
    file.write_text(
        f'{{\n "model": {json.dumps(model)},\n "texts": {json.dumps(texts)},\n'
        f' "rates": {{\n{lines}\n }}\n}}\n',
        encoding="utf-8",
    )


def renew(
    before: Mapping[str, Recorded], measured: Mapping[str, Rate], *, lower: bool = False
) -> tuple[dict[str, Recorded], list[str]]:
    """The rates to record, and a sentence for each that fell below its recorded minimum.

    A minimum only rises; `lower` lets those fall that the model no longer reaches. A rate
    that is no longer measured counts as fallen.
    """
    after: dict[str, Recorded] = {}
    fallen = [f"{name}: no longer measured" for name in before if name not in measured]
    for name, rate in measured.items():
        minimum, old = rate.minimum, before.get(name)
        if old and rate.share >= old.minimum:
            minimum = max(minimum, old.minimum)
        elif old:
            fallen.append(
                f"{name}: {rate.share:.3f} of {rate.texts} texts, and {old.minimum:.3f} is "
                f"recorded (measured then: {old.measured:.3f} of {old.texts})"
            )
            minimum = minimum if lower else old.minimum
        after[name] = Recorded(rate.texts, round(rate.share, 4), minimum)
    return after, fallen
