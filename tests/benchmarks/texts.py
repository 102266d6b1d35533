"""The texts to measure with: real reviews if you have some, else the sentences that ship."""

import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path

SEED_TEXTS = Path(__file__).parents[2] / "training" / "seed"
BATCH = 64


def load(files: Sequence[Path], count: int) -> list[str]:
    """`count` texts of `files` (JSON Lines with `text`, or plain lines), shuffled, repeatable."""
    found: dict[str, None] = {}
    for file in files or sorted(SEED_TEXTS.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            text = json.loads(line).get("text") if file.suffix == ".jsonl" else line
            if isinstance(text, str) and text.strip():
                found[text] = None
    texts = list(found)
    if not texts:
        raise SystemExit("bench: these files hold no texts")
    random.Random(2026).shuffle(texts)
    while len(texts) < count:
        texts += texts[: count - len(texts)]
    return texts[:count]


def write_bodies(texts: Sequence[str], folder: Path) -> None:
    """The requests of all load generators: a body a line, single texts and batches."""
    singles = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    batches = [
        json.dumps({"texts": texts[i : i + BATCH]}, ensure_ascii=False)
        for i in range(0, len(texts) - BATCH + 1, BATCH)
    ]
    inputs = [json.dumps({"model": "twin", "input": [t]}, ensure_ascii=False) for t in texts]
    for name, bodies in {"single": singles, "batch": batches, "input": inputs}.items():
        (folder / f"{name}.bodies").write_text("\n".join(bodies) + "\n", encoding="utf-8")


def write_table(texts: Sequence[str], file: Path) -> None:
    """What the bulk command reads."""
    with file.open("w", encoding="utf-8", newline="") as table:
        rows = csv.writer(table)
        rows.writerow(["id", "text"])
        rows.writerows(enumerate(texts))
