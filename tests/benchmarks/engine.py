"""The engine alone, in this process: what the rest is measured against.

    python -m tests.benchmarks.engine BODIES SECONDS

All texts are prepared beforehand, sorted by length and run in the batches that suit the engine
best, on as many threads as it has lanes. Prints one JSON object.
"""

import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from models import Classifier
from models.stream import batches_by_length
from models.tokenizer import Row

RELEASED = Path(__file__).parents[2] / "models" / "released"
BUDGETS = (128, 256, 512, 1024, 2048)
LENGTHS = (8, 16, 32, 64, 128, 250)


def throughput(classifier: Classifier, rows: list[Row], seconds: float) -> dict[str, Any]:
    """Rows a second of the best batch size, measured anew once it is found.

    The best of several noisy trials is a lucky one: it tells which size, not how fast.
    """
    # The rows that fit into a trial of every batch size.
    sample = rows[: max(64, len(rows) // 4)]
    with ThreadPoolExecutor(classifier.engine.lanes) as pool:
        trials = {
            b: _rate(pool, classifier, sample, b, seconds / 2 / len(BUDGETS)) for b in BUDGETS
        }
        budget = max(trials, key=trials.__getitem__)
        rate = _rate(pool, classifier, sample, budget, seconds / 2)
    tokens = sum(row.length for row in sample) / len(sample)
    return {
        "texts_per_second": rate,
        "tokens_per_second": rate * tokens,
        "budget": budget,
        "lanes": classifier.engine.lanes,
    }


def _rate(
    pool: ThreadPoolExecutor, classifier: Classifier, rows: list[Row], budget: int, seconds: float
) -> float:
    """Rows a second in batches of `budget` tokens, of similar lengths each."""
    batches = [[rows[i] for i in batch] for batch in batches_by_length(rows, budget)]
    list(pool.map(classifier.run, batches))  # warm: kernels of new shapes
    done, begin = 0, time.perf_counter()
    while time.perf_counter() < begin + seconds:
        list(pool.map(classifier.run, batches))
        done += 1
    return done * len(rows) / (time.perf_counter() - begin)


def lone(classifier: Classifier, texts: list[str]) -> dict[str, float]:
    """Median ms of one text at a time: preparing it and one pass of the engine."""
    times = []
    for text in texts:
        begin = time.perf_counter()
        classifier.run(classifier.prepare(text).rows)
        times.append((time.perf_counter() - begin) * 1000)
    return {"median": statistics.median(times)}


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


def main(bodies: Path, seconds: float) -> None:
    texts = [json.loads(line)["text"] for line in bodies.read_text("utf-8").splitlines()]
    classifier = Classifier.load(RELEASED)
    rows = [row for text in texts for row in classifier.prepare(text).rows]
    lone(classifier, texts[:50])  # warm
    found = throughput(classifier, rows, seconds) | {"lone_ms": lone(classifier, texts[:300])}
    # A long text has several rows: what is compared is texts.
    found["texts_per_second"] *= len(texts) / len(rows)
    found["tokens_per_text"] = sum(row.length for row in rows) / len(texts)
    found["by_length_ms"] = by_length(classifier)
    found["engine"] = f"{classifier.engine.name}-{classifier.engine.precision}"
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
