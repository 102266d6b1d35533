"""The engine alone, in a process of its own: what the rest is measured against, turn by turn.

    python -m tests.benchmarks.engine BODIES

All texts are prepared beforehand and run in the batches, cut from all of them, that suit the engine
best, on as many threads as it has lanes. Prints a JSON object about itself; then one for each line
of stdin: of `rate SECONDS` with its texts a second, of `lone TEXTS` with the median ms of so many
texts, one at a time.
"""

import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from models import Classifier
from models.stream import cut
from models.tokenizer import Row

RELEASED = Path(__file__).parents[2] / "models" / "released"
BUDGETS = (128, 256, 512, 1024, 2048)
LENGTHS = (8, 16, 32, 64, 128, 250)


Batches = list[list[Row]]


def best_batches(pool: ThreadPoolExecutor, classifier: Classifier, rows: list[Row]) -> Batches:
    """`rows` in the batches that the engine runs fastest."""
    choices = []
    for budget in BUDGETS:
        batches = cut([row.length for row in rows], budget, classifier.engine.packs)
        choices.append([[rows[i] for i in batch] for batch in batches])
        list(pool.map(classifier.run, choices[-1]))  # warm: kernels of new shapes
    return max(choices, key=lambda batches: rate(pool, classifier, batches, seconds=2.0))


def rate(
    pool: ThreadPoolExecutor, classifier: Classifier, batches: Batches, seconds: float
) -> float:
    """Rows a second, over whole rounds of all `batches`."""
    done, begin = 0, time.perf_counter()
    while (took := time.perf_counter() - begin) < seconds:
        list(pool.map(classifier.run, batches))
        done += 1
    return done * sum(map(len, batches)) / took


def lone(classifier: Classifier, texts: list[str]) -> float:
    """Median ms of one text at a time: preparing it and one pass of the engine."""
    times = []
    for text in texts:
        begin = time.perf_counter()
        classifier.run(classifier.prepare(text).rows)
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


def by_length(classifier: Classifier) -> dict[str, float]:
    """Median ms of a text of so many characters, prepare to finish."""
    found = {}
    for length in LENGTHS:
        text = ("房间很干净，但是隔音太差了。" * 20)[:length]
        times = []
        for _ in range(30):
            begin = time.perf_counter()
            classifier.classify(text)
            times.append((time.perf_counter() - begin) * 1000)
        found[str(length)] = statistics.median(times)
    return found


def main(bodies: Path) -> None:
    texts = [json.loads(line)["text"] for line in bodies.read_text("utf-8").splitlines()]
    classifier = Classifier.load(RELEASED)
    rows = [row for text in texts for row in classifier.prepare(text).rows]
    with ThreadPoolExecutor(classifier.engine.lanes) as pool:
        batches = best_batches(pool, classifier, rows)
        lone(classifier, texts[:300])  # warm
        tell(
            {
                "engine": f"{classifier.engine.name}-{classifier.engine.precision}",
                "tokens_per_text": sum(row.length for row in rows) / len(texts),
                "by_length_ms": by_length(classifier),
            }
        )
        for line in sys.stdin:
            what, amount = line.split()
            if what == "rate":
                # A long text has several rows: what is compared is texts.
                speed = rate(pool, classifier, batches, float(amount)) * len(texts) / len(rows)
                tell({"texts_per_second": speed})
            else:
                tell({"lone_ms": lone(classifier, [*islice(cycle(texts), int(amount))])})


def tell(found: dict[str, Any]) -> None:
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
